// Rooms: the rules of the house about who may know whom, as functions from sources to complaints.

#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pointsman {

struct Source {
  std::string path;  // from the root of the project, with slashes
  std::string text;
};

using Complaints = std::vector<std::string>;

inline bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

inline constexpr std::array<const char*, 7> cores{"broker/core",  "broker/supervisor/core", "broker/membership/core", "workers/core",
                                                  "clients/core", "protocol/finder/core",   "clients/program/uplink/core"};

inline bool is_core(std::string_view path) {
  return std::any_of(cores.begin(), cores.end(), [&](const char* core) { return is_below(path, core); });
}

// The text without comments, and with empty strings for literals.
inline std::string code_of(const std::string& text) {
  static const std::regex noise(R"(//[^\n]*|"(?:\\.|[^"\\\n])*")");
  return std::regex_replace(text, noise, "\"\"");
}

// What a source includes, with its quotes or brackets. Comments do not count.
inline std::vector<std::string> includes_of(const std::string& text) {
  static const std::regex line(R"((?:^|\n)[ \t]*#[ \t]*include[ \t]*([<"][^>"\n]+[>"]))");
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), line), end; it != end; ++it) out.push_back((*it)[1]);
  return out;
}

// The part of a name without its folder and its ending, cut at underscores.
inline std::vector<std::string> words_of_name(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  std::vector<std::string> words(1);
  for (const char c : file.substr(0, file.find('.'))) {
    if (c == '_' || c == '-') {
      words.emplace_back();
    } else {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return words;
}

// Protocol headers that a core may include; they include only each other.
inline const std::set<std::string> ground{
    "protocol/attributes.hpp", "protocol/condition.hpp", "protocol/preference.hpp", "protocol/bytes.hpp",   "protocol/digest.hpp",  "protocol/direct_link.hpp", "protocol/fields.hpp", "protocol/finding.hpp",
    "protocol/allowed.hpp", "protocol/frame.hpp",   "protocol/handoff.hpp", "protocol/inspection.hpp",  "protocol/key.hpp",
    "protocol/limits.hpp",
    "protocol/machine.hpp", "protocol/messages.hpp", "protocol/must.hpp",       "protocol/names.hpp", "protocol/rendezvous.hpp",
    "protocol/supervision.hpp", "protocol/tenure.hpp", "protocol/ticket.hpp",  "protocol/utf8.hpp",        "protocol/words.hpp",
    "protocol/zap.hpp"};

inline bool may_include(const std::string& path, const std::string& included) {
  if (ground.contains(path)) return ground.contains(included);
  for (const char* core : cores) {
    if (is_below(path, core)) return is_below(included, core) || ground.contains(included);
  }
  if (is_below(path, "protocol")) return is_below(included, "protocol");
  if (is_below(path, "clients/program")) return true;
  for (const char* room : {"broker", "workers", "clients"}) {
    if (!is_below(path, room)) continue;
    if (is_below(included, "clients/program")) return false;
    return is_below(included, room) || is_below(included, "protocol");
  }
  return true;
}

// Libraries of others, and the one file that knows each. Tests may know them: strangers who speak to us do.
struct Acquaintance {
  std::string_view library;
  std::string_view file;
};
inline constexpr std::array<Acquaintance, 8> known_by_one{{{"<zmq", "protocol/transport.cpp"},
                                                    {"<curl", "protocol/http.cpp"},
                                                    {"<sqlite3", "broker/database/sqlite.cpp"},
                                                    {"<libpq", "broker/database/postgres.cpp"},
                                                    {"<msgpack", "protocol/msgpack.cpp"},
                                                    {"<nlohmann", "protocol/json.cpp"},
                                                    {"<toml", "clients/program/config.cpp"},
                                                    {"<CLI", "clients/program/main.cpp"}}};

inline void judge_includes(const Source& source, Complaints& out) {
  const bool test = source.path.starts_with("test/");
  for (const std::string& include : includes_of(source.text)) {
    for (const auto& [library, file] : known_by_one) {
      if (include.starts_with(library) && source.path != file && !test) {
        out.push_back(source.path + ": only " + std::string(file) + " includes " + include);
      }
    }
    if (include[0] != '"') continue;
    const std::string included = include.substr(1, include.size() - 2);
    if (!may_include(source.path, included)) out.push_back(source.path + ": may not include " + included);
  }
}

// Time, chance, files, threads and talk: what a core has no business with.
inline void judge_purity(const Source& source, Complaints& out) {
  static const std::regex word(
      R"(\b(now|time|rand|srand|random|getenv|system|abort|exit)\s*\(|)"
      R"(\b(thread|jthread|mutex|shared_mutex|atomic|condition_variable|future|async|random_device|mt19937\w*|)"
      R"(system_clock|steady_clock|high_resolution_clock|cout|cerr|clog|cin|f?printf|puts|fputs|fopen|ifstream|)"
      R"(ofstream|fstream|sleep_for|sleep_until|usleep|nanosleep|clock_gettime|gettimeofday)\b)");
  static const std::set<std::string> banned{
      "<atomic>", "<condition_variable>", "<cstdio>",   "<cstdlib>", "<ctime>",  "<filesystem>", "<fstream>",
      "<future>", "<iostream>",           "<mutex>",    "<ostream>", "<random>", "<shared_mutex>", "<stdio.h>",
      "<stdlib.h>", "<stop_token>",       "<thread>",   "<time.h>",  "<unistd.h>"};
  const std::string code = code_of(source.text);
  for (std::sregex_iterator it(code.begin(), code.end(), word), end; it != end; ++it) {
    out.push_back(source.path + ": a core knows nothing of " + it->str());
  }
  for (const std::string& include : includes_of(source.text)) {
    if (banned.contains(include)) out.push_back(source.path + ": a core does not include " + include);
    if (include.starts_with("<sys/")) out.push_back(source.path + ": a core does not include " + include);
  }
}

// Without the body of check(), which says nothing and so may walk as it likes.
inline std::string without_check(std::string code) {
  for (std::size_t from; (from = code.find("::check() const {")) != std::string::npos;) {
    const std::size_t to = code.find("\n}", from);
    code.erase(from, to == std::string::npos ? to : to - from);
  }
  return code;
}

// Iterating over an unordered container would make one input give two outputs.
inline void judge_order(const std::vector<Source>& sources, Complaints& out) {
  static const std::regex declared(R"(std::unordered_\w+<[^;\n]*>\s+(\w+)\s*[;{])");
  for (const char* core : cores) {
    std::set<std::string> names;
    for (const Source& source : sources) {
      if (!is_below(source.path, core)) continue;
      const std::string code = code_of(source.text);
      for (std::sregex_iterator it(code.begin(), code.end(), declared), end; it != end; ++it) names.insert((*it)[1]);
    }
    for (const Source& source : sources) {
      if (!is_below(source.path, core)) continue;
      const std::string code = without_check(code_of(source.text));
      for (const std::string& name : names) {
        const std::regex walk("(:\\s*" + name + "\\s*\\)|\\b" + name + "\\s*\\.\\s*c?begin\\s*\\()");
        if (std::regex_search(code, walk)) out.push_back(source.path + ": walks over " + name + ", which has no order");
      }
    }
  }
}

inline Complaints complaints_about(const std::vector<Source>& sources) {
  static const std::set<std::string> forbidden{"util", "utils", "common", "helper", "helpers", "manager", "misc"};
  Complaints out;
  for (const Source& source : sources) {
    const bool cxx = source.path.ends_with(".cpp") || source.path.ends_with(".hpp");
    if (!source.text.starts_with(cxx ? "//" : "#")) out.push_back(source.path + ": does not begin with a comment");
    for (const std::string& word : words_of_name(source.path)) {
      if (forbidden.contains(word)) out.push_back(source.path + ": a name that says nothing: " + word);
    }
    if (!cxx) continue;
    judge_includes(source, out);
    if (is_core(source.path)) judge_purity(source, out);
  }
  judge_order(sources, out);
  return out;
}

}  // namespace pointsman
