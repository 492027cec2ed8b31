// The parties of a simulation: the real cores, each with a program around it that behaves as programs do.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker.hpp"
#include "clients/core/client.hpp"
#include "test/sim/history.hpp"
#include "test/sim/story.hpp"
#include "test/sim/world.hpp"
#include "workers/core/worker.hpp"

namespace pointsman::sim {

// What all parties of one run share.
struct Stage {
  const Profile& profile;
  World& world;
  History& history;
  Story& story;
};

inline constexpr const char* clients_door = "tcp://broker:1";
inline constexpr const char* workers_door = "tcp://broker:2";

class BrokerParty final : public Party {
 public:
  BrokerParty(Stage& stage, Chance chance, Duration offset, double drift);
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  // The broker's own lists, asked for by an observer who is no part of the network.
  struct Lists {
    std::vector<WorkerRow> workers;
    std::vector<SessionRow> sessions;
    std::vector<WaitingRow> waiting;
  };
  Lists inspect();

  // What an operator asks for; the answer is not waited for.
  void order(Message message);

 private:
  void step(broker::Event event);
  Message ask(Message question);
  void watch();

  Stage& stage_;
  Chance chance_;
  std::unique_ptr<broker::Broker> core_;
};

class WorkerParty final : public Party {
 public:
  WorkerParty(Stage& stage, const WorkerPlan& plan, Chance chance, Duration offset, double drift);
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  const WorkerPlan& plan() const { return plan_; }
  const std::string& endpoint() const { return endpoint_; }
  std::size_t sessions() const { return open_.size(); }
  std::size_t held() const { return core_->sessions(); }
  std::uint64_t lease() const { return lease_; }
  void stop(bool now);

 private:
  void step(workers::Event event);
  void act(const Send& action) { stage_.world.send(*this, action); }
  void act(const workers::Enrolled& action) { lease_ = action.lease; }
  void act(const workers::Denied&) {}
  void act(const workers::Serve& action);
  void act(const workers::Abandoned& action);
  void act(const workers::SessionBegan& action);
  void act(const workers::SessionOver& action);
  void act(const workers::Reconnect& action);
  void act(const workers::Done& action);
  void answer(const workers::Serve& call, std::uint64_t part, std::uint64_t parts);
  void end(std::uint64_t session, std::uint64_t number, workers::Event event);

  Stage& stage_;
  WorkerPlan plan_;
  Chance chance_;
  std::unique_ptr<workers::WorkerCore> core_;
  std::string endpoint_;
  std::uint64_t lease_ = 0;
  Duration late_{};  // the oldest message from the broker, in this life
  std::set<std::uint64_t> open_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> running_;  // session and call
  bool done_ = false;
};

class ClientParty final : public Party {
 public:
  ClientParty(Stage& stage, const clients::ClientSettings& settings, Chance chance, Duration offset, double drift);
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  void rest() { resting_ = true; }  // begins no more sessions
  bool idle() const { return handles_.empty() && core_->idle(); }
  std::string outstanding() const;

  // One session with one call, no matter what. proved() tells that it was answered.
  void prove(const std::string& service);
  bool proved() const { return proofs_.empty(); }

  std::uint64_t answered() const { return answered_; }
  std::uint64_t acquired() const { return acquired_; }

 private:
  struct Call {
    std::string text;
    std::uint64_t next_part = 0;
    Instant due;  // on its own clock
  };
  struct Handle {
    std::string service;
    std::uint64_t reassign = 0;
    std::uint64_t calls_left = 0;
    std::uint64_t last_call = 0;
    bool acquired = false;
    bool calls_allowed = true;
    bool released = false;
    bool proof = false;
    std::map<std::uint64_t, Call> calls;
  };

  void step(clients::Event event);
  void act(const Send& action) { stage_.world.send(*this, action); }
  void act(const clients::Connect& action);
  void act(const clients::Disconnect& action);
  void act(const clients::Reconnect& action);
  void act(const clients::Acquired& action);
  void act(const clients::NotAcquired& action);
  void act(const clients::Waiting&) {}
  void act(const clients::Part& action);
  void act(const clients::CallFailed& action);
  void act(const clients::SessionEnded& action);
  void act(const clients::Answer&) { --asks_; }
  void act(const clients::News&) {}
  Handle& handle(std::uint64_t number, const char* what);
  void begin(const std::string& service, bool proof);
  void begin_soon();
  void invoke(std::uint64_t number);
  void go_on(std::uint64_t number);
  void over(std::uint64_t number);
  void check();

  Stage& stage_;
  clients::ClientSettings settings_;
  Chance chance_;
  std::unique_ptr<clients::ClientCore> core_;
  std::uint64_t last_handle_ = 0;
  std::map<std::uint64_t, Handle> handles_;
  std::set<std::string> proofs_;
  std::vector<std::uint64_t> over_;  // told in this step that they are
  std::int64_t asks_ = 0;
  bool resting_ = false;
  std::uint64_t answered_ = 0;
  std::uint64_t acquired_ = 0;
};

}  // namespace pointsman::sim
