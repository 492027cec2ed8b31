// JSON lines, appended with one write each, so that a line is whole or not there.
#include "broker/audit_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

#include "protocol/system.hpp"

namespace pointsman::broker {

namespace {

void add_text(std::string& line, std::string_view text) {
  line += '"';
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      line += '\\';
      line += byte;
    } else if (value < 0x20 || value == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", value);
      line += escaped;
    } else {
      line += byte;  // UTF-8 already: the codec takes nothing else
    }
  }
  line += '"';
}

void add(std::string& line, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  line += ",\"" + std::string(name) + "\":";
  add_text(line, text);
}

void add(std::string& line, std::string_view name, std::uint64_t number) {
  if (number != 0) line += ",\"" + std::string(name) + "\":" + std::to_string(number);
}

std::string moment(std::uint64_t unix_us) {
  const auto seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%06uZ", static_cast<unsigned>(unix_us % 1'000'000));
  return std::string(text, size) + fraction;
}

}  // namespace

std::string audit_line(const Audit& record, std::uint64_t unix_us) {
  std::string line = "{\"at\":\"" + moment(unix_us) + "\",\"event\":\"" + std::string(word(record.what)) + "\"";
  if (!record.key.none()) add(line, "key", to_z85(record.key));
  add(line, "name", record.name);
  if (record.code != Code::none) add(line, "code", word(record.code));
  add(line, "about", record.about);
  add(line, "worker", record.worker);
  add(line, "service", record.service);
  add(line, "client", record.client);
  add(line, "id", record.id);
  add(line, "session", record.session);
  add(line, "detail", record.detail);
  add(line, "left_out", record.left_out);
  return line + "}";
}

AuditLog::AuditLog(std::string path, std::uint64_t bytes_max) : path_(std::move(path)), bytes_max_(bytes_max) {}

AuditLog::~AuditLog() {
  if (file_ >= 0) ::close(file_);
}

bool AuditLog::open() {
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0) return false;
  struct stat state {};
  bytes_ = ::fstat(file_, &state) == 0 ? static_cast<std::uint64_t>(state.st_size) : 0;
  return true;
}

void AuditLog::fail(const char* what) {
  if (lost_++ == 0) {
    std::fprintf(stderr, "pointsman: the audit file %s cannot be %s: %s; records are lost until it can\n", path_.c_str(),
                 what, std::strerror(errno));
  }
}

void AuditLog::write(const Audit& record) {
  if (path_.empty()) return;
  if (file_ < 0 && !open()) return fail("opened");
  const std::string line = audit_line(record, unix_microseconds()) + "\n";
  if (bytes_ > 0 && bytes_ + line.size() > bytes_max_) {
    ::close(std::exchange(file_, -1));
    if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return fail("rotated");
    if (!open()) return fail("opened");
  }
  const ssize_t written = ::write(file_, line.data(), line.size());
  if (written < 0) return fail("written");
  bytes_ += static_cast<std::uint64_t>(written);
  if (static_cast<std::size_t>(written) != line.size()) {
    // The disk is full: a torn line would spoil the next one.
    if (::ftruncate(file_, static_cast<off_t>(bytes_ - static_cast<std::uint64_t>(written))) == 0) {
      bytes_ -= static_cast<std::uint64_t>(written);
    }
    errno = ENOSPC;
    fail("written");
  }
}

}  // namespace pointsman::broker
