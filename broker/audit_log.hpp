// AuditLog: writes what the core puts on record, one JSON object a line, to a file of bounded size.
//
// The file is made with mode 0600 and appended to. When it would grow beyond its bound it is renamed to FILE.1, in
// place of an older one, and begun anew: never more than twice the bound is on the disk. What cannot be written is
// told on stderr once, and counted; nothing stops for it, and each record tries again. Not thread safe.

#pragma once

#include <cstdint>
#include <string>

#include "broker/core/audit.hpp"

namespace pointsman::broker {

class AuditLog {
 public:
  // An empty path: nothing is written. The file is opened with the first record.
  AuditLog(std::string path, std::uint64_t bytes_max);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void write(const Audit& record);

  std::uint64_t lost() const { return lost_; }  // records that could not be written

 private:
  bool open();
  void fail(const char* what);

  const std::string path_;
  const std::uint64_t bytes_max_;
  int file_ = -1;
  std::uint64_t bytes_ = 0;
  std::uint64_t lost_ = 0;
};

// One line without its end. `unix_us`: when, in microseconds.
std::string audit_line(const Audit& record, std::uint64_t unix_us);

}  // namespace pointsman::broker
