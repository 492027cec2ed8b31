// Writes lines: a word, then what is not at its default.

#include "test/lines/lines.hpp"

#include <string_view>

#include "protocol/notation.hpp"

namespace pointsman {
namespace {

class Line {
 public:
  explicit Line(std::string_view word) : text_(word) {}

  Line& add(std::string_view key, std::string_view value) {
    if (!value.empty()) text_ += " " + std::string(key) + "=" + shown(value);
    return *this;
  }
  Line& add(std::string_view key, std::uint64_t value) {
    if (value != 0) text_ += " " + std::string(key) + "=" + std::to_string(value);
    return *this;
  }
  Line& add(std::string_view key, Milliseconds value) {
    if (value == forever) return add(key, std::string_view("forever"));
    return value.count() == 0 ? *this : add(key, std::string_view(std::to_string(value.count()) + "ms"));
  }
  Line& add(std::string_view key, Code value) {
    return add(key, value == Code::none ? std::string_view() : word(value));
  }
  Line& flag(std::string_view key, bool value) {
    if (value) text_ += " " + std::string(key);
    return *this;
  }
  Line& add(const Message& message) {
    text_ += " " + to_line(message);
    return *this;
  }
  Line& add(const Payload& payload) {
    if (!payload.empty()) text_ += " |";
    for (const auto& frame : payload) text_ += " " + shown(frame.view());
    return *this;
  }
  operator std::string() const { return text_; }  // NOLINT(google-explicit-constructor): it is one

 private:
  std::string text_;
};

Line about(std::string_view word, std::uint64_t session, std::uint64_t number) {
  return Line(word).add("session", session).add("number", number);
}

Line of_handle(std::string_view word, std::uint64_t handle) { return Line(word).add("handle", handle); }

}  // namespace

std::string line_of(const broker::Audit& a) {
  return Line(word(a.what))
      .add("name", a.name)
      .add("code", a.code)
      .add("about", a.about)
      .add("worker", a.worker)
      .add("service", a.service)
      .add("client", a.client)
      .add("id", a.id)
      .add("session", a.session)
      .add("detail", a.detail)
      .add("left_out", a.left_out);
}

std::string line_of(const workers::Answered& e) {
  return about("answered", e.session, e.number).flag("more", e.more).add(e.payload);
}
std::string line_of(const workers::FailedCall& e) {
  return about("failed", e.session, e.number)
                       .add("code", e.code)
                       .add("reason", e.reason)
                       .add("exit", e.exit)
                       .add("detail", e.detail);
}
std::string line_of(const workers::Progressed& e) { return Line("progressed").add("more", e.more); }
std::string line_of(const workers::Quiesce&) { return "quiesce"; }
std::string line_of(const workers::Resize& e) {
  return Line("resize").add("slots", e.slots).add("weight", e.weight);
}
std::string line_of(const workers::Move&) { return "move"; }
std::string line_of(const workers::Stop& e) { return Line("stop").flag("now", e.now); }
std::string line_of(const workers::Enrolled& a) { return Line("enrolled").add("lease", a.lease); }
std::string line_of(const workers::Denied& a) {
  return Line("denied").add("code", a.code).add("reason", a.reason).add("remedy", a.remedy);
}
std::string line_of(const workers::Serve& a) {
  return about("serve", a.session, a.number)
                       .add("service", a.service)
                       .add("client", a.client)
                       .add("limit", a.limit)
                       .flag("gather", a.gather)
                       .add(a.payload);
}
std::string line_of(const workers::Abandoned& a) { return about("abandoned", a.session, a.number); }
std::string line_of(const workers::SessionBegan& a) {
  return Line("session-began").add("session", a.session).add("service", a.service).add("client", a.client);
}
std::string line_of(const workers::SessionOver& a) {
  return Line("session-over").add("session", a.session).add("ending", word(a.ending));
}
std::string line_of(const workers::Reconnect&) { return "reconnect"; }
std::string line_of(const workers::Departed&) { return "departed"; }
std::string line_of(const workers::Done& a) {
  return Line("done").add("code", a.code).add("reason", a.reason).add("remedy", a.remedy);
}

std::string line_of(const clients::Acquire& e) {
  auto line = of_handle("acquire", e.handle);
  line.add("id", e.id).add("service", e.service).add("wait", e.wait).add("priority", e.priority);
  line.flag("absent", e.absent).add("term", e.term).flag("apart", e.apart);
  for (const auto& worker : e.exclude) line.add("exclude", worker);
  line.add("reassign", static_cast<std::uint64_t>(e.reassign));
  return line;
}
std::string line_of(const clients::CancelAcquire& e) { return of_handle("cancel", e.handle); }
std::string line_of(const clients::Invoke& e) {
  return of_handle("invoke", e.handle).add("number", e.number).add("limit", e.limit).flag("gather", e.gather).add(e.payload);
}
std::string line_of(const clients::AbandonCall& e) {
  return of_handle("abandon", e.handle).add("number", e.number);
}
std::string line_of(const clients::RenewSession& e) {
  return of_handle("renew", e.handle).add("term", e.term);
}
std::string line_of(const clients::ReleaseSession& e) { return of_handle("release", e.handle); }
std::string line_of(const clients::Ask& e) { return Line("ask").add("token", e.token).add(e.question); }
std::string line_of(const clients::Close&) { return "close"; }
std::string line_of(const clients::Connect& a) {
  return Line("connect").add("link", a.link).add("endpoint", a.endpoint).add("key", a.key);
}
std::string line_of(const clients::Disconnect& a) { return Line("disconnect").add("link", a.link); }
std::string line_of(const clients::Reconnect&) { return "reconnect"; }
std::string line_of(const clients::ReachBroker& a) {
  return Line("reach").add("broker", a.broker).add("endpoint", a.endpoint).add("key", a.key);
}
std::string line_of(const clients::LeaveBroker& a) { return Line("leave").add("broker", a.broker); }
std::string line_of(const clients::Acquired& a) {
  return of_handle("acquired", a.handle)
                       .add("session", a.granted.session)
                       .add("worker", a.granted.worker)
                       .add("reassigned", static_cast<std::uint64_t>(a.reassigned));
}
std::string line_of(const clients::NotAcquired& a) {
  return of_handle("not-acquired", a.handle).add(a.refused);
}
std::string line_of(const clients::Waiting& a) { return of_handle("waiting", a.handle).add(a.queued); }
std::string line_of(const clients::Part& a) {
  return of_handle("part", a.handle)
                       .add("number", a.number)
                       .flag("more", a.more)
                       .add("parts", a.parts == 1 ? 0 : a.parts)
                       .add(a.payload);
}
std::string line_of(const clients::CallFailed& a) {
  return of_handle("call-failed", a.handle)
                       .add("number", a.number)
                       .add("code", a.code)
                       .add("reason", a.reason)
                       .add("exit", a.exit)
                       .add("detail", a.detail)
                       .add("retry", a.retry);
}
std::string line_of(const clients::SessionEnded& a) {
  return of_handle("session-ended", a.handle)
                       .add("ending", word(a.ending))
                       .add("code", a.code)
                       .add("reason", a.reason);
}
std::string line_of(const clients::Answer& a) { return Line("answer").add("token", a.token).add(a.message); }
std::string line_of(const clients::News& a) { return Line("news").add(Message(a.happened)); }

std::string line_of(const supervisor::Started& e) { return Line("started").add("run", e.run).add("pid", e.pid); }
std::string line_of(const supervisor::StartFailed& e) {
  return Line("start-failed").add("run", e.run).add("code", static_cast<std::uint64_t>(e.code)).add("reason", e.reason);
}
std::string line_of(const supervisor::Exited& e) {
  return Line("exited")
      .add("run", e.run)
      .add("code", static_cast<std::uint64_t>(e.code))
      .add("signal", static_cast<std::uint64_t>(e.signal));
}
std::string line_of(const supervisor::Noticed& e) {
  return Line("noticed")
      .add("run", e.run)
      .flag("ready", e.ready)
      .flag("alive", e.alive)
      .flag("stopping", e.stopping)
      .add("status", e.status)
      .add("worker", e.worker)
      .add("instance", e.instance);
}
std::string line_of(const supervisor::Measured& e) {
  return Line("measured").add("run", e.run).add("bytes", e.bytes);
}
std::string line_of(const supervisor::Shutdown&) { return "shutdown"; }
std::string line_of(const supervisor::Start& a) { return Line("start").add("run", a.run).add("process", a.process); }
std::string line_of(const supervisor::Signal& a) {
  return Line("signal").add("run", a.run).add("number", static_cast<std::uint64_t>(a.number));
}
std::string line_of(const supervisor::KillTree& a) { return Line("kill-tree").add("run", a.run); }
std::string line_of(const supervisor::Reconnect&) { return "reconnect"; }
std::string line_of(const supervisor::Ready&) { return "ready"; }
std::string line_of(const supervisor::Say& a) { return Line("say").add("process", a.process).add("text", a.text); }
std::string line_of(const supervisor::Summary& a) { return Line("summary").add("text", a.text); }
std::string line_of(const supervisor::Done& a) {
  return Line("done").add("code", static_cast<std::uint64_t>(a.code));
}

}  // namespace pointsman
