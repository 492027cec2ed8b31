// Shows that the sources keep the rules of the house, and that the rules find what breaks them.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/unit/rooms.hpp"

using namespace pointsman;

namespace {

namespace fs = std::filesystem;

std::vector<Source> all_sources() {
  const fs::path root = POINTSMAN_SOURCE_DIR;
  std::vector<Source> out;
  for (const char* room : {"protocol", "broker", "workers", "clients", "test", "cmake"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string path = fs::relative(entry.path(), root).generic_string();
      const bool wanted = path.ends_with(".cpp") || path.ends_with(".hpp") || path.ends_with(".cmake") ||
                          path.ends_with("CMakeLists.txt");
      if (!entry.is_regular_file() || !wanted) continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      out.push_back({path, text.str()});
    }
  }
  return out;
}

// The complaints about one file, planted.
std::string planted(const std::string& path, const std::string& text, const std::string& first = "// A file.\n") {
  std::string all;
  for (const std::string& complaint : complaints_about({{path, first + text}})) all += complaint + "\n";
  return all;
}

bool finds(const std::string& complaints, const std::string& part) {
  return complaints.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the sources keep the rules of the house") {
  const std::vector<Source> sources = all_sources();
  CHECK(sources.size() > 50);
  for (const std::string& complaint : complaints_about(sources)) FAIL_CHECK(complaint);
}

TEST_CASE("every include of ours names a file that is there") {
  const std::vector<Source> sources = all_sources();
  std::set<std::string> paths;
  for (const Source& source : sources) paths.insert(source.path);
  for (const Source& source : sources) {
    if (!source.path.ends_with("pp")) continue;
    for (const std::string& include : includes_of(source.text)) {
      const std::string included = include.substr(1, include.size() - 2);
      if (include[0] == '"') CHECK_MESSAGE(paths.contains(included), source.path << " includes " << included);
    }
  }
}

TEST_CASE("planted arrows that point the wrong way are found") {
  CHECK(finds(planted("protocol/codec.cpp", "#include \"broker/shell.hpp\"\n"), "may not include"));
  CHECK(finds(planted("broker/core/a.cpp", "#include \"protocol/codec.hpp\"\n"), "may not include"));
  CHECK(finds(planted("broker/core/a.cpp", "#include \"workers/core/worker.hpp\"\n"), "may not include"));
  CHECK(finds(planted("broker/core/a.cpp", "#include \"broker/shell.hpp\"\n"), "may not include"));
  CHECK(finds(planted("workers/worker.cpp", "#include \"clients/client.hpp\"\n"), "may not include"));
  CHECK(finds(planted("clients/client.cpp", "#include \"clients/program/exit.hpp\"\n"), "may not include"));
  CHECK(finds(planted("protocol/machine.hpp", "#include \"protocol/transport.hpp\"\n"), "may not include"));
  CHECK(planted("broker/core/a.cpp", "#include \"protocol/ticket.hpp\"\n#include \"broker/core/b.hpp\"\n") == "");
  CHECK(planted("workers/worker.cpp", "#include \"protocol/transport.hpp\"\n") == "");
  CHECK(planted("clients/program/main.cpp", "#include \"broker/shell.hpp\"\n") == "");
}

TEST_CASE("planted acquaintances with a library are found") {
  CHECK(finds(planted("broker/shell.cpp", "#include <zmq.hpp>\n"), "only protocol/transport.cpp"));
  CHECK(finds(planted("protocol/json.cpp", "  #  include <msgpack.hpp>\n"), "only protocol/msgpack.cpp"));
  CHECK(finds(planted("clients/client.cpp", "#include <nlohmann/json.hpp>\n"), "only protocol/json.cpp"));
  CHECK(finds(planted("clients/program/main.cpp", "#include <toml.hpp>\n"), "only clients/program/config.cpp"));
  CHECK(finds(planted("workers/worker.cpp", "#include <CLI/CLI.hpp>\n"), "only clients/program/main.cpp"));
  CHECK(finds(planted("protocol/etcd.cpp", "#include <curl/curl.h>\n"), "only protocol/http.cpp"));
  CHECK(finds(planted("broker/shell.cpp", "#include <sqlite3.h>\n"), "only broker/database/sqlite.cpp"));
  CHECK(finds(planted("broker/database/sqlite.cpp", "#include <libpq-fe.h>\n"), "only broker/database/postgres.cpp"));
  CHECK(planted("protocol/transport.cpp", "#include <zmq.hpp>\n") == "");
  CHECK(planted("broker/shell.cpp", "// #include <zmq.hpp>\n") == "");
}

TEST_CASE("planted impurities of a core are found") {
  for (const char* line :
       {"auto t = std::chrono::steady_clock::now();", "auto t = now();", "std::mutex m;", "std::thread t;",
        "std::cout << 1;", "auto e = std::getenv(\"X\");", "int r = rand();", "std::printf(\"x\");",
        "auto f = fopen(\"x\", \"r\");", "std::mt19937_64 g;", "std::ofstream f;", "std::atomic<int> a;",
        "auto t = time(nullptr);", "#include <iostream>", "#include <thread>", "#include <sys/socket.h>"}) {
    CHECK_MESSAGE(planted("workers/core/worker.cpp", std::string(line) + "\n") != "", line);
    CHECK_MESSAGE(planted("workers/worker.cpp", std::string(line) + "\n") == "", line);
  }
  CHECK(planted("workers/core/worker.cpp", "// Never calls now() or printf().\nint x = now_;\n") == "");
  CHECK(planted("workers/core/worker.cpp", "const char* s = \"rand() of a thread\";\n") == "");
}

TEST_CASE("planted walks over what has no order are found") {
  const std::string member = "std::unordered_map<int, std::set<int>> things_;\n";
  CHECK(finds(planted("broker/core/a.cpp", member + "void f() { for (auto& t : things_) g(t); }\n"), "no order"));
  CHECK(finds(planted("broker/core/a.cpp", member + "auto it = things_.begin();\n"), "no order"));
  CHECK(planted("broker/core/a.cpp", member + "auto it = things_.find(1);\n") == "");
  CHECK(planted("broker/core/a.cpp", member + "\nvoid A::check() const {\n  for (auto& t : things_) f(t);\n}\n") == "");
}

TEST_CASE("planted names that say nothing and missing first comments are found") {
  CHECK(finds(planted("broker/string_utils.hpp", ""), "says nothing"));
  CHECK(finds(planted("workers/Helper.cpp", ""), "says nothing"));
  CHECK(finds(planted("clients/lease-manager.hpp", ""), "says nothing"));
  CHECK(planted("broker/utility_of_a_seat.hpp", "") == "");
  CHECK(finds(planted("broker/a.hpp", "", "#pragma once\n"), "does not begin with a comment"));
  CHECK(finds(planted("cmake/a.cmake", "", "set(x 1)\n"), "does not begin with a comment"));
  CHECK(planted("cmake/a.cmake", "", "# Sets x.\n") == "");
}
