// Eve: shows tickets that are not hers, forged or stale ones, and talks nonsense on every door.

#pragma once

#include <string>
#include <vector>

#include "test/sim/parties.hpp"

namespace pointsman::sim {

class Eve final : public Party {
 public:
  Eve(Stage& stage, Chance chance) : Party(stage.world, Role::stranger, "eve", {}, 1), stage_(stage), chance_(chance) {}
  void start() override;
  void crash() override { up_ = false; }
  void arrive(Incoming incoming) override;
  void elapse() override {}
  Instant deadline() const override { return never; }

  void show_ticket(bool forged);
  void reuse_ticket(const std::string& worker);  // of this one; empty: of any
  void talk_nonsense();

 private:
  Stage& stage_;
  Chance chance_;
  std::uint64_t links_ = 10;
};

}  // namespace pointsman::sim
