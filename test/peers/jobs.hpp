// One tiny job to a worker and back, through whatever a user would pick instead: what all of them share.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "test/peers/load.hpp"

namespace pointsman::peers {

inline const std::string job_payload(64, 'j');

class Jobs;

// A client or a worker of a server.
class Party {
 public:
  virtual ~Party() = default;
  bool usable = false;
  bool busy = false;  // a client that waits for its job
  // Of a client: sends a job.
  virtual void ask() {}
};

// One that is a plain connection.
class LinkParty : public Party, public Link {
 public:
  using Link::Link;
};

// A server that brings jobs to workers, and how to speak to it. Each is in a file of its own.
class Rival {
 public:
  virtual ~Rival() = default;
  virtual std::string name() const = 0;
  virtual std::string package() const = 0;  // Debian's
  virtual std::string program() const = 0;
  // Starts it on that port of the loopback and waits until it listens.
  virtual void start(Server& server, std::uint16_t port) = 0;
  virtual std::unique_ptr<Party> client(Jobs& jobs, unsigned number, std::uint16_t port) = 0;
  virtual std::unique_ptr<Party> worker(Jobs& jobs, unsigned number, std::uint16_t port) = 0;
  // What a client sends to have a job wait while there is no worker; empty: it cannot.
  virtual std::string waiting_job() { return {}; }
  // Whether workers stay connected while they are idle, and it can be run without clients.
  virtual bool weighable() const { return true; }
  // Whether it takes seconds to start, so that one has to do for all rounds.
  virtual bool slow() const { return false; }
};

std::vector<std::shared_ptr<Rival>> all_rivals();
std::shared_ptr<Rival> gearmand();
std::shared_ptr<Rival> nats();
std::shared_ptr<Rival> beanstalkd(bool with_result);
std::shared_ptr<Rival> redis();
std::shared_ptr<Rival> rabbitmq();
std::shared_ptr<Rival> haproxy();
std::shared_ptr<Rival> majordomo();

// Its clients and workers under load.
class Jobs : public Driver {
 public:
  Jobs(Rival& rival, const Load& load, std::uint16_t port);

  // Waits until all are there.
  void gather();

  // Memory, in bytes: of each worker once all are there; of each of so many jobs that the first client sends.
  double idle(const Server& server);
  double flood(const Server& server, const std::string& job, unsigned count);

  // A worker has done a job.
  void served() { ++served_; }
  // A client's job is done: the next one follows.
  void answered(Party& client, std::uint64_t began);
  // Before a client asks.
  std::uint64_t asks(Party& client);

 protected:
  bool connected() override;
  void begin() override;
  bool settled() override;
  void prove() override;

 private:
  Rival& rival_;
  const Load load_;
  const std::uint16_t port_;
  std::vector<std::unique_ptr<Party>> clients_, workers_;
  std::uint64_t asked_ = 0, served_ = 0, answered_ = 0;
};

// A job through it; starts it for that, unless it is slow and runs already.
Figure run_jobs(Rival& rival, const Load& load);
// Ends those that were left running.
void stop_rivals();

}  // namespace pointsman::peers
