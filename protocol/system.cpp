// Time, chance and descriptors, as Linux gives them.

#include "protocol/system.hpp"

#include <sys/random.h>
#include <sys/resource.h>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "protocol/must.hpp"

namespace pointsman {

namespace {

std::atomic<rlim_t> limit_before{0};  // the soft one, before it was raised; 0: it was not

void fill(void* to, std::size_t size) {
  auto* bytes = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = ::getrandom(bytes, size, 0);
    if (got < 0 && errno == EINTR) continue;
    MUST(got > 0);
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace

Instant now() {
  using Steady = std::chrono::steady_clock;
  static const Steady::time_point origin = Steady::now() - std::chrono::seconds(1);
  return Instant(std::chrono::duration_cast<Duration>(Steady::now() - origin));
}

std::uint64_t unix_microseconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

std::string random_name() {
  constexpr std::string_view digits = "0123456789abcdef";
  unsigned char bytes[16];
  fill(bytes, sizeof bytes);
  std::string name;
  for (const unsigned char byte : bytes) {
    name += digits[byte >> 4];
    name += digits[byte & 15];
  }
  return name;
}

Bytes random_key() {
  Bytes key{std::string(32, '\0')};
  fill(key.data.data(), key.data.size());
  return key;
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  fill(&number, sizeof number);
  return number;
}

void restore_descriptor_limit() {
  rlimit limit{};
  const rlim_t before = limit_before;
  if (before == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = before;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::uint64_t resident_bytes() {
  std::uint64_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    unsigned long size = 0, resident = 0;
    if (std::fscanf(file, "%lu %lu", &size, &resident) == 2) pages = resident;
    std::fclose(file);
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  rlim_t none = 0;
  limit_before.compare_exchange_strong(none, limit.rlim_cur);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // not granted: as many connections as there were room for before
}

}  // namespace pointsman
