// The fault proxy: a TCP relay that does to a connection what bad networks do.
//
// It listens on a port of its own on 127.0.0.1 and relays each connection to one target. Weather is set per direction
// and applies to what is relayed from then on; reset() and cut apply to connections. One thread of its own; every
// function may be called from any thread. The same seed gives the same jitter.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace pointsman::faults {

enum class Way : std::uint8_t { there, back };  // from whom connects to the target, and back

struct Weather {
  std::chrono::milliseconds delay{0};
  std::chrono::milliseconds jitter{0};      // up to this much more; bytes keep their order
  std::uint64_t bytes_per_second = 0;       // 0: as fast as it goes
  bool stall = false;                       // nothing is read from the sender: it finds its connection full
  bool black_hole = false;                  // everything is read, nothing arrives
  std::uint64_t cut_after = 0;              // 0: never; else the connection is reset when so many bytes, counted from
                                            // its begin, have been relayed: a message is cut in two
};

class Proxy {
 public:
  // `target` is tcp://127.0.0.1:PORT. Throws std::system_error.
  explicit Proxy(const std::string& target, std::uint64_t seed = 1);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  const std::string& endpoint() const { return endpoint_; }  // tcp://127.0.0.1:PORT

  void set(Way way, const Weather& weather);
  void set(const Weather& weather);  // both ways
  void reset();                      // ends every connection by RST
  void refuse(bool on);              // new connections are reset at once

  std::uint64_t connections() const;  // that there were
  std::uint64_t relayed(Way way) const;  // bytes

 private:
  struct Inside;
  std::string endpoint_;
  std::unique_ptr<Inside> inside_;
};

}  // namespace pointsman::faults
