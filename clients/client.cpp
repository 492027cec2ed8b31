// A client as its user sees it: the blocking functions wait for what the engine tells.
#include "clients/client.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "clients/inside.hpp"

namespace pointsman {

namespace {
constexpr std::chrono::milliseconds farewell(350);  // the transport may take 100 ms more
}

Client::Client(ClientOptions options) : inside_(std::make_shared<Inside>()) {
  inside_->engine = std::make_shared<clients::Engine>(options);
  inside_->options = std::move(options);
}

Client::~Client() { inside_->engine->stop(farewell); }

const std::string& Client::name() const { return inside_->engine->name(); }

Session Client::acquire(const std::string& service, const AcquireOptions& options) {
  clients::Engine& engine = *inside_->engine;
  engine.may_wait();
  struct Wanted {
    Helm::Place place;
    bool over = false;
    std::optional<Error> error;
  };
  auto wanted = std::make_shared<Wanted>();
  auto session = std::make_shared<Session::Inside>(*inside_);
  session->acquire(
      service, options,
      [wanted, &engine](const std::optional<Error>& error) {
        wanted->over = true;
        wanted->error = error;
        engine.call(wanted->place);
      },
      false);
  engine.wait(wanted->place, [&] { return wanted->over; });
  if (wanted->error) throw *wanted->error;
  return Session(std::move(session));
}

void Client::acquire_async(const std::string& service,
                           std::function<void(std::optional<Session>, std::optional<Error>)> done,
                           const AcquireOptions& options) {
  // Until its outcome is known the session belongs to its own callback.
  auto session = std::make_shared<Session::Inside>(*inside_);
  session->acquire(
      service, options,
      [session, done = std::move(done)](const std::optional<Error>& error) mutable {
        auto own = std::move(session);
        if (error) return done(std::nullopt, error);
        done(Session(std::move(own)), std::nullopt);
      },
      true);
}

std::size_t Client::warm(const std::string& service, std::size_t most) {
  most = std::clamp<std::size_t>(most, 1, limits::exclude);
  AcquireOptions options{.wait = std::chrono::milliseconds(0)};
  std::vector<Session> held;
  try {
    while (held.size() < most) {
      held.push_back(acquire(service, options));
      options.exclude.push_back(held.back().grant().worker);
    }
  } catch (const Error&) {
    if (held.empty()) throw;
  }
  return held.size();
}

Payload Client::call(const std::string& service, Payload request, const AcquireOptions& acquire,
                     const CallOptions& call) {
  Session session = this->acquire(service, acquire);
  return session.call(std::move(request), call);
}

Message Client::ask(const Message& question) {
  clients::Engine& engine = *inside_->engine;
  engine.may_wait();
  struct Wanted {
    Helm::Place place;
    std::optional<Message> answer;
  };
  auto wanted = std::make_shared<Wanted>();
  engine.ask(question, [wanted, &engine](const Message& answer) {
    wanted->answer = answer;
    engine.call(wanted->place);
  });
  engine.wait(wanted->place, [&] { return wanted->answer.has_value(); });
  if (const auto* refused = std::get_if<Refused>(&*wanted->answer)) throw clients::error_of(*refused);
  return std::move(*wanted->answer);
}

}  // namespace pointsman
