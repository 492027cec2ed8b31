// Contact: how a client talks to one broker, which may be slow, deaf or gone.
//
// Every question to the broker goes through here, for one silence costs one new connection, however many
// questions wait. The pauses between repeats grow and differ from client to client.

#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "clients/core/events.hpp"
#include "clients/core/settings.hpp"

namespace pointsman::clients {

class Contact {
 public:
  Contact(const ClientSettings& settings, std::uint64_t broker)
      : broker_(broker),
        repeat_(settings.repeat),
        repeat_max_(settings.repeat_max),
        silence_(settings.silence),
        chance_(settings.seed + broker) {}

  // Sends a question. `again`: it was sent before; then a broker that has been silent for long gets a new
  // connection first.
  void send(Instant now, Message message, bool again, Actions& out) {
    const bool too_quiet = again && silent(now) && (!replaced_ || now - *replaced_ >= silence_);
    if (barred_ || too_quiet) replace(now, out);
    if (!unanswered_since_) unanswered_since_ = now;
    sent_ = now;
    out.emplace_back(Send{Address{.door = Door::broker, .peer = broker_}, std::move(message), {}});
  }

  // Something came from the broker.
  void heard() {
    unanswered_since_.reset();
    turned_away_ = down_ = false;
  }

  // The connection was refused for good: only another one can do better.
  void barred() { barred_ = turned_away_ = true; }

  // The connection stands.
  void up() {
    up_ = true;
    down_ = false;
  }

  // The connection was lost. One that is lost again at once is left to the silence that follows.
  void lost(Instant now, Actions& out) {
    down_ = true;
    up_ = false;
    if (!replaced_ || now - *replaced_ >= repeat_) replace(now, out);
  }

  // True if the broker has not answered anything for longer than `silence`.
  bool silent(Instant now) const { return unanswered_since_ && now - *unanswered_since_ >= silence_; }

  // True if another broker is the better choice: this one is not there, or was silent or turned this client away a
  // short while ago.
  bool doubtful(Instant now) const {
    const bool lately = now - sent_ < repeat_max_;
    return down_ || (turned_away_ && lately) || (silent(now) && (!up_ || lately));
  }

  // How long to wait for the answer to a question that has been sent `sent` times.
  Duration pause(int sent) {
    Duration pause = repeat_;
    for (int i = 1; i < sent && pause < repeat_max_; ++i) pause *= 2;
    return jitter(std::min(pause, repeat_max_));
  }

  // Plus or minus a fifth.
  Duration jitter(Duration around) {
    const auto fifth = around.count() / 5;
    if (fifth == 0) return around;
    return Duration(around.count() - fifth +
                    static_cast<Duration::rep>(draw() % static_cast<std::uint64_t>(2 * fifth)));
  }

 private:
  void replace(Instant now, Actions& out) {
    out.emplace_back(Reconnect{broker_});
    replaced_ = now;
    barred_ = up_ = false;
  }

  // SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t draw() {
    std::uint64_t z = (chance_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  std::uint64_t broker_;
  Duration repeat_;
  Duration repeat_max_;
  Duration silence_;
  std::uint64_t chance_;
  std::optional<Instant> unanswered_since_;
  std::optional<Instant> replaced_;  // the connection, last
  Instant sent_{};
  bool barred_ = false;
  bool turned_away_ = false;
  bool up_ = false;    // said to stand
  bool down_ = false;  // said to be lost, and not to stand since
};

}  // namespace pointsman::clients
