// A town: virtual time, real broker cores in it, and small parties that ask, work and answer. What is said is heard at the same
// moment, in order: whoever waits here waits for a slot and for nothing else.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/broker.hpp"

namespace pointsman::figures {

class Town {
 public:
  Instant now() const { return now_; }
  void at(Instant when,
          std::function<void()> act);  // those of one moment in the order in which this was said
  void after(Duration delay, std::function<void()> act) { at(now_ + delay, std::move(act)); }
  void run(Duration time);

 private:
  struct Due {
    Instant at;
    std::uint64_t order;
    std::function<void()> act;
    bool operator<(const Due& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  std::vector<Due> due_;  // a heap
  std::uint64_t orders_ = 0;
  Instant now_{std::chrono::hours(1)};
};

// Rings when a core's deadline has come. Not to be moved.
class Alarm {
 public:
  Alarm(Town& town, std::function<void()> ring) : town_(town), ring_(std::move(ring)) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  void set(Instant deadline);

 private:
  Town& town_;
  std::function<void()> ring_;
  Instant set_ = never;
};

// A broker core, and those who are connected to it.
class Hall {
 public:
  using Ear = std::function<void(const Message&)>;

  Hall(Town& town, broker::Options options);

  Town& town() { return town_; }
  std::uint64_t connect(Ear ear);
  void say(Door door, std::uint64_t peer, Message message);

 private:
  void step(const broker::Event& event);

  Town& town_;
  broker::Broker broker_;
  broker::Actions actions_;
  std::vector<Ear> ears_;  // by peer
  Alarm alarm_;
};

// Workers of one service. They hold their leases for ever, and report each session when it begins and when it ends.
class Crew {
 public:
  Crew(Hall& hall, std::string service);

  void join(const std::string& name, std::uint64_t slots);
  void serve(const Granted& granted, Duration work, std::function<void()> done);

 private:
  struct Worker {
    std::uint64_t lease = 0;
    std::uint64_t reported = 0;
    std::uint64_t completed = 0;
    Duration busy{0};
  };
  void report(Worker& worker, SessionEvent event);

  Hall& hall_;
  const std::string service_;
  const std::uint64_t peer_;
  std::unordered_map<std::string, Worker> workers_;
};

// Clients, on one connection.
class Clients {
 public:
  using Answered = std::function<void(const Granted*)>;  // none: refused

  explicit Clients(Hall& hall);

  void ask(const std::string& id, const std::string& service, Milliseconds wait, Answered answered);
  void release(const Granted& granted);

 private:
  void hear(const Message& message);

  Hall& hall_;
  const std::uint64_t peer_;
  std::unordered_map<std::string, Answered> waiting_;
};

}  // namespace pointsman::figures
