// The storm: makes trouble, as often as the profile says, and brings those back who died.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "test/sim/mischief.hpp"
#include "test/sim/parties.hpp"
#include "test/sim/supervisor_party.hpp"
#include "test/sim/uplink_party.hpp"

namespace pointsman::sim {

// Who takes part.
struct Cast {
  std::unique_ptr<SupervisorParty> supervisor;  // if there is one, it starts the broker and the workers
  std::vector<std::unique_ptr<BrokerParty>> brokers;
  std::vector<std::unique_ptr<WorkerParty>> workers;
  std::vector<std::unique_ptr<WorkerParty>> twins;  // second processes; gone when it is calm
  std::vector<std::unique_ptr<ClientParty>> clients;
  std::unique_ptr<Eve> eve;
  std::vector<std::unique_ptr<UplinkParty>> uplinks;

  BrokerParty& broker() const { return *brokers.front(); }  // the only one without tiers
  BrokerParty& broker_of(const WorkerParty& worker) const;
  std::vector<Party*> everybody() const;  // without twins
  bool supervised(const Party& party) const;
};

class Storm {
 public:
  Storm(World& world, const Profile& profile, Cast& cast, Chance chance)
      : world_(world), profile_(profile), cast_(cast), chance_(chance) {}

  void begin();

  // The process dies now, and comes back some time later, or when its supervisor says so.
  void dies(Party& party, int code = 1);

 private:
  void every(Trouble trouble, std::function<void()> act);
  void network();
  void processes();
  void actors();
  void tiers();
  void part(bool both);
  void clog();
  void flap();
  void blackout();
  void edge();
  void loop();
  void twin();
  void operate();
  void cut_tier();
  BrokerParty& some_broker();
  WorkerParty& some_worker() { return *cast_.workers[chance_.below(cast_.workers.size())]; }
  ClientParty& some_client() { return *cast_.clients[chance_.below(cast_.clients.size())]; }
  Party& somebody();
  bool awake(const Party& party) const { return party.up() && !world_.paused(party); }

  World& world_;
  const Profile& profile_;
  Cast& cast_;
  Chance chance_;
};

}  // namespace pointsman::sim
