// Shows brokers that share a database on a real server of PostgreSQL, which the test starts, kills and starts again.

#include <doctest/doctest.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "test/e2e/arguments.hpp"
#include "test/e2e/eventually.hpp"
#include "test/e2e/process.hpp"
#include "test/e2e/text.hpp"
#include "test/folder.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

// A server of its own, in a folder of its own; it does not run as root, so then it runs as postgres.
class Server {
 public:
  Server() {
    if (::getuid() == 0) {
      const passwd* user = ::getpwnam("postgres");
      REQUIRE_MESSAGE(user, "there is no user postgres: run scripts/setup");
      REQUIRE(::chown(folder_.path().c_str(), user->pw_uid, user->pw_gid) == 0);
      as_ = {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
    }
    const Result made = run(as_ + Arguments{program("initdb"), "-D", data(), "-U", "keeper", "-A", "trust", "-E",
                                        "UTF8", "--locale=C", "--no-sync"});
    REQUIRE_MESSAGE(made.code == 0, made.err);
    const std::string others = text_of(data() + "/pg_hba.conf");
    std::ofstream(data() + "/pg_hba.conf") << "local all guarded scram-sha-256\n" << others;
    start();
    sql("CREATE ROLE guarded LOGIN PASSWORD 'right'");
  }
  ~Server() { kill(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start() {
    process_ = std::make_unique<Process>(as_ + Arguments{program("postgres"), "-D", data(), "-k", folder_.path(),
                                                     "-c", "listen_addresses=", "-c", "fsync=off", "-c",
                                                     "max_connections=20"});
    REQUIRE_MESSAGE(eventually(30s,
                               [&] {
                                 return run({program("pg_isready"), "-h", folder_.path()}).code == 0;
                               }),
                    process_->err());
  }

  // At once: all connections break.
  void kill() {
    process_->signal(SIGQUIT);
    CHECK(process_->wait(30s));
  }

  void sql(const std::string& statement) const { asked(statement); }

  std::string asked(const std::string& statement) const {
    const Result done =
        run({program("psql"), "-h", folder_.path(), "-U", "keeper", "-d", "postgres", "-Atc", statement});
    REQUIRE_MESSAGE(done.code == 0, done.err);
    return done.out;
  }

  std::string place(const std::string& user = "keeper") const {
    return "postgresql://" + user + "@/postgres?host=" + folder_.path();
  }

 private:
  static std::string program(const std::string& name) { return POINTSMAN_POSTGRES "/" + name; }
  std::string data() const { return folder_.path() + "/data"; }

  TemporaryFolder folder_;
  Arguments as_;
  std::unique_ptr<Process> process_;
};

// A broker that follows the database, and a worker of it.
class Station {
 public:
  explicit Station(const std::string& place) {
    broker = std::make_unique<Process>(Arguments{pointsman_program(), "broker", "--clients", clients(),
                                             "--workers", workers(), "--database", place});
    REQUIRE_MESSAGE(broker->wait_for_line("ready clients=", 20s), broker->err());
    worker_ =
        std::make_unique<Process>(Arguments{pointsman_program(), "worker", "--broker", workers(), "--name", "w1",
                                        "--service", "echo", "--attribute", "gpu=a", "--", "cat"});
    REQUIRE_MESSAGE(worker_->wait_for_line("ready worker=", 20s), worker_->err());
  }

  std::string clients() const { return "ipc://" + folder_.path() + "/c"; }
  std::string workers() const { return "ipc://" + folder_.path() + "/w"; }

  bool serves(const std::string& gpu) const {
    const bool served =
        run({pointsman_program(), "call", "echo", "hello", "--when", "gpu == " + gpu, "--broker", clients()})
            .out == "hello";
    jobs_ += served;
    return served;
  }

  // Ends the broker, and says how many jobs it knows of: all that were done.
  int end() const {
    const std::string all = R"("completed":)" + std::to_string(jobs_) + ",";
    CHECK(eventually([&] {
      return has(run({pointsman_program(), "ls", "workers", "--json", "--broker", clients()}).out, all);
    }));
    broker->signal(SIGTERM);
    CHECK(broker->wait(30s) == 0);
    return jobs_;
  }

  std::string status() const {
    return run({pointsman_program(), "status", "--json", "--broker", clients()}).out;
  }
  bool away() const { return has(status(), R"({"name":"database_away","value":1})"); }

  std::unique_ptr<Process> broker;

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Process> worker_;
  mutable int jobs_ = 0;
};

}  // namespace

TEST_CASE(
    "e2e db: brokers share a PostgreSQL server, hand off while it is away, and take up what changed when it "
    "is back") {
  Server server;
  const auto db = [&](const Arguments& words, const std::string& input = {}) {
    return run(Arguments{pointsman_program(), "db"} + words + Arguments{"--database", server.place()},
               {.input = input});
  };
  CHECK(db({"list"}).code == 2);
  const Station one(server.place());
  const Station two(server.place());
  const Result set = db({"set", "worker", "w1", "--attribute", "gpu=h200", "--attribute", "region={eu, us}",
                         "--tenant", "the lab"});
  CHECK_MESSAGE(set.out == "worker w1 tenant=\"the lab\" : gpu=h200 region={eu, us}\n", set.err);
  CHECK(eventually([&] { return one.serves("h200") && two.serves("h200"); }));
  CHECK(db({"import", "-"}, "client ann tenant=x\nclient \"b b\" priority=3 asks=echo\n").code == 0);
  CHECK(db({"show", "client", "b b"}).out == "client \"b b\" priority=3 asks=echo\n");
  CHECK(db({"remove", "client", "ann"}).code == 0);
  CHECK(db({"remove", "client", "ann"}).code == 4);
  CHECK(db({"check"}).out == "sound: 2 records\n");
  CHECK(has(db({"backup", "/tmp/none"}).err, "pg_dump"));
  CHECK(has(db({"list", "--json"}).out, R"("name":"b b")"));

  // Editors take turns: none undoes what another has put down meanwhile.
  std::vector<std::unique_ptr<Process>> editors;
  for (const char* gpu : {"c", "d", "e", "f"}) {
    editors.push_back(
        std::make_unique<Process>(Arguments{pointsman_program(), "db", "set", "worker", "w2", "--attribute",
                                        std::string(gpu) + "=1", "--database", server.place()}));
  }
  for (const auto& editor : editors) CHECK_MESSAGE(editor->wait(20s) == 0, editor->err());
  CHECK(db({"show", "worker", "w2"}).out == "worker w2 : c=1 d=1 e=1 f=1\n");

  server.kill();
  CHECK(eventually([&] { return one.away() && two.away(); }));
  CHECK(one.serves("h200"));
  CHECK(db({"set", "worker", "w1", "--attribute", "gpu=b"}).code == 125);
  // A broker that starts meanwhile hands off, too.
  const Station three(server.place());
  CHECK(three.away());
  CHECK(three.serves("a"));

  server.start();
  REQUIRE(db({"set", "worker", "w1", "--attribute", "gpu=b"}).code == 0);
  CHECK(eventually([&] { return one.serves("b") && two.serves("b") && three.serves("b"); }));
  CHECK_FALSE(one.away());

  // Each had a worker of that name, with another instance, and called it.
  int jobs = 0;
  for (const Station* station : {&one, &two, &three}) jobs += station->end();
  const Result history = db({"history", "w1"});
  CHECK_MESSAGE(has(history.out, "w1           3 "), history.out);
  CHECK_MESSAGE(server.asked("SELECT sum(jobs) FROM history") == std::to_string(jobs) + "\n", history.out);

  server.sql("UPDATE pointsman SET version = 2, change = change + 1");
  const Result foreign = db({"list"});
  CHECK(foreign.code == 2);
  CHECK(has(foreign.err, "is of version 2"));
  const Result broker = run({pointsman_program(), "broker", "--clients", "ipc:///tmp/none.c", "--workers",
                             "ipc:///tmp/none.w", "--database", server.place()});
  CHECK(broker.code == 2);
  CHECK(has(broker.err, "is of version 2"));
  CHECK_FALSE(has(broker.err, "keeper"));
}

TEST_CASE("e2e db: why a PostgreSQL server does not let in is told, and no password") {
  const Server server;
  REQUIRE(run({pointsman_program(), "db", "set", "worker", "w1", "--attribute", "gpu=a", "--database",
               server.place()})
              .code == 0);
  const auto list = [](const std::string& place) {
    return run({pointsman_program(), "db", "list", "--json", "--database", place});
  };
  server.sql("GRANT ALL ON pointsman, known TO guarded");
  const Result right = list(server.place("guarded:right"));
  CHECK_MESSAGE(right.code == 0, right.err);
  CHECK(has(right.out, R"({"database":"postgresql:///postgres","records")"));
  const Result wrong = list(server.place("guarded:s3cret"));
  CHECK(wrong.code == 125);
  CHECK_MESSAGE(has(wrong.err, "password authentication failed"), wrong.err);
  const Result nowhere = list("postgresql://guarded:s3cret@no..host/known");
  CHECK(nowhere.code == 125);
  CHECK_MESSAGE(has(nowhere.err, "could not translate host name"), nowhere.err);
  const Result unreadable = list("postgresql://guarded:s3cret/s3cret@host/known");
  CHECK(unreadable.code == 2);
  CHECK_MESSAGE(has(unreadable.err, "%2F for /"), unreadable.err);
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/p.toml")
      << "[broker]\ndatabase = \"" << server.place("guarded:s3cret") << "\"\n";
  const Result shown = run({pointsman_program(), "config", "show", "--config", folder.path() + "/p.toml"});
  CHECK_MESSAGE(has(shown.out, "postgresql:///postgres"), shown.out);
  const Station refused(server.place("guarded:s3cret"));
  CHECK(refused.away());
  CHECK(refused.serves("a"));
  CHECK(has(refused.broker->err(), "password authentication failed"));
  for (const std::string& text :
       {right.out, wrong.err, nowhere.err, unreadable.err, shown.out, refused.broker->err()}) {
    CHECK_FALSE(has(text, "right"));
    CHECK_FALSE(has(text, "s3cret"));
  }
}
