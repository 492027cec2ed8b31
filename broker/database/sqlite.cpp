// SQLite with a write-ahead log: a broker reads while somebody edits. The one file that includes its header.
//
// Versions before 3.51.3 may damage the log when two connections write and checkpoint at the same time. So editors
// take turns, by a lock on the folder, and whoever only looks opens the file read-only and never checkpoints.
#include "broker/database/sqlite.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <utility>

#include "protocol/folder_lock.hpp"

namespace pointsman::broker {

namespace {

constexpr int busy_ms = 5000;

constexpr const char* tables =
    "CREATE TABLE pointsman (version INTEGER NOT NULL, change INTEGER NOT NULL);"
    "INSERT INTO pointsman VALUES (1, 1);"
    "CREATE TABLE known (about TEXT NOT NULL, name TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT '',"
    " priority INTEGER NOT NULL DEFAULT 0, priority_max INTEGER NOT NULL DEFAULT 9,"
    " sessions INTEGER NOT NULL DEFAULT 0, waiting INTEGER NOT NULL DEFAULT 0,"
    " asks TEXT NOT NULL DEFAULT '*', offers TEXT NOT NULL DEFAULT '*', attributes TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY (about, name)) WITHOUT ROWID;";
static_assert(database_version == 1);

constexpr const char* history_table =
    "CREATE TABLE IF NOT EXISTS history (worker TEXT NOT NULL, instance TEXT NOT NULL, jobs INTEGER NOT NULL,"
    " busy_ms INTEGER NOT NULL, failures INTEGER NOT NULL, since INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " PRIMARY KEY (worker, instance)) WITHOUT ROWID;";

constexpr const char* all_columns =
    "about, name, tenant, priority, priority_max, sessions, waiting, asks, offers, attributes";

// What tells one file from another at the same path.
using Mark = std::pair<dev_t, ino_t>;
std::optional<Mark> mark_of(const std::string& path) {
  struct stat what {};
  if (::stat(path.c_str(), &what) != 0) return std::nullopt;
  return Mark{what.st_dev, what.st_ino};
}

class Sqlite final : public Store {
 public:
  Sqlite(std::string path, Purpose purpose) : path_(std::move(path)) {
    const bool reads = purpose == Purpose::look;
    if (!reads) lock();
    const bool there = mark_of(path_).has_value();
    if (!there && purpose != Purpose::edit) {
      throw DatabaseError(DatabaseError::Kind::missing, "there is no " + shown_place(path_),
                          "put something down in it: pointsman db set --database " + path_ + " worker NAME --attribute NAME=VALUE");
    }
    const int flags = reads   ? SQLITE_OPEN_READONLY
                      : there ? SQLITE_OPEN_READWRITE
                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code = sqlite3_open_v2(path_.c_str(), &base_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    try {
      if (code != SQLITE_OK) fail("be opened");
      sqlite3_extended_result_codes(base_, 1);
      sqlite3_busy_timeout(base_, busy_ms);
      if (!reads) {
        run("PRAGMA journal_mode = WAL");
        run("PRAGMA synchronous = FULL");
      }
      know_tables(purpose);
      mark_ = mark_of(path_);
    } catch (...) {
      sqlite3_close_v2(base_);
      throw;
    }
  }
  ~Sqlite() override { sqlite3_close_v2(base_); }

  std::uint64_t changes() override {
    if (mark_of(path_) != mark_) {
      throw DatabaseError(DatabaseError::Kind::trouble, shown_place(path_) + " was removed, or replaced",
                          "put it back; whoever reads it opens it anew");
    }
    Statement statement(*this, "SELECT change FROM pointsman");
    return statement.step() ? statement.number(0) : 0;
  }

  void each(const std::function<void(const Columns&)>& visit) override {
    const std::string sql = std::string("SELECT ") + all_columns + " FROM known ORDER BY about, name";
    Statement statement(*this, sql.c_str());
    while (statement.step()) visit(statement.row());
  }

  void begin() override {
    run("BEGIN IMMEDIATE");
    run("UPDATE pointsman SET change = change + 1");
  }
  void commit() override { run("COMMIT"); }

  std::optional<Columns> find(std::string_view about, std::string_view name) override {
    const std::string sql = std::string("SELECT ") + all_columns + " FROM known WHERE about = ? AND name = ?";
    Statement statement(*this, sql.c_str());
    statement.bind(1, about);
    statement.bind(2, name);
    if (!statement.step()) return std::nullopt;
    return statement.row();
  }

  void put(const Columns& record) override {
    const std::string sql =
        std::string("INSERT OR REPLACE INTO known (") + all_columns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Statement statement(*this, sql.c_str());
    for (std::size_t i = 0; i < record.size(); ++i) statement.bind(static_cast<int>(i) + 1, record[i]);
    statement.step();
  }

  bool remove(std::string_view about, std::string_view name) override {
    Statement statement(*this, "DELETE FROM known WHERE about = ? AND name = ?");
    statement.bind(1, about);
    statement.bind(2, name);
    statement.step();
    return sqlite3_changes(base_) > 0;
  }

  void clear() override { run("DELETE FROM known"); }

  void back_up(const std::string& path) override {
    if (mark_of(path)) {
      throw DatabaseError(DatabaseError::Kind::trouble, path + " is there already", "name a file that is not");
    }
    Statement statement(*this, "VACUUM INTO ?");
    statement.bind(1, path);
    statement.step();
  }

  void note(std::span<const Deeds> deeds, std::uint64_t now, std::uint64_t most) override {
    run("BEGIN IMMEDIATE");
    for (const Deeds& one : deeds) {
      Statement statement(*this,
                          "INSERT INTO history (worker, instance, jobs, busy_ms, failures, since, seen)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (worker, instance) DO UPDATE SET"
                          " jobs = max(jobs, excluded.jobs), busy_ms = max(busy_ms, excluded.busy_ms),"
                          " failures = failures + excluded.failures, seen = max(seen, excluded.seen)");
      statement.bind(1, one.worker);
      statement.bind(2, one.instance);
      statement.bind(3, one.jobs);
      statement.bind(4, static_cast<std::uint64_t>(one.busy.count()));
      statement.bind(5, one.failures);
      statement.bind(6, now);
      statement.step();
    }
    if (const std::uint64_t rows = count("SELECT count(*) FROM history"); rows > most) {
      Statement statement(*this,
                          "DELETE FROM history WHERE (worker, instance) IN"
                          " (SELECT worker, instance FROM history ORDER BY seen, worker, instance LIMIT ?)");
      statement.bind(1, rows - most);
      statement.step();
    }
    run("COMMIT");
  }

  Deeds past_of(const std::string& worker) override {
    if (!has_history()) return {.worker = worker};
    Statement statement(*this,
                        "SELECT coalesce(sum(jobs), 0), coalesce(sum(busy_ms), 0), coalesce(sum(failures), 0)"
                        " FROM history WHERE worker = ?");
    statement.bind(1, worker);
    statement.step();
    return {.worker = worker,
            .jobs = statement.number(0),
            .busy = Milliseconds(statement.number(1)),
            .failures = statement.number(2)};
  }

  void each_past(const std::function<void(const Past&)>& visit) override {
    if (!has_history()) return;
    Statement statement(*this,
                        "SELECT worker, instance, jobs, busy_ms, failures, since, seen FROM history"
                        " ORDER BY worker, since, instance");
    while (statement.step()) {
      visit({.deeds = {.worker = statement.text(0),
                       .instance = statement.text(1),
                       .jobs = statement.number(2),
                       .busy = Milliseconds(statement.number(3)),
                       .failures = statement.number(4)},
             .since = statement.number(5),
             .seen = statement.number(6)});
    }
  }

  std::vector<std::string> check() override {
    std::vector<std::string> wrong;
    Statement statement(*this, "PRAGMA integrity_check(20)");
    while (statement.step()) {
      if (const std::string line = statement.text(0); line != "ok") wrong.push_back(line);
    }
    return wrong;
  }

 private:
  class Statement {
   public:
    Statement(Sqlite& store, const char* sql) : store_(store) {
      if (sqlite3_prepare_v2(store_.base_, sql, -1, &statement_, nullptr) != SQLITE_OK) store_.fail("be read");
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    // The text has to live until step().
    void bind(int at, std::string_view text) {
      if (sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC) != SQLITE_OK) {
        store_.fail("be written");
      }
    }
    void bind(int at, std::uint64_t number) {
      if (sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(number)) != SQLITE_OK)
        store_.fail("be written");
    }
    bool step() {
      const int code = sqlite3_step(statement_);
      if (code == SQLITE_ROW) return true;
      if (code != SQLITE_DONE) store_.fail(sqlite3_stmt_readonly(statement_) != 0 ? "be read" : "be written");
      return false;
    }
    std::string text(int column) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
      return bytes ? std::string(bytes, size) : std::string();
    }
    std::uint64_t number(int column) { return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column)); }
    Columns row() {
      Columns row;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = text(static_cast<int>(i));
      return row;
    }

   private:
    Sqlite& store_;
    sqlite3_stmt* statement_ = nullptr;
  };

  void lock() {
    lock_.emplace(path_);
    if (lock_->held()) return;
    throw DatabaseError(DatabaseError::Kind::trouble,
                        shown_place(path_) + " is being edited by somebody else, for longer than " +
                            std::to_string(FolderLock::wait.count()) + " s",
                        "see who holds its folder: fuser -v on it; and try again");
  }

  void run(const char* sql) {
    if (sqlite3_exec(base_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("be written");
  }

  std::uint64_t count(const char* sql) {
    Statement statement(*this, sql);
    return statement.step() ? statement.number(0) : 0;
  }

  bool has_history() { return count("SELECT count(*) FROM sqlite_master WHERE name = 'history'") > 0; }

  // Makes them in an empty file.
  void know_tables(Purpose purpose) {
    if (count("SELECT count(*) FROM sqlite_master") == 0 && purpose == Purpose::edit) {
      run("BEGIN IMMEDIATE");
      run(tables);
      run("COMMIT");
    }
    if (count("SELECT count(*) FROM sqlite_master WHERE name IN ('pointsman', 'known')") != 2) {
      throw DatabaseError(DatabaseError::Kind::foreign, shown_place(path_) + " is another program's", "name another file");
    }
    const std::uint64_t version = count("SELECT version FROM pointsman");
    if (version == database_version) {
      if (purpose == Purpose::note) run(history_table);
      return;
    }
    throw DatabaseError(DatabaseError::Kind::foreign,
                        shown_place(path_) + " is of version " + std::to_string(version) + ", and this program knows version " +
                            std::to_string(database_version),
                        "export it with the program that made it, and import that here into a new one");
  }

  [[noreturn]] void fail(const char* do_what) {
    const int code = base_ ? sqlite3_extended_errcode(base_) : SQLITE_NOMEM;
    const std::string problem =
        shown_place(path_) + " cannot " + do_what + ": " + (base_ ? sqlite3_errmsg(base_) : "no memory");
    const char* remedy = "see that the folder is there and may be written to";
    switch (code & 0xff) {
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        remedy = "it is damaged, or no database: see pointsman db check, and put a backup in its place";
        break;
      case SQLITE_FULL:
      case SQLITE_IOERR:
        remedy = "see that the disk has room and is sound; nothing was changed";
        break;
      case SQLITE_BUSY:
        remedy = "somebody else is editing it: try again";
        break;
      default:
        break;
    }
    throw DatabaseError(DatabaseError::Kind::trouble, problem, remedy);
  }

  std::string path_;
  std::optional<FolderLock> lock_;  // outlives the connection
  std::optional<Mark> mark_;
  sqlite3* base_ = nullptr;
};

}  // namespace

std::unique_ptr<Store> open_sqlite(const std::string& path, Purpose purpose) {
  return std::make_unique<Sqlite>(path, purpose);
}

}  // namespace pointsman::broker
