// Audit: what a broker puts on record about who did what, for its shell to write down.
//
// Records are bounded in rate, so that nobody can fill a disk or push others out: refusals have a budget apart from
// registrations and changes. What had to be left out is counted, and told with the next record of the same kind.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "protocol/key.hpp"
#include "protocol/machine.hpp"

namespace pointsman::broker {

enum class Audited : std::uint8_t {
  registered,  // a worker
  left,        // a worker: by itself, struck off, or expired
  refused,     // a message, for a reason of security
  tickets,     // a worker refused tickets
  allowed,     // a key that was not before
  changed,     // what a key may do
  revoked,     // a key that was allowed before
  drained,     // a worker, by an operator
  configured,  // a service, by an operator
  count_
};

struct Audit {
  Audited what = Audited::refused;
  PublicKey key{};          // of whoever did it, or whom it is about
  std::string name;         // of that key
  Code code = Code::none;   // of a refusal
  std::string about;        // op of the message
  std::string worker;
  std::string service;
  std::string client;
  std::string id;
  std::uint64_t session = 0;
  std::string detail;
  std::uint64_t left_out = 0;  // records of this budget since the last one
};

// A rate with a burst: the generic cell rate algorithm (ITU-T I.371), whole microseconds. Nothing accumulates but one
// moment, so it costs as much for a thousand a second as for one.
class Meter {
 public:
  // False: too fast; the next is taken at wait() from now. `rate` a second, `burst` at once; both at least 1.
  bool take(Instant now, std::uint64_t rate, std::uint64_t burst) {
    const Duration each = every(rate);
    const Instant next = std::max(next_, now) + each;
    if (next - now > each * static_cast<std::int64_t>(burst)) return false;
    next_ = next;
    return true;
  }
  Duration wait(Instant now, std::uint64_t rate, std::uint64_t burst) const {
    const Duration each = every(rate);
    return std::max(Duration{0}, next_ + each - each * static_cast<std::int64_t>(burst) - now);
  }

 private:
  static Duration every(std::uint64_t rate) {
    return std::max(Duration{1}, Duration{1'000'000} / static_cast<std::int64_t>(rate));
  }

  Instant next_{};  // when the budget is whole again
};

}  // namespace pointsman::broker

template <>
struct pointsman::Words<pointsman::broker::Audited> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(pointsman::broker::Audited::count_)> list{
      "registered", "left", "refused", "tickets-refused", "allowed", "changed", "revoked", "drained", "configured"};
};
