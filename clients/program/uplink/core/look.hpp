// Look: what to ask the broker below, and when: who it is, then page after page of its workers, over and over.
//
// A machine without a clock: it says what to ask, is told the answer, and says what to make of it. One question is out at a time.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "clients/program/uplink/core/census.hpp"
#include "protocol/machine.hpp"

namespace pointsman::uplink {

class Look {
 public:
  // `endpoint` is where clients from above are sent. It looks `every` so often, and the broker is lost when nothing was told for
  // `patience`.
  Look(Instant now, std::string endpoint, Duration every, Duration patience)
      : endpoint_(std::move(endpoint)), every_(every), patience_(patience), heard_(now), next_(now) {}

  // Begin then; never: there is a question out.
  Instant deadline() const { return next_; }
  Message begin(Instant now);

  // What comes of an answer: one more question, or all workers are seen, or the broker is lost (once for each look), or nothing.
  struct Found {
    std::optional<Message> question;
    bool seen = false;
    std::optional<Refused> lost;
  };
  Found hear(Instant now, const Message& answer);

  const Census& census() const { return census_; }  // as far as it was told
  std::uint64_t epoch() const { return epoch_; }    // of the broker's present life; 0: it has not said yet

 private:
  Message page(std::string after) const;

  const std::string endpoint_;
  const Duration every_;
  const Duration patience_;
  Census census_;
  Instant began_;
  Instant asked_;  // the question that is out
  std::int64_t pages_ = 0;  // told in this look
  Duration quickest_{0};    // of them
  Instant heard_;  // the last time that all was told
  Instant next_;
  std::uint64_t epoch_ = 0;
};

}  // namespace pointsman::uplink
