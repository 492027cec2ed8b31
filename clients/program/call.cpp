// pointsman call: requests over sessions, some at a time.
//
// The library's callbacks only put what happened in a mailbox; everything is decided here, on one thread, which is
// also the one that signals and --timeout reach.

#include <algorithm>
#include <memory>
#include <thread>

#include "clients/program/answers.hpp"
#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/output.hpp"
#include "clients/program/requests.hpp"
#include "clients/program/signals.hpp"

namespace pointsman::program {
namespace {

// Answers that may wait for an earlier one, for each session.
constexpr std::uint64_t ahead = 16;

// What happened to one of the places where a session is held.
struct News {
  std::size_t place = 0;
  std::shared_ptr<Session> session;  // the broker granted it
  std::optional<Payload> payload;    // the call was answered
  std::optional<Error> error;        // neither
  bool call = false;                 // it is about the call, not about the session
  bool closed = false;               // stdout is
};

// Whether a session is of use after a call that failed in this way.
bool session_lives(Code code) {
  return code == Code::failed || code == Code::timed_out || code == Code::busy || code == Code::limit_reached;
}

class Caller {
 public:
  Caller(const CallCommand& command, const Context& context, const Requests& requests, Signals& signals)
      : command_(command),
        context_(context),
        requests_(requests),
        signals_(signals),
        client_(client_options(context)),
        answers_(command, context, requests) {}

  ~Caller() { stop(); }

  int run() {
    places_.resize(std::min<std::uint64_t>(command_.sessions, requests_.count()));
    open_ = places_.size();
    for (std::size_t i = 0; i < places_.size(); ++i) acquire(i);
    while (answers_.printed() < requests_.count() && open_ > 0) {
      const bool woken = wait_for(signals_, mailbox_->bell(), context_.deadline);
      if (!woken) {
        lost_ = timeout_problem(context_);
        break;
      }
      if (const auto came = signals_.next()) throw Interrupted{came->signal};
      while (auto news = mailbox_->take()) hear(std::move(*news));
    }
    stop();
    return answers_.finish(granted_, lost_);
  }

 private:
  struct Place {
    std::shared_ptr<Session> session;
    std::thread stream;
    std::uint64_t request = 0;
    Clock::time_point sent;
    bool idle = false;  // waits for an earlier answer
  };

  // A streaming call ends when its session does.
  void stop() {
    for (Place& place : places_) {
      if (!place.stream.joinable()) continue;
      place.session->release();
      place.stream.join();
    }
  }

  void acquire(std::size_t i) {
    AcquireOptions options;
    options.wait = within(context_, command_.wait);
    if (command_.wait == Milliseconds(0)) options.wait = std::chrono::milliseconds(0);
    options.priority = static_cast<int>(command_.priority);
    options.absent = command_.absent;
    options.when = command_.wishes.when;
    options.prefer = command_.wishes.prefer;
    client_.acquire_async(
        command_.service,
        [mailbox = mailbox_, i](std::optional<Session> session, std::optional<Error> error) {
          News news{.place = i, .error = std::move(error)};
          if (session) news.session = std::make_shared<Session>(std::move(*session));
          mailbox->put(std::move(news));
        },
        options);
  }

  void hear(News news) {
    if (news.closed) throw OutputClosed{};
    if (news.call) return answered(std::move(news));
    if (!news.session) return not_granted(news);
    ++granted_;
    places_[news.place].session = std::move(news.session);
    send(news.place);
  }

  // Others go on without this place. When it was the last, what it heard is why.
  void not_granted(const News& news) {
    if (--open_ == 0) lost_ = problem_of(*news.error);
  }

  // Sends the next request that can be read, if there is one and if there is room to keep its answer.
  void send(std::size_t i) {
    Place& place = places_[i];
    for (;;) {
      place.idle = false;
      if (next_ == requests_.count()) return leave(place);
      if (next_ >= answers_.printed() + ahead * places_.size()) {
        place.idle = true;
        return;
      }
      place.request = next_++;
      auto payload = requests_.read(place.request);
      if (auto* problem = std::get_if<Problem>(&payload)) {
        answers_.add(place.request, Outcome{.problem = std::move(*problem)});
        continue;
      }
      return invoke(i, std::get<Payload>(std::move(payload)));
    }
  }

  void invoke(std::size_t i, Payload payload) {
    Place& place = places_[i];
    place.sent = Clock::now();
    CallOptions options;
    options.limit = within(context_, command_.limit);
    if (command_.stream) return stream(i, std::move(payload), options);
    place.session->call_async(
        std::move(payload),
        [mailbox = mailbox_, i](std::optional<Payload> answer, std::optional<Error> error) {
          mailbox->put({.place = i, .payload = std::move(answer), .error = std::move(error), .call = true});
        },
        options);
  }

  // On a thread of its own, that prints each part before it takes the next: a slow reader holds the worker back.
  void stream(std::size_t i, Payload payload, const CallOptions& options) {
    if (places_[i].stream.joinable()) places_[i].stream.join();
    places_[i].stream = std::thread([this, i, session = places_[i].session, payload = std::move(payload), options] {
      News news{.place = i, .call = true};
      try {
        session->stream(payload, [this](const Payload& part) { answers_.part(part); }, options);
        news.payload = Payload{};
      } catch (const Error& error) {
        news.error = error;
      } catch (const OutputClosed&) {
        news.closed = true;
      }
      mailbox_->put(std::move(news));
    });
  }

  void answered(News news) {
    Place& place = places_[news.place];
    const Grant grant = place.session->grant();
    Outcome outcome{.worker = grant.worker,
                    .session = grant.session,
                    .took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - place.sent)};
    const bool lives = !news.error || session_lives(news.error->code);
    if (news.error) {
      outcome.problem = problem_of(*news.error, true);
    } else {
      outcome.payload = std::move(*news.payload);
    }
    answers_.add(place.request, std::move(outcome));
    if (lives && !command_.fresh) {
      send(news.place);
    } else {
      leave(place);
      if (next_ < requests_.count()) {
        ++open_;
        acquire(news.place);
      }
    }
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].idle) send(i);
    }
  }

  void leave(Place& place) {
    if (place.stream.joinable()) place.stream.join();
    place.session->release();
    place.session.reset();
    --open_;
  }

  const CallCommand& command_;
  const Context& context_;
  const Requests& requests_;
  Signals& signals_;
  // Shared with callbacks, which may come as long as the client lives.
  std::shared_ptr<Mailbox<News>> mailbox_ = std::make_shared<Mailbox<News>>();
  Client client_;
  Answers answers_;
  std::vector<Place> places_;
  std::size_t open_ = 0;  // places that have a session or will
  std::uint64_t next_ = 0;
  std::uint64_t granted_ = 0;
  std::optional<Problem> lost_;
};

std::optional<Problem> wrong_with(const CallCommand& command) {
  if (command.stream && (command.sessions > 1 || command.separate)) {
    return usage("--stream prints parts as they come, so it goes with one session and without --separate",
                 "leave one of them out");
  }
  if (command.service.size() > limits::name) {
    return usage("a service's name has at most " + std::to_string(limits::name) + " bytes");
  }
  return std::nullopt;
}

}  // namespace

int call_command(const CallCommand& command, const Context& context) {
  if (const auto problem = wrong_with(command)) return complain(*problem, context.json);
  const auto requests = Requests::from(command.requests, command.repeat);
  if (const auto* problem = std::get_if<Problem>(&requests)) return complain(*problem, context.json);
  Signals signals{SIGINT, SIGTERM, SIGHUP};
  return Caller(command, context, std::get<Requests>(requests), signals).run();
}

}  // namespace pointsman::program
