// The closed loop over any server of jobs.
#include "test/peers/jobs.hpp"

#include <algorithm>
#include <map>

namespace pointsman::peers {
namespace {

struct Running {
  Server server;
  std::uint16_t port = free_port();
};

std::map<std::string, std::unique_ptr<Running>>& left_running() {
  static std::map<std::string, std::unique_ptr<Running>> all;
  return all;
}

}  // namespace

std::vector<std::shared_ptr<Rival>> all_rivals() {
  return {gearmand(), nats(),     beanstalkd(false), beanstalkd(true),
          redis(),    rabbitmq(), haproxy(),         majordomo()};
}

Jobs::Jobs(Rival& rival, const Load& load, std::uint16_t port) : rival_(rival), load_(load), port_(port) {}

void Jobs::gather() {
  for (unsigned i = 0; i < load_.workers; ++i) workers_.push_back(rival_.worker(*this, i, port_));
  for (unsigned i = 0; i < load_.clients; ++i) clients_.push_back(rival_.client(*this, i, port_));
  if (!loop().run(20, [this] { return connected(); })) throw Broken("not everybody could connect in time");
}

double Jobs::idle(const Server& server) {
  const double before = server.settled_memory(loop());
  gather();
  return (server.settled_memory(loop()) - before) / load_.workers;
}

double Jobs::flood(const Server& server, const std::string& job, unsigned count) {
  gather();
  const double before = server.settled_memory(loop());
  auto& link = dynamic_cast<Link&>(*clients_.at(0));
  for (unsigned i = 0; i < count; ++i) link.put(job);
  if (!loop().run(20, [&] { return link.unsent() == 0; })) throw Broken("the server does not take the jobs");
  return (server.settled_memory(loop()) - before) / count;
}

std::uint64_t Jobs::asks(Party& client) {
  client.busy = true;
  ++asked_;
  return nanoseconds();
}

void Jobs::answered(Party& client, std::uint64_t began) {
  ++answered_;
  done(began);
  client.busy = false;
  if (going_on()) client.ask();
}

bool Jobs::connected() {
  const auto usable = [](const auto& party) { return party->usable; };
  return std::all_of(workers_.begin(), workers_.end(), usable) &&
         std::all_of(clients_.begin(), clients_.end(), usable);
}

void Jobs::begin() {
  for (const auto& client : clients_) client->ask();
}

bool Jobs::settled() {
  return std::none_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->busy; });
}

void Jobs::prove() {
  if (asked_ != served_ || asked_ != answered_) {
    throw Broken("counts differ: " + std::to_string(asked_) + " jobs asked for, " + std::to_string(served_) +
                 " served, " + std::to_string(answered_) + " answered");
  }
}

Figure run_jobs(Rival& rival, const Load& load) {
  std::unique_ptr<Running> own;
  Running* running = nullptr;
  if (rival.slow() && left_running().contains(rival.name())) {
    running = left_running()[rival.name()].get();
  } else {
    own = std::make_unique<Running>();
    running = own.get();
    rival.start(own->server, own->port);
    if (rival.slow()) left_running()[rival.name()] = std::move(own);
  }
  Jobs jobs(rival, load, running->port);
  jobs.gather();
  return jobs.measure(load, running->server);
}

void stop_rivals() { left_running().clear(); }

}  // namespace pointsman::peers
