// A supervisor on the stage. Its groups are options, in the order of their names; what its processes do:
//
//   supervisor broker zip.service=zip zip.min=0 zip.max=2 zip.idle=30s stop=10s
//   process > started run=1 pid=100           also start-failed, exited, noticed, measured; shutdown
//       process < start run=2 process=zip
//   broker > listing of=services services=[{service=zip waiting=1}]
//   ann > ps                                  and any other message of people and programs

#include <set>

#include "broker/supervisor/core/supervisor.hpp"
#include "test/lines/lines.hpp"
#include "test/scenarios/stages.hpp"

namespace pointsman::scenarios {
namespace {

using namespace supervisor;

Group group_of(Fields& fields, const std::string& name) {
  const auto key = [&](const char* word) { return name + "." + word; };
  Group group{.name = name, .kind = ProcessKind::program, .service = fields.text(key("service"))};
  if (!group.service.empty()) group.kind = ProcessKind::worker;
  group.min = fields.number(key("min"), group.min);
  group.max = fields.number(key("max"), std::max<std::uint64_t>(1, group.min));
  group.idle = fields.duration(key("idle"), group.idle);
  group.notifies = fields.text(key("notifies"), "yes") != "no";
  group.ready = fields.duration(key("ready"), group.ready);
  group.watchdog = fields.duration(key("watchdog"), group.watchdog);
  group.drain = fields.duration(key("drain"), group.drain);
  return group;
}

Options options_of(Fields& fields) {
  Options options;
  options.seed = fields.number("seed", options.seed);
  options.stop = fields.duration("stop", options.stop);
  if (fields.flag("broker")) options.groups.push_back({.name = "broker", .kind = ProcessKind::broker});
  std::set<std::string> names;
  for (const auto& key : fields.keys_under("")) {
    if (const auto dot = key.find('.'); dot != std::string::npos) names.insert(key.substr(0, dot));
  }
  for (const auto& name : names) options.groups.push_back(group_of(fields, name));
  return options;
}

Event event_of_process(std::string_view rest) {
  const auto end = std::min(rest.find(' '), rest.size());
  const auto verb = rest.substr(0, end);
  Fields fields(rest.substr(end));
  const auto run = fields.number("run");
  const auto event = [&]() -> Event {
    if (verb == "started") return Started{run, fields.number("pid", 100 + run)};
    if (verb == "start-failed")
      return StartFailed{run, static_cast<int>(fields.number("code", 125)), fields.text("reason")};
    if (verb == "exited")
      return Exited{run, static_cast<int>(fields.number("code")), static_cast<int>(fields.number("signal"))};
    if (verb == "noticed")
      return Noticed{run, fields.flag("ready"), fields.flag("alive"), fields.flag("stopping"),
                     fields.text("status"), fields.text("worker"), fields.text("instance")};
    if (verb == "measured") return Measured{run, fields.number("bytes")};
    if (verb == "shutdown") return Shutdown{};
    throw ScenarioError("a process can be started, start-failed, exited, noticed or measured; or shutdown");
  }();
  fields.done();
  return event;
}

class SupervisorStage final : public Stage {
 public:
  explicit SupervisorStage(Fields& fields) : core_(options_of(fields)) {}

  std::vector<std::string> tell(Instant now, const Told& told) override {
    if (told.who == "process") return run(now, event_of_process(told.rest));
    const auto& from = told.who == "broker" ? broker_ : names_.meet(told.who, Door::supervisor);
    if (told.verb == ">") return run(now, event_of_message<Event>(from, told.rest));
    if (told.verb == "bytes") return run(now, event_of_bytes<Event>(from, told.rest));
    if (told.verb == "gone") return run(now, Gone{from.door, from.peer});
    throw ScenarioError("a peer can '>', 'bytes' or be 'gone', not '" + told.verb + "'");
  }

  std::vector<std::string> elapse(Instant now) override { return run(now, Elapsed{}); }
  Instant deadline() const override { return core_.deadline(); }

 private:
  std::vector<std::string> run(Instant now, Event event) {
    return step<Actions>(core_, now, std::move(event), [this](const auto& action) { return line(action); });
  }

  std::string line(const Send& send) {
    const auto name = send.to.door == Door::broker ? "broker" : names_.of(send.to);
    return name + " < " + masked_line(send.message, send.payload);
  }
  template <class Action>
  std::string line(const Action& action) {
    return "process < " + line_of(action);
  }

  Supervisor core_;
  Address broker_{Door::broker, Codec::msgpack, 0, {}};
  Names names_;
};

}  // namespace

std::unique_ptr<Stage> supervisor_stage(Fields& options) { return std::make_unique<SupervisorStage>(options); }

}  // namespace pointsman::scenarios
