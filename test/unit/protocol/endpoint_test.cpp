// Which endpoints may be bound and connected to, and what is said about the others.

#include "protocol/endpoint.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "protocol/transport.hpp"
#include "test/folder.hpp"

namespace pointsman {
namespace {

std::string problem_of_binding(const std::string& endpoint, bool insecure = false) {
  try {
    bindable(endpoint, insecure);
  } catch (const TransportError& error) {
    return error.what();
  }
  return "";
}

std::string problem_of_connecting(const std::string& endpoint) {
  try {
    connectable(endpoint);
  } catch (const TransportError& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("loopback and ipc endpoints may be bound") {
  for (const char* endpoint :
       {"tcp://127.0.0.1:5570", "tcp://127.0.0.1:*", "tcp://127.9.9.9:0", "tcp://[::1]:80",
        "ipc:///nowhere/a", "ipc://@name", "ipc://*", "tcp://lo:5570"}) {
    CAPTURE(std::string(endpoint));
    CHECK(bindable(endpoint, false) == endpoint);
  }
  CHECK(bindable("tcp://localhost:5570", false) == "tcp://127.0.0.1:5570");
}

TEST_CASE("addresses that other machines reach are bound only where that is allowed") {
  for (const char* endpoint : {"tcp://*:5570", "tcp://0.0.0.0:5570", "tcp://10.0.0.1:5570", "tcp://[::]:5570",
                               "tcp://eth0:5570", "tcp://1270.0.0.1:5570"}) {
    CAPTURE(std::string(endpoint));
    CHECK(says(problem_of_binding(endpoint), "--insecure"));
    CHECK(bindable(endpoint, true) == endpoint);
  }
}

TEST_CASE("what is no endpoint is refused with its remedy") {
  CHECK(says(problem_of_binding("inproc://a"), "only tcp:// and ipc://"));
  CHECK(says(problem_of_binding("pgm://127.0.0.1:5570"), "only tcp:// and ipc://"));
  CHECK(says(problem_of_binding("127.0.0.1:5570"), "write tcp://HOST:PORT"));
  CHECK(says(problem_of_binding(""), "write tcp://HOST:PORT"));
  CHECK(says(problem_of_binding("tcp://127.0.0.1"), "missing"));
  CHECK(says(problem_of_binding("tcp://127.0.0.1:"), "missing"));
  CHECK(says(problem_of_binding("tcp://127.0.0.1:http"), "number from 1 to 65535"));
  CHECK(says(problem_of_binding("tcp://127.0.0.1:65536"), "number from 1 to 65535"));
  CHECK(says(problem_of_binding("ipc://"), "path is missing"));
  CHECK(says(problem_of_binding("ipc:///" + std::string(107, 'a')), "longer than the 107 bytes"));
  CHECK(says(problem_of_binding("tcp://" + std::string(300, 'a') + ":1"), "longer than 256"));
  CHECK(says(problem_of_binding(std::string("tcp://h:1\0x", 11)), "'tcp://h:1': a zero byte follows"));
  CHECK(says(problem_of_binding(std::string(300, '\0')), "a zero byte follows"));
  CHECK(says(problem_of_connecting("tcp://*:5570"), "a host is needed"));
  CHECK(says(problem_of_connecting("tcp://127.0.0.1:*"), "number from 1 to 65535"));
  CHECK(says(problem_of_connecting("tcp://127.0.0.1:1;127.0.0.1:2"), "source address"));
  CHECK(says(problem_of_connecting("http://127.0.0.1:80"), "only tcp:// and ipc://"));
  CHECK(problem_of_connecting("tcp://worker7.example.org:5570").empty());
}

TEST_CASE("what other machines can reach is told from what they cannot") {
  for (const char* endpoint : {"tcp://127.0.0.1:5570", "tcp://127.1.2.3:*", "tcp://localhost:1", "tcp://[::1]:5570", "ipc:///run/c"})
    CHECK_MESSAGE(stays_here(endpoint), endpoint);
  for (const char* endpoint : {"tcp://0.0.0.0:5570", "tcp://10.0.0.1:5570", "tcp://[::]:5570", "tcp://[fe80::1]:5570", "tcp://*:5570", "tcp://"})
    CHECK_FALSE_MESSAGE(stays_here(endpoint), endpoint);
}

TEST_CASE("a file that is no socket is never taken for an ipc path") {
  const TemporaryFolder folder;
  const std::string path = folder / "precious";
  std::ofstream(path) << "data";
  CHECK(says(problem_of_binding("ipc://" + path), "something else than a socket"));
  CHECK(std::filesystem::file_size(path) == 4);
}

}  // namespace
}  // namespace pointsman
