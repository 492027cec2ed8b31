// An uplink in the town: the real cores that make a broker a worker of others, wired as the program wires them
// (clients/program/uplink/uplink.cpp), with nothing going wrong.

#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "clients/program/uplink/core/look.hpp"
#include "clients/program/uplink/core/registrations.hpp"
#include "test/figures/town.hpp"
#include "workers/core/worker.hpp"

namespace pointsman::figures {

class Uplink {
 public:
  Uplink(Hall& below, const std::vector<Hall*>& above, const std::string& name, Duration every);

 private:
  // A registration with a broker above.
  struct Member {
    Member(Hall& hall, workers::WorkerSettings settings);
    void step(const workers::Event& event);

    Hall& above;
    const std::string name;
    workers::WorkerCore core;
    workers::Actions actions;
    std::uint64_t peer = 0;
    Alarm alarm;
  };
  struct Above {
    Hall& hall;
    uplink::Registrations registrations;
    std::list<Member> members;
  };

  void hear(const Message& answer);
  void join(Above& above, const uplink::Join& join);
  static Member& member_of(Above& above, const std::string& name);

  Hall& below_;
  const std::string name_;
  const std::uint64_t peer_;
  uplink::Look look_;
  Alarm alarm_;
  std::list<Above> above_;
};

}  // namespace pointsman::figures
