// sd_notify in a few lines: a datagram each, to a path or an abstract name.
#include "protocol/notice.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "protocol/system.hpp"

namespace pointsman {

namespace {

constexpr std::array<const char*, 4> variables{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "POINTSMAN_HANG_MS"};

std::string value_of(std::size_t variable) {
  const char* value = std::getenv(variables[variable]);
  return value ? value : "";
}

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

// One line, whatever is in it.
std::string line(std::string_view name, std::string_view value) {
  std::string text(name);
  for (const char c : value) text += c == '\n' || c == '\0' ? ' ' : c;
  return text + "\n";
}

}  // namespace

Notice::Notice() {
  address_ = value_of(0);
  const auto micros = number(value_of(1));
  const auto meant = number(value_of(2));
  const auto hang = number(value_of(3));
  const bool path = address_.starts_with('/') || address_.starts_with('@');
  if (!path || address_.size() < 2 || address_.size() > sizeof(sockaddr_un::sun_path)) address_.clear();
  if (address_.empty()) return;
  if (address_[0] == '@') address_[0] = '\0';
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const timeval second{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  if (hang) hang_ = std::chrono::milliseconds(*hang);
  // The copies of a worker speak for their parent, which only waits for them.
  const bool us = !meant || *meant == ::getpid() || *meant == ::getppid();
  if (!micros || !us) return;
  interval_ = Duration(*micros / 3);
  due_ = now();
}

Notice::~Notice() {
  if (socket_ >= 0) ::close(socket_);
}

Notice& Notice::of_process() {
  static Notice notice;
  return notice;
}

void Notice::keep_to_ourselves() {
  of_process();
  for (const char* variable : variables) ::unsetenv(variable);
}

void Notice::send(std::string_view text, int flags) const {
  if (address_.empty() || socket_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  static_cast<void>(!::sendto(socket_, text.data(), text.size(), flags | MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&to), size));
}

void Notice::ready(std::string_view status) {
  ready_ = line("READY=", "1");
  send(ready_ + (status.empty() ? "" : line("STATUS=", status)));
}

void Notice::status(std::string_view text) { send(line("STATUS=", text)); }

void Notice::stopping() { send(line("STOPPING=", "1")); }

void Notice::worker(std::string_view name, std::string_view instance) {
  worker_ = line("X_POINTSMAN_WORKER=", std::string(name) + " " + std::string(instance));
  send(worker_);
}

void Notice::tick(Instant now, bool moving) {
  if (now < due_) return;
  if (moving) send(worker_ + ready_ + line("WATCHDOG=", "1"), MSG_DONTWAIT);
  due_ = now + interval_;
}

}  // namespace pointsman
