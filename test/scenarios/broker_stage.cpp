// The broker on the stage: `ann > message`, `ann bytes {…}`, `ann gone`, `broker shutdown`, `broker restart`.
//
// A name is one connection. It comes by the listener that takes its first message, or by the one that is
// written behind it: `ann@workers > hello`.

#include "broker/core/broker.hpp"
#include "test/scenarios/stages.hpp"

namespace pointsman::scenarios {
namespace {

void read_service(Fields& fields, const std::string& prefix, broker::ServiceSettings& service) {
  if (fields.has(prefix + "policy")) service.policy = value_of<Policy>(fields.text(prefix + "policy"));
  service.queue_max = fields.number(prefix + "queue_max", service.queue_max);
  service.slow_start = fields.duration(prefix + "slow_start", service.slow_start);
  service.aging = fields.duration(prefix + "aging", service.aging);
  service.hang = fields.duration(prefix + "hang", service.hang);
}

broker::Options options_of(Fields& fields) {
  broker::Options o;
  o.master = master();
  o.epoch = fields.number("epoch", o.epoch);
  o.seed = fields.number("seed", o.seed);
  o.lease = fields.duration("lease", o.lease);
  o.lease_min = fields.duration("lease_min", o.lease_min);
  o.lease_max = fields.duration("lease_max", o.lease_max);
  o.lease_forever = fields.text("lease_forever", "yes") != "no";
  o.heartbeats = fields.number("heartbeats", o.heartbeats);
  o.stall = fields.duration("stall", o.stall);
  o.probe = fields.duration("probe", o.probe);
  o.ticket_ttl = fields.duration("ticket_ttl", o.ticket_ttl);
  o.session_term = fields.duration("session_term", o.session_term);
  o.remember = fields.duration("remember", o.remember);
  o.watch_term = fields.duration("watch_term", o.watch_term);
  o.workers_max = fields.number("workers_max", o.workers_max);
  o.services_max = fields.number("services_max", o.services_max);
  o.waiting_max = fields.number("waiting_max", o.waiting_max);
  o.sessions_max = fields.number("sessions_max", o.sessions_max);
  o.remembered_max = fields.number("remembered_max", o.remembered_max);
  o.watchers_max = fields.number("watchers_max", o.watchers_max);
  read_service(fields, "", o.service);
  for (const auto& key : fields.keys_under("service.")) {
    const auto name = key.substr(0, key.find('.'));
    read_service(fields, "service." + name + ".", o.services.try_emplace(name, o.service).first->second);
  }
  return o;
}

bool is_from_worker(std::string_view op) {
  for (const auto known : {Register::op, Heartbeat::op, Report::op, Holding::op, Leave::op})
    if (op == known) return true;
  return false;
}

class BrokerStage final : public Stage {
 public:
  explicit BrokerStage(Fields& fields) : options_(options_of(fields)) { start(); }

  std::vector<std::string> tell(Instant now, const Told& told) override {
    if (told.who == "broker") return control(now, told);
    const auto at = told.who.find('@');
    const auto name = told.who.substr(0, at);
    const auto op = told.rest.substr(0, told.rest.find(' '));
    auto door = is_from_worker(op) ? Door::workers : Door::clients;
    if (at != std::string::npos) door = told.who.substr(at) == "@workers" ? Door::workers : Door::clients;
    const auto& from = names_.meet(name, door);
    const auto key = names_.key(name, told.key);
    if (told.verb == ">") {
      auto event = event_of_message<broker::Event>(from, told.rest, key);
      std::visit([this](const auto& m) { remember_client(m); }, std::get<Received>(event).message);
      return run(now, std::move(event));
    }
    if (told.verb == "bytes") return run(now, event_of_bytes<broker::Event>(from, told.rest, key));
    if (told.verb == "gone") return run(now, Gone{from.door, from.peer});
    throw ScenarioError("a peer can '>', 'bytes' or be 'gone', not '" + told.verb + "'");
  }

  std::vector<std::string> elapse(Instant now) override { return run(now, Elapsed{}); }
  Instant deadline() const override { return core_->deadline(); }

 private:
  void start() { core_ = std::make_unique<broker::Broker>(options_); }

  std::vector<std::string> control(Instant now, const Told& told) {
    if (told.verb == "shutdown") return run(now, broker::Shutdown{});
    if (told.verb != "restart") throw ScenarioError("a broker can 'shutdown' or 'restart'");
    Fields fields(told.rest);
    options_.epoch = fields.number("epoch", options_.epoch + 1000);
    fields.done();
    start();
    return {};
  }

  template <class M>
  void remember_client(const M& message) {
    if constexpr (requires { message.client; }) clients_.insert(message.client);
  }

  std::vector<std::string> run(Instant now, broker::Event event) {
    return step<broker::Actions>(*core_, now, std::move(event), [this](const Send& send) {
      return names_.of(send.to) + " < " + masked_line(send.message, send.payload, clients_);
    });
  }

  broker::Options options_;
  std::unique_ptr<broker::Broker> core_;
  Names names_;
  std::set<std::string> clients_;
};

}  // namespace

std::unique_ptr<Stage> broker_stage(Fields& options) { return std::make_unique<BrokerStage>(options); }

}  // namespace pointsman::scenarios
