// Shows that key files are written for one user, read back, and refused when they are not as they should be.
#include "protocol/keyfile.hpp"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/folder.hpp"

using namespace pointsman;

namespace {

namespace fs = std::filesystem;

std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void write(const std::string& path, const std::string& text, unsigned mode = 0600) {
  std::ofstream(path) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

unsigned mode_of(const std::string& path) {
  struct stat what {};
  REQUIRE(::stat(path.c_str(), &what) == 0);
  return what.st_mode & 0777;
}

std::string problem_of_reading(const std::string& path) {
  try {
    read_key_pair(path);
  } catch (const KeyError& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a key pair is written for its owner alone and read back") {
  TemporaryFolder folder;
  const auto pair = make_key_pair();
  CHECK_FALSE(pair->key.none());
  CHECK(make_key_pair()->key != pair->key);
  write_key_pair(*pair, folder / "a.key");
  CHECK(mode_of(folder / "a.key") == 0600);
  CHECK(mode_of(folder / "a.key.pub") == 0644);
  const auto back = read_key_pair(folder / "a.key");
  CHECK(back->key == pair->key);
  CHECK(std::memcmp(back->secret.data(), pair->secret.data(), Secret::size) == 0);
  CHECK(read_public_key(folder / "a.key") == pair->key);
  CHECK(read_public_key(folder / "a.key.pub") == pair->key);
  CHECK(public_key_of(folder / "a.key.pub") == pair->key);
  CHECK(public_key_of(to_z85(pair->key)) == pair->key);
}

TEST_CASE("a key file is never overwritten") {
  TemporaryFolder folder;
  write_key_pair(*make_key_pair(), folder / "a.key");
  const std::string before = text_of(folder / "a.key");
  CHECK_THROWS_AS(write_key_pair(*make_key_pair(), folder / "a.key"), KeyError);
  fs::remove(folder / "a.key");
  CHECK_THROWS_AS(write_key_pair(*make_key_pair(), folder / "a.key"), KeyError);  // its .pub is there
  CHECK_FALSE(fs::exists(folder / "a.key"));
}

TEST_CASE("a secret that others may read is not read, with the remedy") {
  TemporaryFolder folder;
  write_key_pair(*make_key_pair(), folder / "a.key");
  for (const unsigned mode : {0640U, 0604U, 0660U, 0644U}) {
    REQUIRE(::chmod((folder / "a.key").c_str(), mode) == 0);
    CHECK(says(problem_of_reading(folder / "a.key"), "chmod 600"));
  }
  REQUIRE(::chmod((folder / "a.key").c_str(), 0400) == 0);
  CHECK(problem_of_reading(folder / "a.key") == "");
}

TEST_CASE("what is no key file is refused with the problem") {
  TemporaryFolder folder;
  const auto pair = make_key_pair();
  write_key_pair(*pair, folder / "a.key");
  const std::string good = text_of(folder / "a.key");
  CHECK(says(problem_of_reading(folder / "none"), "pointsman keys make"));
  CHECK(says(problem_of_reading(folder.path()), "no file"));
  REQUIRE(::chmod((folder / "a.key.pub").c_str(), 0600) == 0);
  CHECK(says(problem_of_reading(folder / "a.key.pub"), "public key only"));
  write(folder / "empty", "");
  CHECK(says(problem_of_reading(folder / "empty"), "empty"));
  write(folder / "long", std::string(5000, '#'));
  CHECK(says(problem_of_reading(folder / "long"), "longer"));
  write(folder / "text", "hello\n");
  CHECK(says(problem_of_reading(folder / "text"), "public KEY"));
  write(folder / "short", good.substr(0, good.size() - 5));
  CHECK(says(problem_of_reading(folder / "short"), "secret KEY"));
  const auto other = make_key_pair();
  write(folder / "mixed", "public " + to_z85(other->key) + good.substr(good.find("\nsecret")));
  CHECK(says(problem_of_reading(folder / "mixed"), "does not belong"));
}

TEST_CASE("a process with secrets makes no core dump, unless it is told to") {
  const auto dumpable_after = [](const char* wanted) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_DUMPABLE, 1);
      if (wanted != nullptr) ::setenv("POINTSMAN_CORE_DUMPS", wanted, 1);
      hide_memory();
      ::_exit(::prctl(PR_GET_DUMPABLE));
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
  };
  CHECK(dumpable_after(nullptr) == 0);
  CHECK(dumpable_after("0") == 0);
  CHECK(dumpable_after("1") == 1);
}

TEST_CASE("a file is replaced whole, and keeps its mode") {
  TemporaryFolder folder;
  replace_file(folder / "f", "one\n", 0640);
  CHECK(mode_of(folder / "f") == 0640);
  REQUIRE(::chmod((folder / "f").c_str(), 0600) == 0);
  replace_file(folder / "f", "two\n", 0640);
  CHECK(text_of(folder / "f") == "two\n");
  CHECK(mode_of(folder / "f") == 0600);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 1);
  CHECK_THROWS_AS(replace_file(folder / "no/where", "x", 0600), KeyError);
}
