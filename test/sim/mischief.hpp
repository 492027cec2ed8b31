// Eve: shows tickets that are not hers, forged or stale ones, and talks nonsense on every door.

#pragma once

#include <string>
#include <vector>

#include "test/sim/parties.hpp"

namespace pointsman::sim {

class Eve final : public Party {
 public:
  Eve(Stage& stage, Chance chance) : Party(stage.world, "eve", {}, 1), stage_(stage), chance_(chance) {}
  void start() override;
  void crash() override { up_ = false; }
  void arrive(Incoming) override {}
  void elapse() override {}
  Instant deadline() const override { return never; }

  void misbehave();

 private:
  void show_ticket();
  void bother_broker();

  Stage& stage_;
  Chance chance_;
  std::uint64_t links_ = 10;
};

}  // namespace pointsman::sim
