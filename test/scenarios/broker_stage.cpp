// The broker on the stage: `ann > message`, `ann bytes {…}`, `ann gone`, `broker shutdown`, `broker restart`.
//
// A name is one connection. It comes by the listener that takes its first message, or by the one that is
// written behind it: `ann@workers > hello`.
//
//   broker allows alice client asks=zip; bob worker     its table of keys, from then on; in the form of the file
//   ann by alice > request id=r1 service=zip            ann's connection has proved to hold alice's key
//   broker learns worker w1 tenant=lab : gpu=a; client ann   what its database says, as its lines; a name alone: nothing any more
//   broker memory resident=200 most=100                 how much memory the process has
//   broker grants for=5s                                it may grant so long, and no longer; for=forever, and not at all for=0s
//       audit refused key=alice …                       what it puts on record, with audit=yes

#include "broker/core/broker.hpp"
#include "test/lines/lines.hpp"
#include "test/scenarios/stages.hpp"

namespace pointsman::scenarios {
namespace {

void read_service(Fields& fields, const std::string& prefix, broker::ServiceSettings& service) {
  if (fields.has(prefix + "policy")) service.policy = value_of<Policy>(fields.text(prefix + "policy"));
  service.queue_max = fields.number(prefix + "queue_max", service.queue_max);
  service.offers_max = fields.number(prefix + "offers_max", service.offers_max);
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
  o.settle = fields.duration("settle", Duration{0});
  o.notice_wait = fields.duration("notice_wait", Duration{0});  // so that a story need not wait for what it tells
  o.workers_max = fields.number("workers_max", o.workers_max);
  o.services_max = fields.number("services_max", o.services_max);
  o.waiting_max = fields.number("waiting_max", o.waiting_max);
  o.sessions_max = fields.number("sessions_max", o.sessions_max);
  o.remembered_max = fields.number("remembered_max", o.remembered_max);
  o.watchers_max = fields.number("watchers_max", o.watchers_max);
  o.watchers_per_key = fields.number("watchers_per_key", o.watchers_per_key);
  o.page_bytes = fields.number("page_bytes", o.page_bytes);
  o.classes_max = fields.number("classes_max", o.classes_max);
  o.demands_max = fields.number("demands_max", o.demands_max);
  o.audit = fields.flag("audit");
  o.audit_refusals = fields.number("audit_refusals", o.audit_refusals);
  o.audit_refusals_burst = fields.number("audit_refusals_burst", o.audit_refusals_burst);
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
    if (told.verb == "allows") return run(now, broker::Allowed{allowed(told.rest)});
    if (told.verb == "learns") return run(now, broker::Learned{records(told.rest)});
    if (told.verb == "grants") {
      Fields grants(told.rest);
      const bool always = grants.text("for", "") == "forever";
      const broker::GrantUntil event{always ? never : now + grants.duration("for", Duration{0}),
                                     grants.number("revision", 0)};
      grants.done();
      return run(now, event);
    }
    if (told.verb == "memory") {
      Fields memory(told.rest);
      const broker::Memory event{memory.number("resident"), memory.number("most"), memory.number("bound")};
      memory.done();
      return run(now, event);
    }
    if (told.verb == "recalls") {
      Fields past(told.rest);
      const broker::Recalled event{{{.worker = past.text("worker", ""),
                                     .jobs = past.number("jobs"),
                                     .busy = Milliseconds(past.number("busy_ms")),
                                     .failures = past.number("failures", 0)}}};
      past.done();
      return run(now, event);
    }
    if (told.verb != "restart")
      throw ScenarioError("a broker can 'shutdown', 'restart', 'allows', 'learns', 'recalls', 'grants' and 'memory'");
    Fields fields(told.rest);
    options_.epoch = fields.number("epoch", options_.epoch + 1000);
    fields.done();
    start();
    return keys_ ? run(now, broker::Allowed{keys_}) : std::vector<std::string>{};
  }

  // `alice client asks=zip; bob worker`: lines of the file of keys, without the keys.
  std::shared_ptr<const AllowedKeys> allowed(std::string_view text) {
    std::string file;
    while (!text.empty()) {
      const auto end = std::min(text.find(';'), text.size());
      auto line = text.substr(0, end);
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      const auto name = line.substr(0, line.find(' '));
      file += std::string(name) + " " + to_z85(key_named(name)) + std::string(line.substr(name.size())) + "\n";
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    auto read = parse_allowed(file);
    if (const auto* fault = std::get_if<AllowedFault>(&read)) throw ScenarioError(fault->problem);
    keys_ = std::make_shared<const AllowedKeys>(std::get<AllowedKeys>(read).at(moment_of("2026-01-01")));
    return keys_;
  }

  // `worker w1 : gpu=a; key alice tenant=lab`: lines of a database, with names for keys.
  std::vector<broker::Known> records(std::string_view text) {
    std::vector<broker::Known> all;
    while (!text.empty()) {
      const auto end = std::min(text.find(';'), text.size());
      std::string line(text.substr(0, end));
      line.erase(0, line.find_first_not_of(' '));
      if (line.starts_with("key ")) {
        const std::string name = line.substr(4, line.find(' ', 4) - 4);
        line.replace(4, name.size(), to_z85(key_named(name)));
      }
      auto read = broker::parse_known(line);
      if (const auto* fault = std::get_if<broker::KnownFault>(&read)) throw ScenarioError(fault->problem);
      all.push_back(std::get<broker::Known>(std::move(read)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return all;
  }

  template <class M>
  void remember_client(const M& message) {
    if constexpr (requires { message.client; }) clients_.insert(message.client);
  }

  std::vector<std::string> run(Instant now, broker::Event event) {
    return step<broker::Actions>(*core_, now, std::move(event), [this](const auto& action) { return line(action); });
  }

  std::string line(const Send& send) {
    return names_.of(send.to) + " < " + masked_line(send.message, send.payload, clients_);
  }
  std::string line(const broker::Audit& record) { return "audit " + line_of(record); }

  broker::Options options_;
  std::unique_ptr<broker::Broker> core_;
  std::shared_ptr<const AllowedKeys> keys_;
  Names names_;
  std::set<std::string> clients_;
};

}  // namespace

std::unique_ptr<Stage> broker_stage(Fields& options) { return std::make_unique<BrokerStage>(options); }

}  // namespace pointsman::scenarios
