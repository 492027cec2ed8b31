// A worker on the stage. What its program is told and says:
//
//   broker > registered worker=w1 lease=2 …                  messages, from `broker` or any client; also bytes, gone
//   ann > open ticket=<session=9 lease=2 client=ann service=zip>
//       program < session-began session=9 service=zip client=ann
//       program < serve session=9 number=1 …
//   program > answered session=9 number=1 | "text"           also failed, progressed, quiesce, resize, move, stop

#include "test/lines/lines.hpp"
#include "test/scenarios/stages.hpp"
#include "workers/core/worker.hpp"

namespace pointsman::scenarios {
namespace {

using namespace workers;

WorkerSettings settings_of(Fields& fields) {
  WorkerSettings s;
  s.name = fields.text("name", "w1");
  s.instance = fields.text("instance", "i1");
  s.slots = fields.number("slots", s.slots);
  s.endpoint = fields.text("endpoint", "tcp://w1");
  if (fields.has("direct")) s.direct = value_of<Direct>(fields.text("direct"));
  s.lease = fields.milliseconds("lease");
  s.seed = fields.number("seed", s.seed);
  s.patience = fields.duration("patience", s.patience);
  s.move = fields.duration("move", s.move);
  s.term = fields.duration("term", s.term);
  s.report_wait = fields.duration("report_wait", Duration{0});
  s.calls_max = fields.number("calls_max", s.calls_max);
  s.used_max = fields.number("used_max", s.used_max);
  s.offers = {{.service = fields.text("service", "zip"), .slots = fields.number("service_slots")}};
  if (fields.has("also")) s.offers.push_back({.service = fields.text("also")});
  return s;
}

Event event_of_program(std::string_view rest) {
  const auto end = std::min(rest.find(' '), rest.size());
  const auto verb = rest.substr(0, end);
  Fields fields(rest.substr(end));
  const auto session = fields.number("session");
  const auto number = fields.number("number");
  const auto event = [&]() -> Event {
    if (verb == "answered")
      return Answered{session, number, fields.payload(), fields.flag("more"), fields.number("parts", 1)};
    if (verb == "failed")
      return FailedCall{session, number, Code::failed, fields.text("reason"), fields.number("exit"),
                        fields.text("detail")};
    if (verb == "progressed") return Progressed{fields.number("more", 1)};
    if (verb == "quiesce") return Quiesce{};
    if (verb == "resize") return Resize{fields.number("slots"), fields.number("weight", 1)};
    if (verb == "move") return Move{};
    if (verb == "stop") return Stop{fields.flag("now")};
    throw ScenarioError("a program can answer (answered), fail (failed), progressed, quiesce, resize, move or stop");
  }();
  fields.done();
  return event;
}

class WorkerStage final : public Stage {
 public:
  explicit WorkerStage(Fields& fields) : core_(settings_of(fields)) {}

  std::vector<std::string> tell(Instant now, const Told& told) override {
    if (told.who == "program") return run(now, event_of_program(told.rest));
    const auto& from = told.who == "broker" ? broker_ : names_.meet(told.who, Door::direct);
    const auto key = names_.key(told.who, told.key);
    if (told.verb == ">") return run(now, event_of_message<Event>(from, told.rest, key));
    if (told.verb == "bytes") return run(now, event_of_bytes<Event>(from, told.rest, key));
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
    return "program < " + line_of(action);
  }

  WorkerCore core_;
  Address broker_{Door::broker, Codec::msgpack, 0, {}};
  Names names_;
};

}  // namespace

std::unique_ptr<Stage> worker_stage(Fields& options) { return std::make_unique<WorkerStage>(options); }

}  // namespace pointsman::scenarios
