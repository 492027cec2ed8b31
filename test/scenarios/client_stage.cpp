// A client on the stage. What its program asks for and hears:
//
//   program > acquire handle=1 id=r1 service=zip wait=5s     also cancel, invoke, abandon, renew, release, ask, close
//       broker < request …                                   what it sends to its broker
//       shell < connect link=1 endpoint=tcp://w1             from here on `w1` is the peer at that endpoint
//       program < acquired handle=1 …
//   w1 > opened session=5                                    messages, from `broker` or a worker; also bytes, gone
//
// With brokers=3 there are three of them: `broker`, `b1` and `b2`; with home=yes services have their order of these names.

#include "clients/core/client.hpp"
#include "test/lines/lines.hpp"
#include "test/scenarios/stages.hpp"

namespace pointsman::scenarios {
namespace {

using namespace clients;

ClientSettings settings_of(Fields& fields) {
  ClientSettings s;
  s.name = fields.text("name", "ann");
  s.seed = fields.number("seed", s.seed);
  s.repeat = fields.duration("repeat", s.repeat);
  s.repeat_max = fields.duration("repeat_max", s.repeat_max);
  s.silence = fields.duration("silence", s.silence);
  s.patience = fields.duration("patience", s.patience);
  s.margin = fields.duration("margin", s.margin);
  s.overflow = fields.duration("overflow", s.overflow);
  s.pulse = fields.duration("pulse", s.pulse);
  s.pulses = static_cast<int>(fields.number("pulses", static_cast<std::uint64_t>(s.pulses)));
  s.sessions_max = fields.number("sessions_max", s.sessions_max);
  s.calls_max = fields.number("calls_max", s.calls_max);
  s.window = fields.number("window", s.window);
  s.asks_max = fields.number("asks_max", s.asks_max);
  s.links_max = fields.number("links_max", s.links_max);
  s.linked_max = fields.number("linked_max", s.linked_max);
  return s;
}

Acquire acquire_of(Fields& fields) {
  Acquire a;
  a.handle = fields.number("handle");
  a.id = fields.text("id");
  a.service = fields.text("service");
  a.wait = fields.milliseconds("wait", a.wait);
  a.priority = fields.number("priority");
  a.absent = fields.flag("absent");
  a.term = fields.milliseconds("term");
  if (fields.has("exclude")) a.exclude = {fields.text("exclude")};
  a.reassign = static_cast<int>(fields.number("reassign", 2));
  a.apart = fields.flag("apart");
  return a;
}

// What the program says, by its first word.
Event event_of_program(std::string_view rest) {
  const auto end = std::min(rest.find(' '), rest.size());
  const auto verb = rest.substr(0, end);
  if (verb == "ask") {
    const auto message = std::min(rest.find(' ', end + 1), rest.size());
    Fields fields(rest.substr(end, message - end));
    Payload none;
    return Ask{fields.number("token"), message_of(rest.substr(std::min(message + 1, rest.size())), none)};
  }
  Fields fields(rest.substr(end));
  const auto handle = fields.number("handle");
  const auto event = [&]() -> Event {
    if (verb == "acquire") return acquire_of(fields);
    if (verb == "cancel") return CancelAcquire{handle};
    if (verb == "invoke")
      return Invoke{handle, fields.number("number"), fields.payload(),
                    fields.milliseconds("limit", Milliseconds(30000)), fields.flag("gather")};
    if (verb == "abandon") return AbandonCall{handle, fields.number("number")};
    if (verb == "renew") return RenewSession{handle, fields.milliseconds("term")};
    if (verb == "release") return ReleaseSession{handle};
    if (verb == "close") return Close{};
    throw ScenarioError("a program can acquire, cancel, invoke, abandon, renew, release, ask or close");
  }();
  fields.done();
  return event;
}

class ClientStage final : public Stage {
 public:
  explicit ClientStage(Fields& fields) : core_(settings_of(fields)) {
    const std::uint64_t count = fields.number("brokers", 1);
    if (count == 1) return;
    BrokersAre all;
    for (std::uint64_t number = 0; number < count; ++number) {
      const std::string name = number == 0 ? "broker" : "b" + std::to_string(number);
      names_.rename(name, Address{Door::broker, Codec::msgpack, number, {}});
      all.numbers.push_back(number);
      all.names.push_back(name);
    }
    if (!fields.flag("home")) all.names.clear();
    Actions none;
    core_.step(opening, std::move(all), none);
  }

  std::vector<std::string> tell(Instant now, const Told& told) override {
    if (told.who == "program") return run(now, event_of_program(told.rest));
    const auto* from = told.who == "broker" ? &broker_ : names_.find(told.who);
    if (from == nullptr) throw ScenarioError("no connection to '" + told.who + "' was made");
    if (told.verb == ">") return run(now, event_of_message<Event>(*from, told.rest));
    if (told.verb == "bytes") return run(now, event_of_bytes<Event>(*from, told.rest));
    if (told.verb == "gone") return run(now, Gone{from->door, from->peer});
    throw ScenarioError("a peer can '>', 'bytes' or be 'gone', not '" + told.verb + "'");
  }

  std::vector<std::string> elapse(Instant now) override { return run(now, Elapsed{}); }
  Instant deadline() const override { return core_.deadline(); }

 private:
  std::vector<std::string> run(Instant now, Event event) {
    return step<Actions>(core_, now, std::move(event), [this](const auto& action) { return line(action); });
  }

  std::string line(const Send& send) {
    const auto name = send.to == broker_ ? "broker" : names_.of(send.to);
    return name + " < " + masked_line(send.message, send.payload);
  }
  std::string line(const Connect& action) {
    names_.rename(action.endpoint.substr(action.endpoint.find("//") + 2),
                  Address{Door::direct, Codec::msgpack, action.link, {}});
    return "shell < " + line_of(action);
  }
  std::string line(const Disconnect& action) { return "shell < " + line_of(action); }
  std::string line(const Reconnect& action) { return "shell < " + line_of(action); }
  std::string line(const ReachBroker& action) {
    names_.rename(action.endpoint.substr(action.endpoint.find("//") + 2),
                  Address{Door::broker, Codec::msgpack, action.broker, {}});
    return "shell < " + line_of(action);
  }
  std::string line(const LeaveBroker& action) { return "shell < " + line_of(action); }
  template <class Action>
  std::string line(const Action& action) {
    return "program < " + line_of(action);
  }

  ClientCore core_;
  Address broker_{Door::broker, Codec::msgpack, 0, {}};
  Names names_;
};

}  // namespace

std::unique_ptr<Stage> client_stage(Fields& options) { return std::make_unique<ClientStage>(options); }

}  // namespace pointsman::scenarios
