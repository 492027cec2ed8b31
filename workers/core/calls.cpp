// Calls of sessions: one at a time each, answered where they came from.
#include <algorithm>

#include "workers/core/worker.hpp"

namespace pointsman::workers {

void WorkerCore::on(const Address& from, const Call& message, const Payload& payload) {
  const Refused about{.session = message.session, .number = message.number};
  Session* session = message.ticket.data.empty() ? bound(from, Call::op, about)
                                                 : admit(from, Call::op, message.ticket, message.client, about);
  if (!session) return;
  restart_term(*session);
  PendingCall call{.number = message.number, .from = from, .gather = message.gather, .payload = payload};
  if (message.limit_ms > Milliseconds{0}) call.until = now_ + message.limit_ms;

  // A call that is repeated is not worked on twice; its answer goes where it was asked for last.
  const auto same = [&](const PendingCall& other) { return other.number == message.number; };
  if (session->running && same(*session->running) && !session->running->abandoned) {
    session->running->from = from;
    return;
  }
  const auto waiting = std::find_if(session->waiting.begin(), session->waiting.end(), same);
  if (waiting != session->waiting.end()) {
    waiting->from = from;
    return;
  }
  const bool over = session->running && same(*session->running);
  if (over || session->finished.contains(message.number)) {
    return refuse(from, Call::op, Code::ended, "call " + std::to_string(message.number) + " was answered before",
                  "a new call needs a new number", about);
  }
  if (!session->running) return serve(*session, std::move(call));
  if (session->waiting.size() >= settings_.calls_max) drop_late(*session);
  if (session->waiting.size() >= settings_.calls_max) {
    return refuse(from, Call::op, Code::busy,
                  std::to_string(settings_.calls_max) + " calls of this session wait already",
                  "wait for answers before calling again", about);
  }
  session->waiting.push_back(std::move(call));
}

void WorkerCore::drop_late(Session& session) {
  std::erase_if(session.waiting, [&](const PendingCall& call) {
    if (call.until > now_) return false;
    tell_failed(session, call, Code::timed_out, "its turn did not come while its client would wait");
    return true;
  });
}

void WorkerCore::serve(Session& session, PendingCall call) {
  ++progress_;
  out_->push_back(Serve{.session = session.id,
                        .number = call.number,
                        .service = settings_.offers[session.offer].service,
                        .client = session.client,
                        .limit = call.until == never ? Milliseconds{0}
                                                     : std::chrono::ceil<Milliseconds>(call.until - now_),
                        .gather = call.gather,
                        .payload = std::move(call.payload)});
  call.payload.clear();
  session.running = std::move(call);
  ++running_;
  retime(session);
}

void WorkerCore::serve_next(Session& session) {
  while (!session.running && !session.waiting.empty()) {
    PendingCall call = std::move(session.waiting.front());
    session.waiting.pop_front();
    if (call.until > now_) {
      serve(session, std::move(call));
    } else {
      tell_failed(session, call, Code::timed_out, "its turn did not come while its client would wait");
    }
  }
}

void WorkerCore::answered(Answered event) {
  const auto found = sessions_.find(event.session);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  if (!session.running || session.running->number != event.number) return;
  PendingCall& call = *session.running;
  MUST(event.parts == 1 || (call.gather && event.parts > 1 && event.payload.size() % event.parts == 0));
  ++progress_;
  if (!call.abandoned) {
    send(call.from,
         Reply{.session = session.id,
               .number = call.number,
               .part = call.parts,
               .more = event.more,
               .parts = event.parts},
         std::move(event.payload));
    call.parts += event.parts;
    restart_term(session);
  }
  if (!event.more) ended(session);
}

void WorkerCore::failed(FailedCall event) {
  const auto found = sessions_.find(event.session);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  if (!session.running || session.running->number != event.number) return;
  ++progress_;
  if (!session.running->abandoned) {
    const std::size_t size = event.detail.size();
    send(session.running->from,
         pointsman::Failed{.session = session.id,
                           .number = event.number,
                           .code = event.code,
                           .reason = event.reason.substr(0, limits::text),
                           .exit = std::min<std::uint64_t>(event.exit, 255),
                           .detail = event.detail.substr(size > limits::detail ? size - limits::detail : 0)});
  }
  ended(session);
}

// The work of the running call has really ended.
void WorkerCore::ended(Session& session) {
  session.finished.add(session.running->number);
  session.running.reset();
  --running_;
  if (session.stage == Session::Stage::closing) return remove(session);
  restart_term(session);
  serve_next(session);
}

// The caller has told the client, if there is one to tell.
void WorkerCore::abandon(Session& session) {
  if (session.running->abandoned) return;
  session.running->abandoned = true;
  out_->push_back(Abandoned{session.id, session.running->number});
  place(session, wanted(session));
}

void WorkerCore::on(const Address& from, const Abandon& message) {
  const Refused about{.session = message.session, .number = message.number};
  Session* session = bound(from, Abandon::op, about);
  if (!session) return;
  restart_term(*session);
  const auto same = [&](const PendingCall& call) { return call.number == message.number; };
  if (session->running && same(*session->running)) {
    if (session->running->abandoned) return;  // told before
    tell_failed(*session, *session->running, Code::cancelled, "as its client asked");
    return abandon(*session);
  }
  const auto waiting = std::find_if(session->waiting.begin(), session->waiting.end(), same);
  if (waiting != session->waiting.end()) {
    tell_failed(*session, *waiting, Code::cancelled, "as its client asked");
    session->waiting.erase(waiting);
    return;
  }
  // The answer was quicker; or nobody ever called.
  if (session->finished.contains(message.number)) return;
  refuse(from, Abandon::op, Code::unknown_request, "call " + std::to_string(message.number) + " is not known", {}, about);
}

const Address* WorkerCore::asker(std::uint64_t session, std::uint64_t number) const {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || !found->second.running) return nullptr;
  const PendingCall& call = *found->second.running;
  return call.number == number && !call.abandoned ? &call.from : nullptr;
}

void WorkerCore::tell_failed(const Session& session, const PendingCall& call, Code code, const std::string& reason) {
  send(call.from, pointsman::Failed{.session = session.id, .number = call.number, .code = code, .reason = reason});
}

}  // namespace pointsman::workers
