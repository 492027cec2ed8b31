// Histories: what each party of a run with real faults saw, one line an event, written so that nothing is lost when
// its writer is killed.
//
// A line is `microseconds who what key=value…`. The time is CLOCK_MONOTONIC, which all processes of a machine share;
// values have no blanks. Parties write what they did and were told; the test itself, `ground`, writes the faults, what
// the broker's watch says, and the broker's listings.

#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pointsman::faults {

// Microseconds of CLOCK_MONOTONIC.
std::int64_t clock_us();

struct Entry {
  std::int64_t at = 0;
  std::string who;
  std::string what;
  std::map<std::string, std::string> values;

  std::string text(const std::string& key) const;      // empty: not there
  std::uint64_t number(const std::string& key) const;  // 0: not there, or not a number
  std::vector<std::string> list(const std::string& key) const;  // parted by commas
};

using History = std::vector<Entry>;  // in the order of time

// Appends to one file. Thread safe. Throws std::system_error if the file cannot be written.
class Pen {
 public:
  Pen(const std::string& path, std::string who);
  ~Pen();
  Pen(const Pen&) = delete;
  Pen& operator=(const Pen&) = delete;

  // `rest` is `key=value…`; the line is in the file when this returns.
  void write(std::string_view what, const std::string& rest = {});
  void write_as(const std::string& who, std::string_view what, const std::string& rest = {});

 private:
  const std::string who_;
  int file_ = -1;
  std::mutex mutex_;
};

// A value as it may stand in a line.
std::string without_blanks(std::string_view text);

// Reads one line; false if it is not one (a writer was killed within it).
bool parse(const std::string& line, Entry& out);

// All `*.history` files of a folder, merged by time. Throws std::runtime_error if there is none.
History read_histories(const std::string& folder);

// The same from text, for tests.
History read_history(const std::string& text);

}  // namespace pointsman::faults
