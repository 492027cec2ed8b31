// An uplink in a simulation: the real cores of what registers a broker with those above it, wired as the program wires them
// (clients/program/uplink/uplink.cpp).

#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clients/program/uplink/core/look.hpp"
#include "clients/program/uplink/core/registrations.hpp"
#include "test/sim/parties.hpp"

namespace pointsman::sim {

class UplinkParty final : public Party {
 public:
  UplinkParty(Stage& below, std::vector<Stage*> above, const UplinkPlan& plan, std::string name,
              Chance chance, Duration offset, double drift);
  void start() override;
  void crash() override;
  void arrive(Incoming incoming) override;
  void elapse() override;
  Instant deadline() const override;

  // What it holds at a broker above.
  std::vector<Holder> holders(const Stage& at) const;

  const Stage& below() const { return below_; }
  const std::vector<Stage*>& at() const { return at_; }
  Duration every() const { return plan_.every; }

 private:
  // A registration. Its connection is the party's under `peer`; its core knows it as number 0.
  struct Member {
    std::string name;
    std::uint64_t peer = 0;
    std::unique_ptr<workers::WorkerCore> core;
    std::uint64_t lease = 0;
    std::map<std::uint64_t, std::string> open;
    bool leaving = false;
    std::optional<workers::Done> done;
  };
  struct Above {
    Stage& stage;
    std::string instance;
    uplink::Registrations registrations;
    std::list<Member> members;
  };

  void ask(Message question);
  void hear(const Message& answer);
  void apply(const uplink::Census& census);
  void join(Above& above, const uplink::Join& join);
  void tend();

  void step(clients::Event event);
  void act(const Send& action) { world_.send(*this, action); }
  void act(const clients::Reconnect&);
  void act(const clients::Answer& action) { hear(action.message); }
  template <class Action>
  void act(const Action&) {}  // it has no sessions

  void step(Above& above, Member& member, workers::Event event);
  void act(Above&, Member&, const Send& action) { world_.send(*this, action); }
  void act(Above& above, Member& member, const workers::Enrolled& action);
  void act(Above& above, Member& member, const workers::SessionBegan& action);
  void act(Above& above, Member& member, const workers::SessionOver& action);
  void act(Above& above, Member& member, const workers::Reconnect& action);
  void act(Above& above, Member& member, const workers::Done& action);
  void act(Above& above, Member& member, const workers::Serve& action);
  template <class Action>
  void act(Above&, Member&, const Action&) {}

  Stage& below_;
  std::vector<Stage*> at_;
  const UplinkPlan& plan_;
  Chance chance_;
  std::unique_ptr<clients::ClientCore> core_;
  std::unique_ptr<uplink::Look> look_;
  std::list<Above> above_;
  std::uint64_t questions_ = 0;
  std::uint64_t last_peer_ = 0;
};

}  // namespace pointsman::sim
