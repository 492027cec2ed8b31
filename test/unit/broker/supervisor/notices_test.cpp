// Shows what a supervisor reads out of what its processes say, and whom it believes to have said it.
#include "broker/supervisor/notices.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "broker/supervisor/trees.hpp"

using namespace pointsman;
using namespace pointsman::supervisor;

TEST_CASE("a notice is read line by line, and what is not known is left out") {
  const auto all = noticed(7, "READY=1\nWATCHDOG=1\nSTATUS=well\nMAINPID=4\nnonsense\n\nX_POINTSMAN_WORKER=zip 1 abc\nSTOPPING=1");
  CHECK(all.run == 7);
  CHECK(all.ready);
  CHECK(all.alive);
  CHECK(all.stopping);
  CHECK(all.status == "well");
  CHECK(all.worker == "zip 1");
  CHECK(all.instance == "abc");
  const auto none = noticed(7, "READY=0\nREADY\n=1\nWATCHDOG=trigger\nX_POINTSMAN_WORKER=alone\n");
  CHECK(!none.ready);
  CHECK(!none.alive);
  CHECK(none.worker.empty());
  CHECK(noticed(7, "X_POINTSMAN_WORKER= i").worker.empty());
  CHECK(noticed(7, "X_POINTSMAN_WORKER=\xff i").worker.empty());
  CHECK(noticed(7, "X_POINTSMAN_WORKER=" + std::string(65, 'n') + " i").worker.empty());
  CHECK(noticed(7, "X_POINTSMAN_WORKER=n " + std::string(65, 'i')).worker.empty());
  CHECK(noticed(7, "STATUS=" + std::string(2000, 's')).status.size() == limits::text);
  CHECK(noticed(7, "STATUS=\xff").status == "\xef\xbf\xbd");
}

TEST_CASE("a notice comes with the process that sent it, and that with its ancestors") {
  const std::string path = "/tmp/pointsman-notices-" + std::to_string(::getpid());
  Notices notices(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  REQUIRE(::sendto(socket, "READY=1", 7, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 7);
  ::close(socket);
  const auto said = notices.next();
  REQUIRE(said);
  CHECK(said->text == "READY=1");
  CHECK(said->by == ::getpid());
  CHECK(!notices.next());
  CHECK(ancestor(said->by, [](pid_t pid) { return pid == ::getppid(); }) == ::getppid());
  CHECK(ancestor(said->by, [](pid_t) { return false; }) == 0);
  CHECK(memory_below(::getppid()) > 1'000'000);
  CHECK(memory_below(::getpid()) == 0);
}
