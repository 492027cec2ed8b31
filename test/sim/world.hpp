// The world of a simulation: virtual time, processes with clocks of their own, and a network that loses, repeats,
// delays and breaks.
//
// A connection is dialled by one party and accepted by another, as with ZeroMQ: the dialler never notices that it broke,
// the acceptor sees a new handle each time. Messages keep their order on a connection unless the seed says otherwise.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"
#include "test/sim/chance.hpp"
#include "test/sim/profile.hpp"

namespace pointsman::sim {

// An invariant does not hold; what() says which and of whom.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Incoming = std::variant<Received, Garbled, Gone>;

class World;

// A process: it lives, dies, comes back, and can be stopped for a while.
class Party {
 public:
  Party(World& world, std::string name, Duration offset, double drift)
      : world_(world), name_(std::move(name)), offset_(offset), drift_(drift) {}
  virtual ~Party() = default;
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  virtual void start() = 0;
  virtual void crash() = 0;  // no goodbye
  virtual void arrive(Incoming incoming) = 0;
  virtual void elapse() = 0;
  virtual Instant deadline() const = 0;  // on its own clock

  const std::string& name() const { return name_; }
  bool up() const { return up_; }
  std::uint64_t life() const { return life_; }
  Instant local() const;  // the time on its own clock
  Instant local(Instant global) const;
  Instant global(Instant local) const;

 protected:
  World& world_;
  bool up_ = false;
  std::uint64_t life_ = 0;  // counts its starts and ends

 private:
  friend class World;
  std::string name_;
  Duration offset_;
  double drift_;  // 1 +- some millionths
  Instant paused_until_{};
  std::uint64_t alarm_ = 0;  // the one that counts
  Instant alarm_at_ = never;
  int turns_ = 0;  // alarms at one moment
  Instant turned_;
};

class World {
 public:
  World(const Profile& profile, Chance chance);

  Instant now() const { return now_; }
  bool idle() const { return due_.empty(); }
  std::uint64_t events() const { return events_; }
  void run(Instant until);  // to the end of that time

  // Does `act` after `delay` in this life of `party` (it dies with it, and waits while it is paused).
  void later(Party& party, Duration delay, std::function<void()> act);
  void later(Duration delay, std::function<void()> act);

  // The network. `endpoint` may be listened on later, or by another one later.
  void listen(const std::string& endpoint, Party& party, Door door);
  void deafen(const std::string& endpoint);
  void dial(Party& party, const Address& at, const std::string& endpoint);
  void hang_up(Party& party, const Address& at);
  void hang_up_all(Party& party);
  void send(Party& party, const Send& action);
  void rearm(Party& party);  // after each of its steps
  std::string name_of(const Party& party, const Address& at) const;  // of who is at the other end

  // Trouble.
  void pause(Party& party, Duration duration);
  void part(Party& a, Party* b, bool both, Duration duration);
  void reset_one();
  void slow_one();
  void quiet();  // heals everything, for good
  bool calm() const { return calm_; }
  void count(Trouble trouble) { ++counts_[static_cast<std::size_t>(trouble)]; }
  const std::array<std::uint64_t, troubles>& counts() const { return counts_; }
  double of(Trouble trouble) const { return calm_ ? 0 : profile_.of(trouble); }
  bool hit(Trouble trouble);

  // How old what a party has just got was; valid in arrive().
  Duration age() const { return age_; }
  std::uint64_t lost_to_nobody() const { return nobody_; }

 private:
  struct Due {
    Instant at;
    std::uint64_t order;
    Party* party;  // may be null
    std::uint64_t life;
    bool alarm;
    std::function<void()> act;
    bool operator<(const Due& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  struct Line {  // a connection
    std::uint64_t id;
    Party* dialler;
    Address at;  // as the dialler calls it
    std::string endpoint;
    std::uint64_t peer;  // as the acceptor calls it
    Codec codec;
    std::string envelope;
    std::array<Instant, 2> clear{};    // arrival of the newest message, each way: 0 is towards the acceptor
    std::array<Instant, 2> survive{};  // what was sent before the last break arrives until then
    std::uint64_t broken = 0;
  };
  struct Listener {
    Party* party;
    Door door;
  };
  struct Parting {
    Party* a;
    Party* b;  // null: everybody
    bool both;
    bool drops;  // else it is only held up
    Instant until;
  };
  struct Letter {
    std::uint64_t line;
    std::uint64_t broken;
    std::uint64_t peer;
    int way;
    Instant sent;
    Message message;
    Payload payload;
    int tries = 0;
  };

  void push(Instant at, Party* party, std::function<void()> act, bool alarm = false);
  void post(Line& line, int way, Message message, Payload payload);
  void deliver(Letter letter);
  void break_line(Line& line);
  Party* acceptor(const Line& line) const;
  Line* line_of(const Party& party, const Address& at, int& way);
  Instant held_up(const Party& from, const Party& to, bool& drops) const;
  void through_codec(Message& message, Codec codec);

  const Profile& profile_;
  Chance chance_;
  Instant now_{std::chrono::hours(1)};
  bool calm_ = false;
  std::uint64_t orders_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t last_line_ = 0;
  std::uint64_t last_peer_ = 100;
  std::uint64_t nobody_ = 0;
  Duration age_{};
  std::priority_queue<Due> due_;
  std::map<std::uint64_t, Line> lines_;
  std::map<std::string, Listener> listeners_;
  std::map<std::pair<std::string, std::pair<int, std::uint64_t>>, std::uint64_t> dialled_;  // by party, door and peer
  std::map<std::uint64_t, std::uint64_t> accepted_;                                         // by peer
  std::vector<Parting> partings_;
  std::array<std::uint64_t, troubles> counts_{};
};

}  // namespace pointsman::sim
