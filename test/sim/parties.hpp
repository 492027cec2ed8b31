// The parties of a simulation: the real cores, each with a program around it that behaves as programs do.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker.hpp"
#include "clients/core/client.hpp"
#include "test/sim/history.hpp"
#include "test/sim/reference.hpp"
#include "test/sim/story.hpp"
#include "test/sim/world.hpp"
#include "workers/core/worker.hpp"

namespace pointsman::sim {

class Storm;
class SupervisorParty;

// What all parties at one broker share. The profile is that of the run, but for what each broker has of its own.
struct Stage {
  const std::string broker;  // its name
  const Profile& profile;
  World& world;
  History& history;
  Story& story;
  Storm& storm;

  const std::string clients_door = "tcp://" + broker + ":1";
  const std::string workers_door = "tcp://" + broker + ":2";
};

// Who is registered with a broker, as it knows itself.
struct Holder {
  std::string name;
  bool up = false;
  std::uint64_t lease = 0;
  std::size_t held = 0;
  const std::map<std::uint64_t, std::string>* open = nullptr;  // what it has begun of these
};

class BrokerParty final : public Party {
 public:
  BrokerParty(Stage& stage, Chance chance, Duration offset, double drift);
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  Lists inspect();
  std::uint64_t counter(const std::string& name);

  // Where its sessions are not those of the workers; empty: nowhere.
  std::string difference(const std::vector<Holder>& workers);

  // Its machine slept, and its clock stood still.
  void slept(Duration time) { stage_.history.broker_slept(time); }
  const Stage& stage() const { return stage_; }

  // What an operator asks for; the answer is not waited for.
  void order(Message message);

  // It is told to stop, and does so a moment later.
  void stop();

 private:
  void step(broker::Event event, Message* answer = nullptr);
  void one(broker::Event event, Message* answer);
  void repeat(const broker::Event& event);
  Message ask(Message question);

  Stage& stage_;
  Chance chance_;
  std::unique_ptr<broker::Broker> core_;
  std::unique_ptr<Reference> reference_;
  Instant watched_;  // until then
};

class WorkerParty final : public Party {
 public:
  // `other` is empty, or tells a second process of this name from the first.
  WorkerParty(Stage& stage, const WorkerPlan& plan, Chance chance, Duration offset, double drift, std::string other = {});
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  const WorkerPlan& plan() const { return plan_; }
  const std::string& endpoint() const { return endpoint_; }
  const Stage& stage() const { return stage_; }
  Holder holder() const { return {name(), up(), lease_, up() ? held() : 0, &open_}; }
  std::size_t sessions() const { return open_.size(); }
  std::size_t held() const { return core_->sessions(); }
  const std::map<std::uint64_t, std::string>& open() const { return open_; }
  std::uint64_t lease() const { return lease_; }
  std::unique_ptr<WorkerParty> another(std::string other);  // a second process, not started
  void stop(bool now);
  void lie();
  void lie_of_sessions();
  void slept(Duration asleep) { asleep_ += asleep; }  // and does not know
  void freeze_after_beat();  // past the end of its lease, so that an answer waits for it

 private:
  void step(workers::Event event);
  void act(const Send& action);
  void act(const workers::Enrolled& action);
  void act(const workers::Denied&) {}
  void act(const workers::Serve& action);
  void act(const workers::Abandoned& action);
  void act(const workers::SessionBegan& action);
  void act(const workers::SessionOver& action);
  void act(const workers::Reconnect& action);
  void act(const workers::Departed& action);
  void act(const workers::Done& action);
  void answer(const workers::Serve& call, std::uint64_t part, std::uint64_t parts);
  void end(std::uint64_t session, std::uint64_t number, workers::Event event);
  void check();
  void check_said(const Message& message) const;
  void heard(const Message& message);
  void resize_later();
  void change_later();
  Duration skew() const;

  Stage& stage_;
  WorkerPlan plan_;
  Chance chance_;
  Chance sizes_;
  std::unique_ptr<workers::WorkerCore> core_;
  std::string endpoint_;
  std::uint64_t lease_ = 0;
  std::uint64_t held_lease_ = 0, applied_ = 0;  // as the broker said last
  Duration late_{};  // the oldest message from the broker, in this life
  Duration asleep_{};
  Duration freeze_{};       // with the next heartbeat
  std::uint64_t told_ = 0;  // assignments under this lease
  // On its own clock: when it sent its heartbeats under this lease, and until when those answered make the lease last.
  std::map<std::uint64_t, Instant> beats_;
  Duration offered_{}, term_{};  // zero: for ever
  std::optional<Instant> kept_;
  std::map<std::uint64_t, std::string> open_;  // the service of each session
  std::set<std::pair<std::uint64_t, std::uint64_t>> running_;  // session and call
  bool done_ = false;
};

class ClientParty final : public Party {
 public:
  // `at` are the brokers that it asks.
  ClientParty(std::vector<Stage*> at, const clients::ClientSettings& settings, Chance chance, Duration offset,
              double drift);
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  void rest() { resting_ = true; }  // begins no more sessions
  void spam(std::uint64_t sessions);
  bool idle() const { return handles_.empty() && core_->idle(); }
  std::string outstanding() const;

  // One session with one call, no matter what. proved() tells that it was answered.
  void prove(const std::string& service);
  bool proved() const { return proofs_.empty(); }

  std::uint64_t answered() const { return answered_; }
  std::uint64_t acquired() const { return acquired_; }

 private:
  struct Pass {
    std::uint64_t broker = 0;  // that gave it
    std::uint64_t session = 0;
    std::string endpoint;  // of the one that it leads to
    bool over = false;     // given back, or lost above
    bool lost = false;     // the latter
  };
  struct Call {
    std::string text;
    std::uint64_t next_part = 0;
    std::string by;  // who gave the first part, in which session
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
    bool extra = false;  // no other follows
    std::map<std::uint64_t, Call> calls;
    std::vector<Pass> passes;  // all that it was granted
    std::set<std::pair<std::uint64_t, std::uint64_t>>
        way;  // those by which it has what it has: broker and session
  };

  void step(clients::Event event);
  void act(const Send& action);
  void act(const clients::Connect& action);
  void act(const clients::Disconnect& action);
  void act(const clients::Reconnect& action);
  void act(const clients::ReachBroker& action);
  void act(const clients::LeaveBroker& action);
  void act(const clients::Acquired& action);
  void act(const clients::NotAcquired& action);
  void act(const clients::Waiting&) {}
  void act(const clients::Part& action);
  void act(const clients::CallFailed& action);
  void act(const clients::SessionEnded& action);
  void act(const clients::Answer&) { --asks_; }
  void act(const clients::News&) {}
  Handle& handle(std::uint64_t number, const char* what);
  void begin(const std::string& service, bool proof, bool extra = false);
  void begin_soon();
  void invoke(std::uint64_t number);
  void go_on(std::uint64_t number);
  void over(std::uint64_t number);
  void check();
  Handle* handle_of(const std::string& id);
  void note_over(const Message& message);
  void end_pass(std::uint64_t broker, std::uint64_t session);
  void check_way(const Send& action);

  Stage& stage_;  // of the first one
  std::vector<Stage*> at_;
  clients::ClientSettings settings_;
  Chance chance_;
  std::unique_ptr<clients::ClientCore> core_;
  std::uint64_t last_handle_ = 0;
  std::map<std::uint64_t, Handle> handles_;
  std::set<std::string> proofs_;
  std::vector<std::uint64_t> over_;  // told in this step that they are
  std::map<std::uint64_t, std::string> brokers_;  // where each is that it talks to
  std::uint64_t heard_from_ = 0;                  // the broker that said what it hears just now
  std::vector<std::pair<std::uint64_t, std::uint64_t>> let_go_;  // sessions released at brokers in this step
  std::int64_t asks_ = 0;
  bool resting_ = false;
  std::uint64_t answered_ = 0;
  std::uint64_t acquired_ = 0;
};

}  // namespace pointsman::sim
