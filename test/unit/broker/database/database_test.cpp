// Shows what a database keeps, what is told of one that is not as it should be, and that a follower sees each change.
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>

#include "broker/database/follower.hpp"
#include "broker/database/store.hpp"
#include "protocol/folder_lock.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace pointsman::broker;
using namespace std::chrono_literals;

namespace {

struct Place {
  const TemporaryFolder folder;
  const std::string path = folder / "known.db";
};

Known known(const std::string& line) {
  auto read = parse_known(line);
  REQUIRE(std::holds_alternative<Known>(read));
  return std::get<Known>(std::move(read));
}

void put(const std::string& path, const std::vector<std::string>& lines) {
  const auto store = open_store(path, Purpose::edit);
  store->begin();
  for (const std::string& line : lines) store->put(columns_of(known(line)));
  store->commit();
}

std::vector<std::string> lines_of(Store& store) {
  std::vector<std::string> lines;
  store.each([&](const Columns& row) { lines.push_back(to_line(std::get<Known>(known_of(row)))); });
  return lines;
}

void note(const std::string& path, std::uint64_t now, const std::vector<Deeds>& deeds) {
  open_store(path, Purpose::note)->note(deeds, now, 3);
}

std::vector<std::string> history_of(const std::string& path) {
  std::vector<std::string> rows;
  open_store(path, Purpose::look)->each_past([&](const Past& past) {
    const Deeds& deeds = past.deeds;
    rows.push_back(deeds.worker + "/" + deeds.instance + " " + std::to_string(deeds.jobs) + " " +
                   std::to_string(deeds.busy.count()) + " " + std::to_string(deeds.failures) + " " +
                   std::to_string(past.since) + ".." + std::to_string(past.seen));
  });
  return rows;
}

std::optional<DatabaseError> error_of(const std::string& place, Purpose purpose) {
  try {
    open_store(place, purpose);
    return std::nullopt;
  } catch (const DatabaseError& error) {
    return error;
  }
}

bool says(const std::optional<DatabaseError>& error, DatabaseError::Kind kind, const std::string& part) {
  return error && error->kind() == kind && std::string(error->what()).find(part) != std::string::npos;
}

// Runs SQL by the interpreter's module, as somebody else's program does.
void sql(const std::string& path, const std::string& statement) {
  const std::string python = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
  const std::string command = "/usr/bin/python3 -c '" + python + "' " + path + " \"" + statement + "\"";
  REQUIRE(std::system(command.c_str()) == 0);
}

// A follower, and what it has told so far.
class Followed {
 public:
  explicit Followed(const std::string& path, std::uint64_t most = 100)
      : follower(path, most, 3, [this] {
          const std::lock_guard lock(mutex_);
          woken_.notify_all();
        }) {
    take();
  }

  // Whether it tells what makes `holds` true, in time.
  template <class Holds>
  bool comes(const Holds& holds) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (take(), !holds()) {
      std::unique_lock lock(mutex_);
      if (woken_.wait_until(lock, until) == std::cv_status::timeout) return false;
    }
    return true;
  }

  std::map<std::string, std::string> lines;  // by name; of those that are there
  std::string said;
  Follower::News news;

 private:
  void take() {
    news = follower.take();
    for (const std::string& text : news.said) said += text + "\n";
    for (const Known& one : news.records) {
      if (one.says_nothing())
        lines.erase(one.name);
      else
        lines[one.name] = to_line(one);
    }
  }

  std::mutex mutex_;
  std::condition_variable woken_;

 public:
  Follower follower;
};

}  // namespace

TEST_CASE("a database keeps records, and an edit is done whole or not at all") {
  const Place place;
  CHECK(says(error_of(place.path, Purpose::look), DatabaseError::Kind::missing, "pointsman db set"));
  put("sqlite:" + place.path, {"worker w1 : gpu=a", "client ann tenant=lab priority=3 priority_max=5", "worker w0 offers=zip"});
  const auto store = open_store(place.path, Purpose::look);
  CHECK(lines_of(*store) == std::vector<std::string>{"client ann tenant=lab priority=3 priority_max=5", "worker w0 offers=zip", "worker w1 : gpu=a"});
  CHECK(store->check().empty());
  const std::uint64_t changes = store->changes();
  CHECK(store->changes() == changes);
  {
    const auto editor = open_store(place.path, Purpose::edit);
    editor->begin();
    CHECK(editor->remove("worker", "w1"));
    CHECK_FALSE(editor->remove("worker", "w1"));
    editor->put(columns_of(known("worker w0 : gpu=b")));
    CHECK(store->find("worker", "w1"));  // nobody else sees it yet
  }
  CHECK(store->changes() == changes);
  CHECK(lines_of(*store).size() == 3);
  {
    const auto editor = open_store(place.path, Purpose::edit);
    editor->begin();
    editor->clear();
    editor->put(columns_of(known("worker w0 : gpu=b")));
    editor->commit();
  }
  CHECK(store->changes() != changes);
  CHECK(lines_of(*store) == std::vector<std::string>{"worker w0 : gpu=b"});

  store->back_up(place.folder / "copy.db");
  CHECK(lines_of(*open_store(place.folder / "copy.db", Purpose::look)) == lines_of(*store));
  CHECK_THROWS_WITH_AS(store->back_up(place.folder / "copy.db"), doctest::Contains("is there already"), DatabaseError);
}

TEST_CASE("a database that is not as it should be is told, with the remedy") {
  const Place place;
  std::ofstream(place.path) << "this is no database, and longer than a header has to be to be looked at: " << std::string(200, 'x');
  for (const Purpose purpose : {Purpose::look, Purpose::edit}) {
    CHECK(says(error_of(place.path, purpose), DatabaseError::Kind::trouble, "put a backup in its place"));
  }
  std::filesystem::remove(place.path);
  CHECK(says(error_of(place.folder / "none/known.db", Purpose::edit), DatabaseError::Kind::trouble, "folder"));
  CHECK(says(error_of("mysql://host/base", Purpose::edit), DatabaseError::Kind::foreign, "no kind of database"));

  sql(place.path, "CREATE TABLE songs (name TEXT)");
  CHECK(says(error_of(place.path, Purpose::edit), DatabaseError::Kind::foreign, "another program's"));
  std::filesystem::remove(place.path);
  put(place.path, {"worker w1 : gpu=a"});
  sql(place.path, "UPDATE pointsman SET version = 2");
  CHECK(says(error_of(place.path, Purpose::look), DatabaseError::Kind::foreign, "is of version 2, and this program knows version 1"));
  CHECK_THROWS_AS(Follower(place.path, 10, 10, [] {}), DatabaseError);
}

TEST_CASE("of a server's address host, port and name are shown, never its user or password") {
  for (const std::string place : {"postgresql://h:1/n", "postgresql://u:s3cret@h:1/n", "postgres://h:1/n?password=s3cret&user=u",
                                  "postgresql://u:%2Fs3cret%40%25@h:1/n?connect_timeout=3"}) {
    CHECK(place_without_secrets(place) == "postgresql://h:1/n");
  }
  CHECK(place_without_secrets("postgresql://u:s3cret@/n?host=/run/p") == "postgresql:///n");
  // A password with signs that end it: some part of it would be taken for the host, the port or the name.
  for (const std::string place : {"postgresql://u:s3cret@s3cret@h/n", "postgresql://u:s3cret/s3cret@h/n", "postgresql://u:12/s3cret@h/n",
                                  "postgresql://u:s3cret?s3cret@h/n", "postgresql://u:s3cret%zz@h/n", "postgresql://h/n?pass=s3cret",
                                  "mysql://u:s3cret@h/n"}) {
    CHECK_MESSAGE(place_without_secrets(place).find("s3cret") == std::string::npos, place);
    const auto error = error_of(place, Purpose::edit);
    CHECK(says(error, DatabaseError::Kind::foreign, "write "));
    CHECK(std::string(error->what()).find("s3cret") == std::string::npos);
  }
}

TEST_CASE("an editor waits for another one for so long only") {
  const Place place;
  const FolderLock other(place.path);
  REQUIRE(other.held());
  CHECK(says(error_of(place.path, Purpose::edit), DatabaseError::Kind::trouble, "is being edited by somebody else"));
}

TEST_CASE("a history has a row an instance, figures that only grow, failures that add up, and so many rows") {
  const Place place;
  CHECK(says(error_of(place.path, Purpose::note), DatabaseError::Kind::missing, "there is no"));
  put(place.path, {"worker w1 : gpu=a"});
  const std::uint64_t changes = open_store(place.path, Purpose::look)->changes();
  CHECK(history_of(place.path).empty());  // none has noted anything yet: there is no table
  note(place.path, 100, {{"a", "1", 5, 70ms, 1}, {"b \"\\", "1", 1, 1ms, 0}});
  note(place.path, 120, {{"a", "1", 5, 70ms, 1}, {"a", "2", 2, 9ms, 0}});  // one that was written twice, and a restart
  note(place.path, 110, {{"a", "1", 3, 60ms, 0}});                      // late, by a broker that had it before
  CHECK(history_of(place.path) == std::vector<std::string>{"a/1 5 70 2 100..120", "a/2 2 9 0 120..120", "b \"\\/1 1 1 0 100..100"});
  CHECK(open_store(place.path, Purpose::look)->changes() == changes);
  note(place.path, 130, {{"c", "1", 0, 0ms, 0}, {"d", "1", 0, 0ms, 0}});
  CHECK(history_of(place.path) == std::vector<std::string>{"a/2 2 9 0 120..120", "c/1 0 0 0 130..130", "d/1 0 0 0 130..130"});
}

TEST_CASE("what a worker did is the sum of its instances") {
  const Place place;
  put(place.path, {"worker w1 : gpu=a"});
  CHECK(open_store(place.path, Purpose::look)->past_of("a") == Deeds{.worker = "a"});  // there is no table yet
  note(place.path, 100, {{"a", "1", 5, 70ms, 1}, {"a", "2", 2, 9ms, 3}, {"b", "1", 1, 1ms, 0}});
  CHECK(open_store(place.path, Purpose::look)->past_of("a") == Deeds{"a", "", 7, 79ms, 4});
  CHECK(open_store(place.path, Purpose::look)->past_of("c") == Deeds{.worker = "c"});
}

TEST_CASE("a follower tells what those did before who have come, and of others nothing") {
  const Place place;
  put(place.path, {"worker w1 : gpu=a"});
  note(place.path, 100, {{"a", "1", 5, 70ms, 1}, {"a", "2", 2, 9ms, 0}, {"b", "1", 1, 1ms, 0}});
  Followed followed(place.path);
  followed.follower.note({{.worker = "a", .instance = "3", .came = true},
                          {.worker = "b", .instance = "1", .jobs = 2},
                          {.worker = "c", .instance = "1", .came = true}});
  CHECK(followed.comes([&] { return followed.news.pasts == std::vector<Deeds>{{"a", "", 7, 79ms, 1}}; }));
}

TEST_CASE("a follower writes what workers did at its end at the latest") {
  const Place place;
  {
    Followed followed(place.path);
    CHECK(followed.follower.takes_deeds());
    followed.follower.note({{"a", "1", 1, 1ms, 1}, {"b", "1", 1, 1ms, 0}});
    followed.follower.note({{"a", "1", 4, 9ms, 1}});
  }
  const auto rows = history_of(place.path);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].starts_with("a/1 4 9 2 "));
}

TEST_CASE("a follower tells what there is, what changes and what goes, by whomever") {
  const Place place;
  put(place.path, {"worker w1 : gpu=a", "client ann tenant=lab"});
  Followed followed(place.path);
  CHECK(followed.lines.size() == 2);
  CHECK_FALSE(followed.news.away);
  put(place.path, {"worker w1 : gpu=b", "worker w2 : gpu=c"});
  CHECK(followed.comes([&] { return followed.lines["w1"] == "worker w1 : gpu=b" && followed.lines.contains("w2"); }));
  sql(place.path, "DELETE FROM known WHERE name = 'w2'; UPDATE pointsman SET change = change + 1");
  CHECK(followed.comes([&] { return followed.lines.size() == 2; }));
  sql(place.path, "INSERT INTO known (about, name, sessions) VALUES ('worker', 'w3', 'many'); UPDATE pointsman SET change = change + 1");
  CHECK(followed.comes([&] { return followed.news.unreadable == 1; }));
  CHECK(followed.said.find("records that do not count") != std::string::npos);
  CHECK(followed.lines.size() == 2);
}

TEST_CASE("a follower makes a database, keeps what it has while that is damaged or gone, and reads the one in its place") {
  const Place place;
  Followed followed(place.path, 2);
  CHECK(std::filesystem::exists(place.path));
  put(place.path, {"worker w1 : gpu=a"});
  CHECK(followed.comes([&] { return followed.lines.size() == 1; }));
  open_store(place.path, Purpose::look)->back_up(place.folder / "copy.db");

  std::ofstream(place.folder / "garbage") << std::string(10000, 'x');
  std::filesystem::rename(place.folder / "garbage", place.path);
  CHECK(followed.comes([&] { return followed.news.away; }));
  CHECK(followed.news.troubles == 1);
  CHECK(followed.said.find("stays in force") != std::string::npos);
  CHECK(followed.lines.size() == 1);

  for (const char* log : {"-wal", "-shm"}) std::filesystem::remove(place.path + log);
  std::filesystem::rename(place.folder / "copy.db", place.path);
  CHECK(followed.comes([&] { return !followed.news.away; }));
  put(place.path, {"worker w2", "worker w3 : a=1", "worker w4 : a=1"});
  CHECK(followed.comes([&] { return followed.news.unreadable > 0; }));  // no more than two
  CHECK(followed.said.find("known_max is 2") != std::string::npos);
}
