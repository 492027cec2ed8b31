// The supervisor in a simulation: the real core, which starts broker and workers and starts them again.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "broker/supervisor/core/supervisor.hpp"
#include "test/sim/parties.hpp"

namespace pointsman::sim {

struct Cast;

class SupervisorParty final : public Party {
 public:
  SupervisorParty(Stage& stage, Cast& cast, Chance chance, Duration offset, double drift);
  void start() override;
  void crash() override;  // everything that it has started dies with it
  void arrive(Incoming incoming) override;
  void elapse() override { step(Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

  // A process that it has started has ended; it may have been told before.
  void ended(const Party& party, int code, int signal);

 private:
  struct Life {
    supervisor::Run run = 0;
    bool running = false;
    Instant ticked = never;
    std::deque<Instant> starts;  // of late
  };

  void step(supervisor::Event event);
  void act(const Send& action) { world_.send(*this, action); }
  void act(const supervisor::Start& action);
  void act(const supervisor::Signal& action);
  void act(const supervisor::KillTree& action);
  void act(const supervisor::Reconnect& action);
  template <class Action>
  void act(const Action&) {}  // what people read
  void launched(const std::string& name, supervisor::Run run);
  void tick(const std::string& name, supervisor::Run run);
  void dies(const std::string& name, int signal);
  Party* party_of(const std::string& name) const;
  const std::string* name_of_run(supervisor::Run run) const;
  void check();

  Stage& stage_;
  Cast& cast_;
  Chance chance_;
  supervisor::Options options_;
  std::unique_ptr<supervisor::Supervisor> core_;
  std::map<std::string, Life> lives_;
  Duration late_{};   // by how much its own turns came too late, in all
};

}  // namespace pointsman::sim
