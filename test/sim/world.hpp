// The world of a simulation: virtual time, and processes with clocks of their own that live, die and stand still.
//
// The network is its other half (network.cpp): a connection is dialled by one party and accepted by another, as with
// ZeroMQ: the dialler never notices that it broke, the acceptor sees a new handle each time. Messages keep their order
// on a connection, and a break loses a suffix of them, unless the seed's network is a hostile one.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"
#include "test/sim/chance.hpp"
#include "test/sim/invariants.hpp"
#include "test/sim/profile.hpp"

namespace pointsman::sim {

using Incoming = std::variant<Received, Garbled, Gone>;

class World;

enum class Role : std::uint8_t { broker, worker, client, stranger, uplink };

// A process: it lives, dies, comes back, and can be stopped for a while.
class Party {
 public:
  Party(World& world, Role role, std::string name, Duration offset, double drift);
  virtual ~Party() = default;
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  virtual void start() = 0;
  virtual void crash() = 0;  // no goodbye
  virtual void arrive(Incoming incoming) = 0;
  virtual void elapse() = 0;
  virtual Instant deadline() const = 0;  // on its own clock

  Role role() const { return role_; }
  const std::string& name() const { return name_; }
  bool up() const { return up_; }
  std::uint64_t life() const { return life_; }
  Instant local() const;  // the time on its own clock
  Instant local(Instant global) const;
  Instant global(Instant local) const;

  // In its next step that says something it dies after a part of it.
  void cut() { cut_ = true; }
  // True if it dies now, before its action `index` of `count`; asked for each.
  bool cut_here(std::size_t index, std::size_t count);

 protected:
  World& world_;
  bool up_ = false;
  std::uint64_t life_ = 0;  // counts its starts and ends

  // Whether to check everything after this step: the expensive checks are made after every one of some seeds and a
  // sample of others.
  bool check_now();

 private:
  friend class World;
  Role role_;
  std::string name_;
  Duration offset_;
  double drift_;  // 1 +- some millionths
  Duration grain_{0};  // its timers come at multiples of this; 0: at any time
  Instant paused_until_{};
  Instant asleep_until_{};  // its clock stands still, too
  Instant slow_until_{};
  Duration turn_{0};  // each turn takes so long, until then
  bool cut_ = false;
  std::uint64_t steps_ = 0;
  std::uint64_t alarm_ = 0;  // the one that counts
  Instant alarm_at_ = never;
  int turns_ = 0;  // alarms at one moment
  Instant turned_;
  std::map<std::pair<Door, std::uint64_t>, std::uint64_t> dialled_;  // connections, by what it calls them
};

// Turns of all parties since this process began: whoever watches from a signal handler sees whether time goes on.
std::uint64_t turns_taken();

class World {
 public:
  World(const Profile& profile, Chance chance, const Cut& cut);

  Instant now() const { return now_; }
  std::uint64_t events() const { return events_; }
  void run(Instant until);  // to the end of that time

  // Does `act` after `delay` in this life of `party` (it dies with it, and waits while it is paused).
  void later(Party& party, Duration delay, std::function<void()> act);
  void later(Duration delay, std::function<void()> act);
  void rearm(Party& party);  // after each of its steps

  // The network. `endpoint` may be listened on later, or by another one later.
  void listen(const std::string& endpoint, Party& party, Door door);
  void deafen(const std::string& endpoint);
  void dial(Party& party, const Address& at, const std::string& endpoint);
  void hang_up(Party& party, const Address& at);
  void hang_up_all(Party& party);
  void send(Party& party, const Send& action);
  std::string name_of(const Party& party, const Address& at) const;  // of who is at the other end

  // Trouble of processes.
  void pause(Party& party, Duration duration);
  void suspend(Party& party, Duration duration);  // its clock stands still, too
  void jump(Party& party, Duration ahead);
  void slow(Party& party, Duration turn, Duration duration);
  void coarse(Party& party, Duration grain) { party.grain_ = grain; }
  bool paused(const Party& party) const { return party.paused_until_ > now_; }

  // Trouble of the network. It begins after `delay`.
  void part(Party& a, Party* b, bool both, Duration delay, Duration duration);
  void bridge(Duration duration);
  void hold(Party& party, const Address& at, Instant until);  // what it sends arrives then
  void reset_one();
  void reset_all();
  void half_open_one();
  void burst_one();
  void slow_one();
  void echo_one();
  std::uint64_t copies(const std::string& call) const;  // of a call that the network made

  void quiet();  // heals everything and wakes everybody, for good
  bool calm() const { return calm_; }
  const Profile& profile() const { return profile_; }

  // Whether trouble strikes: by its likelihood, or (strike) because its time has come. Counts it.
  bool hit(Trouble trouble);
  bool strike(Trouble trouble);
  bool session();  // whether a client may begin one: they are counted as trouble is
  const std::array<std::uint64_t, troubles>& counts() const { return counts_; }
  const std::array<std::uint64_t, troubles + 1>& asked() const { return asked_; }

  // How old what a party has just got was; valid in arrive().
  Duration age() const { return age_; }

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
  struct Letter {
    std::uint64_t line;
    std::uint64_t broken;
    std::uint64_t peer;
    int way;
    Instant sent;
    std::variant<Message, Fault> body;
    Payload payload;
    Instant until{};  // waits until then for somebody who listens
  };
  struct Line {  // a connection
    std::uint64_t id;
    Party* dialler;
    Address at;  // as the dialler calls it
    std::string endpoint;
    std::uint64_t peer;  // as the acceptor calls it
    Codec codec;
    std::string envelope;
    Chance chance;
    std::array<Instant, 2> clear{};    // arrival of the newest message, each way: 0 is towards the acceptor
    std::array<Instant, 2> survive{};  // what was sent before the last break arrives until then
    Instant dark{};                    // swallows everything until then
    std::uint64_t broken = 0;
    std::deque<Letter> queue;          // towards an acceptor that is not there
    std::deque<Letter> said;           // the last ones, for echoes
  };
  struct Listener {
    Party* party;
    Door door;
  };
  struct Parting {
    Party* a;  // null: clients and workers are parted
    Party* b;  // null: everybody
    bool both;
    bool drops;  // else it is only held up
    Instant from;
    Instant until;
  };
  void push(Instant at, Party* party, std::function<void()> act, bool alarm = false);
  void turn(Party* party, const std::function<void()>& act);
  bool allowed(std::size_t kind);
  void post(Line& line, int way, Message message, Payload payload);
  void keep(Line& line, const Letter& letter);
  void note_copy(const Message& message, const Payload& payload);
  void deliver(Letter letter);
  void flush(std::uint64_t id);
  void hand_over(Line& line, Letter letter, Party& to);
  void wake_all();
  void break_line(Line& line);
  void break_between(const Party& a, const Party* b);  // null: everybody
  void darken(Line& line, Duration duration);
  void tell_gone(Line& line, std::uint64_t peer, Duration mean);
  Line* some_line();
  Party* acceptor(const Line& line) const;
  const Line* line_of(const Party& party, const Address& at, int& way) const;
  Instant held_up(const Party& from, const Party& to, bool& drops) const;
  std::variant<Message, Fault> garbled(const Message& message, Line& line);

  friend class Party;
  const Profile& profile_;
  const Cut& cut_;
  std::vector<Party*> parties_;
  std::vector<Chance> chances_;  // a kind of trouble each, so that leaving one out changes the others little
  Chance chance_;
  Instant now_{std::chrono::hours(1)};
  bool calm_ = false;
  std::uint64_t orders_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t last_line_ = 0;
  std::uint64_t last_peer_ = 100;
  Duration age_{};
  std::vector<Due> due_;  // a heap
  std::map<std::uint64_t, Line> lines_;
  std::map<std::string, Listener> listeners_;
  std::map<std::uint64_t, std::uint64_t> accepted_;  // lines, by peer
  std::vector<Parting> partings_;
  std::map<std::string, std::uint64_t> copies_;
  std::array<std::uint64_t, troubles> counts_{};
  std::array<std::uint64_t, troubles + 1> asked_{};  // counts_ and what was left out; then sessions
};

}  // namespace pointsman::sim
