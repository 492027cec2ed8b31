// A client as its user sees it: the blocking functions wait for what the engine tells.
#include "clients/client.hpp"

#include <future>
#include <utility>

#include "clients/inside.hpp"

namespace pointsman {

namespace {
constexpr std::chrono::milliseconds farewell(350);  // the transport may take 100 ms more
}

Client::Client(ClientOptions options) : inside_(std::make_shared<Inside>()) {
  inside_->engine = std::make_shared<clients::Engine>(options);
  inside_->options = std::move(options);
}

Client::~Client() {
  inside_->engine->stop(farewell);
}

const std::string& Client::name() const {
  return inside_->engine->name();
}

Session Client::acquire(const std::string& service, const AcquireOptions& options) {
  inside_->engine->may_wait();
  auto promise = std::make_shared<std::promise<std::optional<Error>>>();
  auto outcome = promise->get_future();
  auto session = std::make_shared<Session::Inside>(*inside_);
  session->acquire(service, options,
                   [promise](const std::optional<Error>& error) { promise->set_value(error); });
  if (const auto error = outcome.get()) throw *error;
  return Session(std::move(session));
}

void Client::acquire_async(const std::string& service,
                           std::function<void(std::optional<Session>, std::optional<Error>)> done,
                           const AcquireOptions& options) {
  // Until its outcome is known the session belongs to its own callback.
  auto session = std::make_shared<Session::Inside>(*inside_);
  session->acquire(service, options,
                   [session, done = std::move(done)](const std::optional<Error>& error) mutable {
                     auto own = std::move(session);
                     if (error) return done(std::nullopt, error);
                     done(Session(std::move(own)), std::nullopt);
                   });
}

Payload Client::call(const std::string& service, Payload request, const AcquireOptions& acquire,
                     const CallOptions& call) {
  Session session = this->acquire(service, acquire);
  return session.call(std::move(request), call);
}

Message Client::ask(const Message& question) {
  inside_->engine->may_wait();
  auto promise = std::make_shared<std::promise<Message>>();
  auto outcome = promise->get_future();
  inside_->engine->ask(question, [promise](const Message& answer) { promise->set_value(answer); });
  Message answer = outcome.get();
  if (const auto* refused = std::get_if<Refused>(&answer)) throw clients::error_of(*refused);
  return answer;
}

}  // namespace pointsman
