// Keyring: the allowed keys as their file says, read anew when it changes.
//
// A file that cannot be read, or has a mistake, changes nothing: what was in force stays so. Not thread safe.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "protocol/allowed.hpp"

namespace pointsman::broker {

class Keyring {
 public:
  // Reads the file; throws KeyError, which names the line, the problem and the remedy.
  Keyring(std::string path, std::uint64_t unix_seconds);

  // Those in force; never null.
  const std::shared_ptr<const AllowedKeys>& keys() const { return keys_; }

  // Looks whether the file is another one than it was, or a key's time has come. `anyway`: reads it even if
  // not.
  struct News {
    bool changed = false;  // keys() are others
    std::string problem;   // of the file, told once; empty: none
  };
  News look(std::uint64_t unix_seconds, bool anyway = false);

 private:
  // What tells one state of a file from another without reading it.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };

  Mark mark() const;
  AllowedKeys read() const;
  void take(AllowedKeys keys, std::uint64_t unix_seconds);

  std::string path_;
  Mark mark_;
  std::shared_ptr<const AllowedKeys> keys_;
  std::uint64_t next_end_ = 0;
};

}  // namespace pointsman::broker
