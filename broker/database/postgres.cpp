// PostgreSQL by libpq. The one file that includes its header.
//
// Every answer is awaited for a while only: a server that is stopped, or cut off, holds up nobody. Editors take turns by
// the lock on the one row of `pointsman`. An address is taken apart by libpq and shown from its parts, without user and
// password; one that could be read in two ways is refused, for libpq would name a part of the password as its host. libpq
// is loaded when it is needed: with the fifteen libraries behind it every start of the program would take twice as long.
#include "broker/database/postgres.hpp"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

namespace pointsman::broker {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* connect_seconds = "3";
constexpr std::chrono::seconds answer_within{4};

constexpr std::array tables{
    "CREATE TABLE pointsman (version BIGINT NOT NULL, change BIGINT NOT NULL)",
    "CREATE TABLE known (about TEXT NOT NULL, name TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT '',"
    " priority BIGINT NOT NULL DEFAULT 0, priority_max BIGINT NOT NULL DEFAULT 9,"
    " sessions BIGINT NOT NULL DEFAULT 0, waiting BIGINT NOT NULL DEFAULT 0,"
    " asks TEXT NOT NULL DEFAULT '*', offers TEXT NOT NULL DEFAULT '*', attributes TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY (about, name))",
    "INSERT INTO pointsman VALUES (1, 1)"};
static_assert(database_version == 1);

constexpr const char* history_table =
    "CREATE TABLE history (worker TEXT NOT NULL, instance TEXT NOT NULL, jobs BIGINT NOT NULL,"
    " busy_ms BIGINT NOT NULL, failures BIGINT NOT NULL, since BIGINT NOT NULL, seen BIGINT NOT NULL,"
    " PRIMARY KEY (worker, instance))";

constexpr const char* read_all =
    "SELECT about, name, tenant, priority, priority_max, sessions, waiting, asks, offers, attributes"
    " FROM known ORDER BY about COLLATE \"C\", name COLLATE \"C\"";
constexpr const char* read_one =
    "SELECT about, name, tenant, priority, priority_max, sessions, waiting, asks, offers, attributes"
    " FROM known WHERE about = $1 AND name = $2";
constexpr const char* write_one =
    "INSERT INTO known (about, name, tenant, priority, priority_max, sessions, waiting, asks, offers,"
    " attributes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    " ON CONFLICT (about, name) DO UPDATE SET tenant = excluded.tenant, priority = excluded.priority,"
    " priority_max = excluded.priority_max, sessions = excluded.sessions, waiting = excluded.waiting,"
    " asks = excluded.asks, offers = excluded.offers, attributes = excluded.attributes";

// Of arrays, so that a batch is one statement.
constexpr const char* note_all =
    "INSERT INTO history (worker, instance, jobs, busy_ms, failures, since, seen)"
    " SELECT worker, instance, jobs, busy_ms, failures, $6::bigint, $6::bigint"
    " FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t (worker, instance, jobs, busy_ms, failures)"
    " ON CONFLICT (worker, instance) DO UPDATE SET jobs = greatest(history.jobs, excluded.jobs),"
    " busy_ms = greatest(history.busy_ms, excluded.busy_ms), failures = history.failures + excluded.failures,"
    " seen = greatest(history.seen, excluded.seen)";
constexpr const char* forget_some =
    "DELETE FROM history WHERE (worker, instance) IN"
    " (SELECT worker, instance FROM history ORDER BY seen, worker, instance"
    " LIMIT greatest(0, (SELECT count(*) FROM history) - $1::bigint))";

// As an array is written: {"a","b"}.
void add_to(std::string& array, std::string_view element) {
  array += array.empty() ? "{\"" : ",\"";
  for (const char sign : element) {
    if (sign == '"' || sign == '\\') array += '\\';
    array += sign;
  }
  array += '"';
}

// What is used of libpq.
struct Libpq {
  struct Symbol {
    void* at;
    template <class Function>
    operator Function*() const {
      return reinterpret_cast<Function*>(at);
    }
  };
  Symbol symbol(const char* name) {
    void* at = library ? ::dlsym(library, name) : nullptr;
    if (!at) there = false;
    return {at};
  }

  void* library = ::dlopen("libpq.so.5", RTLD_NOW);
  bool there = true;  // and all of the following
  decltype(&::PQclear) clear = symbol("PQclear");
  decltype(&::PQcmdTuples) cmdTuples = symbol("PQcmdTuples");
  decltype(&::PQconnectdbParams) connectdbParams = symbol("PQconnectdbParams");
  decltype(&::PQconninfoFree) conninfoFree = symbol("PQconninfoFree");
  decltype(&::PQconninfoParse) conninfoParse = symbol("PQconninfoParse");
  decltype(&::PQconsumeInput) consumeInput = symbol("PQconsumeInput");
  decltype(&::PQerrorMessage) errorMessage = symbol("PQerrorMessage");
  decltype(&::PQfinish) finish = symbol("PQfinish");
  decltype(&::PQflush) flush = symbol("PQflush");
  decltype(&::PQgetResult) getResult = symbol("PQgetResult");
  decltype(&::PQgetlength) getlength = symbol("PQgetlength");
  decltype(&::PQgetvalue) getvalue = symbol("PQgetvalue");
  decltype(&::PQisBusy) isBusy = symbol("PQisBusy");
  decltype(&::PQntuples) ntuples = symbol("PQntuples");
  decltype(&::PQresultErrorField) resultErrorField = symbol("PQresultErrorField");
  decltype(&::PQresultErrorMessage) resultErrorMessage = symbol("PQresultErrorMessage");
  decltype(&::PQresultStatus) resultStatus = symbol("PQresultStatus");
  decltype(&::PQsendQueryParams) sendQueryParams = symbol("PQsendQueryParams");
  decltype(&::PQsetNoticeProcessor) setNoticeProcessor = symbol("PQsetNoticeProcessor");
  decltype(&::PQsetSingleRowMode) setSingleRowMode = symbol("PQsetSingleRowMode");
  decltype(&::PQsetnonblocking) setnonblocking = symbol("PQsetnonblocking");
  decltype(&::PQsocket) socket = symbol("PQsocket");
  decltype(&::PQstatus) status = symbol("PQstatus");
};

const Libpq& pq() {
  static const Libpq loaded;
  return loaded;
}

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { pq().conninfoFree(options); }
};

// Whether each sign of it that matters stands where it has to: no @ but the one before the host, and no others than numbers
// for ports. What is wrong with those was meant as a part of a password, written without its % codes.
bool is_clear(std::string_view place, std::string_view port) {
  const std::string_view rest = place.substr(place.find("://") + 3);
  const auto ats = std::count(rest.begin(), rest.end(), '@');
  const bool numbers = port.find_first_not_of("0123456789,") == std::string_view::npos;
  return numbers && (ats == 0 || (ats == 1 && rest.find('@') < rest.find_first_of("/?")));
}

class Postgres final : public Store {
 public:
  Postgres(const std::string& place, Purpose purpose) : place_(place) {
    if (!pq().there) {
      throw DatabaseError(DatabaseError::Kind::trouble,
                          "a server of PostgreSQL is asked by libpq.so.5, which cannot be loaded",
                          "install it: apt-get install libpq5");
    }
    if (!shown_postgres(place)) {
      throw DatabaseError(
          DatabaseError::Kind::foreign, "the address of the database cannot be read",
          "write postgresql://USER:PASSWORD@HOST:PORT/NAME, and in user and password %40 for @, %2F for /,"
          " %3A for :, %3F for ?, %25 for %");
    }
    // What stands behind dbname goes before what the place says.
    const std::array<const char*, 6> names{"connect_timeout", "tcp_user_timeout",          "dbname",
                                           "client_encoding", "fallback_application_name", nullptr};
    const std::array<const char*, 6> values{connect_seconds, "4000",      place.c_str(),
                                            "UTF8",          "pointsman", nullptr};
    base_.reset(pq().connectdbParams(names.data(), values.data(), 1));
    if (pq().status(base_.get()) != CONNECTION_OK) fail(nullptr);
    const auto keep_quiet = [](void*, const char*) {};
    pq().setNoticeProcessor(base_.get(), keep_quiet, nullptr);  // else it writes to stderr
    pq().setnonblocking(base_.get(), 1);
    know_tables(purpose);
  }

  std::uint64_t changes() override { return number_of("SELECT change FROM pointsman"); }

  void each(const std::function<void(const Columns&)>& visit) override {
    run(read_all, {}, [&](const Result& one) { visit(columns_in(one)); });
  }

  void begin() override {
    run("BEGIN");
    run("UPDATE pointsman SET change = change + 1");
  }
  void commit() override { run("COMMIT"); }

  std::optional<Columns> find(std::string_view about, std::string_view name) override {
    const Result found = run(read_one, {std::string(about), std::string(name)});
    if (pq().ntuples(found.get()) == 0) return std::nullopt;
    return columns_in(found);
  }

  void put(const Columns& record) override { run(write_one, {record.begin(), record.end()}); }

  bool remove(std::string_view about, std::string_view name) override {
    const Result done =
        run("DELETE FROM known WHERE about = $1 AND name = $2", {std::string(about), std::string(name)});
    return std::string_view(pq().cmdTuples(done.get())) != "0";
  }

  void clear() override { run("DELETE FROM known"); }

  void note(std::span<const Deeds> deeds, std::uint64_t now, std::uint64_t most) override {
    std::vector<std::string> arrays(5);
    for (const Deeds& one : deeds) {
      add_to(arrays[0], one.worker);
      add_to(arrays[1], one.instance);
      add_to(arrays[2], std::to_string(one.jobs));
      add_to(arrays[3], std::to_string(one.busy.count()));
      add_to(arrays[4], std::to_string(one.failures));
    }
    for (std::string& array : arrays) array += '}';
    arrays.push_back(std::to_string(now));
    run(note_all, arrays);
    if (number_of("SELECT count(*) FROM history") > most) run(forget_some, {std::to_string(most)});
  }

  Deeds past_of(const std::string& worker) override {
    Deeds past{.worker = worker};
    if (there({"history"}) == 0) return past;
    run("SELECT coalesce(sum(jobs), 0), coalesce(sum(busy_ms), 0), coalesce(sum(failures), 0) FROM history"
        " WHERE worker = $1",
        {worker}, [&](const Result& row) {
          past.jobs = number_in(row, 0);
          past.busy = Milliseconds(number_in(row, 1));
          past.failures = number_in(row, 2);
        });
    return past;
  }

  void each_past(const std::function<void(const Past&)>& visit) override {
    if (there({"history"}) == 0) return;
    run("SELECT worker, instance, jobs, busy_ms, failures, since, seen FROM history"
        " ORDER BY worker COLLATE \"C\", since, instance COLLATE \"C\"",
        {}, [&](const Result& row) {
          visit({.deeds = {.worker = text_in(row, 0),
                           .instance = text_in(row, 1),
                           .jobs = number_in(row, 2),
                           .busy = Milliseconds(number_in(row, 3)),
                           .failures = number_in(row, 4)},
                 .since = number_in(row, 5),
                 .seen = number_in(row, 6)});
        });
  }

  void back_up(const std::string&) override {
    throw DatabaseError(DatabaseError::Kind::foreign,
                        shown_place(place_) + " is a server's, which has its own way of backup",
                        "use pg_dump; or pointsman db export FILE");
  }

  std::vector<std::string> check() override { return {}; }  // its server does

 private:
  struct Finish {
    void operator()(PGconn* base) const { pq().finish(base); }
  };
  struct Clear {
    void operator()(PGresult* result) const { pq().clear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;

  // One statement, and its answer; or each row of it by itself, as it comes, so that no more than one is kept.
  Result run(const char* sql, const std::vector<std::string>& parameters = {},
             const std::function<void(const Result&)>& visit = {}) {
    std::vector<const char*> texts;
    for (const std::string& text : parameters) texts.push_back(text.c_str());
    PGconn* base = base_.get();
    if (pq().sendQueryParams(base, sql, static_cast<int>(texts.size()), nullptr, texts.data(), nullptr,
                             nullptr, 0) == 0) {
      fail(nullptr);
    }
    if (visit) pq().setSingleRowMode(base);
    auto until = Clock::now() + answer_within;
    for (int left = 1; left != 0;) {
      left = pq().flush(base);
      if (left < 0) fail(nullptr);
      if (left > 0) await(POLLIN | POLLOUT, until);
    }
    Result answer;
    for (;;) {
      while (pq().isBusy(base) != 0) {
        await(POLLIN, until);
        if (pq().consumeInput(base) == 0) fail(nullptr);
      }
      Result next(pq().getResult(base));
      if (!next) break;
      if (pq().resultStatus(next.get()) == PGRES_SINGLE_TUPLE) {
        visit(next);
        until = Clock::now() + answer_within;
      }
      answer = std::move(next);
    }
    const ExecStatusType how = pq().resultStatus(answer.get());
    if (how != PGRES_COMMAND_OK && how != PGRES_TUPLES_OK) fail(answer.get());
    return answer;
  }

  void await(short what, Clock::time_point until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd one{.fd = pq().socket(base_.get()), .events = what, .revents = 0};
    const int ready = left > 0 ? ::poll(&one, 1, static_cast<int>(left)) : 0;
    if (ready > 0 || (ready < 0 && errno == EINTR)) return;
    throw DatabaseError(DatabaseError::Kind::trouble, shown_place(place_) + " does not answer",
                        "see that its server runs, and that nobody keeps it locked");
  }

  // Of the first row.
  static std::string text_in(const Result& result, int column) {
    return {pq().getvalue(result.get(), 0, column),
            static_cast<std::size_t>(pq().getlength(result.get(), 0, column))};
  }
  static std::uint64_t number_in(const Result& result, int column) {
    const std::string text = text_in(result, column);
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  static Columns columns_in(const Result& result) {
    Columns texts;
    for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = text_in(result, static_cast<int>(i));
    return texts;
  }

  std::uint64_t number_of(const char* sql) {
    const Result result = run(sql);
    return pq().ntuples(result.get()) == 0 ? 0 : number_in(result, 0);
  }

  // How many of these there are.
  std::uint64_t there(std::initializer_list<const char*> names) {
    std::uint64_t found = 0;
    for (const char* name : names) {
      const Result result = run("SELECT to_regclass($1) IS NOT NULL", {name});
      found += text_in(result, 0) == "t";
    }
    return found;
  }

  // All or nothing; somebody else may do so at the same moment.
  void make(std::span<const char* const> statements, const char* one) {
    try {
      run("BEGIN");
      for (const char* statement : statements) run(statement);
      run("COMMIT");
    } catch (const DatabaseError&) {
      run("ROLLBACK");
      if (there({one}) == 0) throw;
    }
  }

  void know_tables(Purpose purpose) {
    const bool edits = purpose == Purpose::edit;
    std::uint64_t found = there({"pointsman", "known"});
    if (found == 0 && edits) make(tables, "known");
    if (found != 2) found = there({"pointsman", "known"});  // they may have come between the two looks
    if (found == 0) {
      throw DatabaseError(DatabaseError::Kind::missing,
                          "nothing was put down in " + shown_place(place_) + " yet",
                          "start a broker with it, or: pointsman db set");
    }
    if (found != 2) {
      throw DatabaseError(DatabaseError::Kind::foreign, shown_place(place_) + " is another program's",
                          "name another database of the server");
    }
    const std::uint64_t version = number_of("SELECT version FROM pointsman");
    if (version == database_version) {
      if (purpose == Purpose::note && there({"history"}) == 0) make(std::array{history_table}, "history");
      return;
    }
    throw DatabaseError(DatabaseError::Kind::foreign,
                        shown_place(place_) + " is of version " + std::to_string(version) +
                            ", and this program knows version " + std::to_string(database_version),
                        "export it with the program that made it, and import that here into a new one");
  }

  // The first line of what the server, or libpq, says.
  [[noreturn]] void fail(const PGresult* result) {
    std::string_view why = result ? pq().resultErrorMessage(result) : pq().errorMessage(base_.get());
    why = why.substr(0, why.find('\n'));
    const char* state = result ? pq().resultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
    const std::string_view kind = state ? std::string_view(state).substr(0, 2) : "";
    const char* remedy = kind == "53"   ? "see that the server has room; nothing was changed"
                         : kind == "42" ? "see that this user may make, read and write tables there"
                         : kind == "XX" ? "it is damaged: put a backup in its place"
                                        : "see that the server runs, and lets this user in";
    throw DatabaseError(DatabaseError::Kind::trouble, shown_place(place_) + ": " + std::string(why), remedy);
  }

  std::string place_;
  std::unique_ptr<PGconn, Finish> base_;
};

}  // namespace

std::optional<std::string> shown_postgres(const std::string& place) {
  if (!pq().there) return std::nullopt;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(pq().conninfoParse(place.c_str(), nullptr));
  if (!options) return std::nullopt;
  std::string host, port, name;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") host = option->val;
    if (keyword == "port") port = option->val;
    if (keyword == "dbname") name = option->val;
  }
  if (!is_clear(place, port)) return std::nullopt;
  if (host.starts_with('/')) host.clear();  // the folder of a socket
  return "postgresql://" + host + (port.empty() ? "" : ":" + port) + "/" + name;
}

std::unique_ptr<Store> open_postgres(const std::string& place, Purpose purpose) {
  return std::make_unique<Postgres>(place, purpose);
}

}  // namespace pointsman::broker
