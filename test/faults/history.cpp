// Lines to and from files. A line is one write() to a file opened for appending, so it is there or is not.
#include "test/faults/history.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace pointsman::faults {

std::int64_t clock_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

std::string Entry::text(const std::string& key) const {
  const auto found = values.find(key);
  return found == values.end() ? std::string() : found->second;
}

std::uint64_t Entry::number(const std::string& key) const {
  const std::string value = text(key);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc{} ? number : 0;
}

std::vector<std::string> Entry::list(const std::string& key) const {
  std::vector<std::string> all;
  std::istringstream items(text(key));
  for (std::string item; std::getline(items, item, ',');) all.push_back(item);
  return all;
}

Pen::Pen(const std::string& path, std::string who)
    : who_(std::move(who)), file_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
  if (file_ < 0) throw std::system_error(errno, std::generic_category(), path);
}

Pen::~Pen() { ::close(file_); }

void Pen::write(std::string_view what, const std::string& rest) { write_as(who_, what, rest); }

void Pen::write_as(const std::string& who, std::string_view what, const std::string& rest) {
  const std::lock_guard lock(mutex_);
  std::string line = std::to_string(clock_us()) + ' ' + who + ' ' + std::string(what);
  if (!rest.empty()) line += ' ' + rest;
  line += '\n';
  if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::system_error(errno, std::generic_category(), "history of " + who_);
  }
}

std::string without_blanks(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), [](unsigned char c) { return c <= ' '; }, '_');
  return out;
}

bool parse(const std::string& line, Entry& out) {
  out = {};
  std::istringstream words(line);
  if (!(words >> out.at >> out.who >> out.what)) return false;
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) return false;
    out.values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return true;
}

namespace {

void read_lines(std::istream& in, History& all) {
  Entry event;
  for (std::string line; std::getline(in, line);) {
    if (parse(line, event)) all.push_back(std::move(event));
  }
}

void sort(History& all) {
  std::stable_sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.at < b.at; });
}

}  // namespace

History read_histories(const std::string& folder) {
  History all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".history") continue;
    std::ifstream in(entry.path());
    read_lines(in, all);
  }
  if (all.empty()) throw std::runtime_error("no history in " + folder);
  sort(all);
  return all;
}

History read_history(const std::string& text) {
  History all;
  std::istringstream in(text);
  read_lines(in, all);
  sort(all);
  return all;
}

}  // namespace pointsman::faults
