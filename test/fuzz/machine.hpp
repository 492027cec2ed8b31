// What holds for every core: time that only goes on, deadlines that can be kept, messages that can be sent.
//
// With POINTSMAN_FUZZ_TELL in the environment every step is told on stderr, messages in the notation.

#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>

#include "protocol/codec.hpp"
#include "protocol/machine.hpp"
#include "protocol/must.hpp"
#include "protocol/notation.hpp"
#include "test/fuzz/input.hpp"
#include "test/lines/lines.hpp"

namespace pointsman::fuzz {

// A party's clock. Passes by steps that one byte says.
class Clock {
 public:
  Instant now() const { return now_; }

  // Up to `deadline`, just before it, just after it, or any time.
  void pass(Input& input, Instant deadline) {
    static constexpr std::array<std::int64_t, 10> steps{0,         1,          999,        1000,          100'000,
                                                        1'000'000, 10'000'000, 60'000'000, 3'600'000'000, 86'400'000'000};
    const std::uint8_t choice = input.byte();
    if (choice >= 0x80 || deadline == never) return to(now_ + Duration(steps[choice % steps.size()]));
    const int beside = choice < 0x60 ? 0 : choice < 0x70 ? -1 : 1;
    to(deadline + Duration(beside));
  }

  void to(Instant at) { now_ = std::max(now_, at); }

  // After each step: a core that is `alone` and wants to be stepped at this very moment again and again would
  // never let its driver rest.
  void stepped(Instant deadline, bool alone) {
    hurried_ = alone && deadline <= now_ ? hurried_ + 1 : 0;
    MUST(hurried_ < 100);
  }

 private:
  Instant now_{std::chrono::hours(1)};
  int hurried_ = 0;
};

// What a core says can be written, and is read by the other side as a message.
inline void travels(const Send& send) {
  const std::string body = encode(send.message, send.to.codec);
  MUST(body.size() <= limits::body_bytes);
  Codec seen = Codec::msgpack;
  const auto read = decode(body, seen);
  MUST(std::holds_alternative<Message>(read));
  MUST(std::get<Message>(read).index() == send.message.index());
}

inline bool telling() {
  static const bool wanted = std::getenv("POINTSMAN_FUZZ_TELL") != nullptr;
  return wanted;
}

inline std::string name_of(const Address& at) {
  static constexpr std::array<const char*, 4> doors{"clients:", "workers:", "broker:", "direct:"};
  return doors[static_cast<std::size_t>(at.door)] + std::to_string(at.peer);
}

// An event or an action of a core.
template <class Variant>
void tell(Instant now, const char* indent, const Variant& what) {
  if (!telling()) return;
  const std::string line = std::visit(
      [](const auto& w) -> std::string {
        using W = std::remove_cvref_t<decltype(w)>;
        if constexpr (std::is_same_v<W, Elapsed>) return "time passes";
        else if constexpr (std::is_same_v<W, Received>) return name_of(w.from) + " > " + to_line(w.message, w.payload);
        else if constexpr (std::is_same_v<W, Garbled>) return name_of(w.from) + " garbled";
        else if constexpr (std::is_same_v<W, Gone>) return name_of({.door = w.door, .peer = w.peer}) + " gone";
        else if constexpr (std::is_same_v<W, Send>) return name_of(w.to) + " < " + to_line(w.message, w.payload);
        else if constexpr (requires { line_of(w); }) return line_of(w);
        else return "another event";
      },
      what);
  std::fprintf(stderr, "%16.6f %s%s\n", static_cast<double>(now.time_since_epoch().count()) / 1e6, indent, line.c_str());
}

}  // namespace pointsman::fuzz
