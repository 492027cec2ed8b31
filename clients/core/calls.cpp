// Using a session: its calls, from the user to the worker and back.

#include <algorithm>
#include <chrono>
#include <utility>

#include "clients/core/client.hpp"
#include "protocol/must.hpp"

namespace pointsman::clients {

void ClientCore::on(Invoke event) {
  MUST(event.number > 0);
  const std::size_t bytes = bytes_of(event.payload);
  SessionState* session = find(event.handle);
  CallFailed refused{.handle = event.handle, .number = event.number};
  if (session == nullptr) {
    refused.code = Code::unknown_session;
    refused.reason = "the session is over";
  } else if (session->stage == Stage::holding && session->link == 0) {
    refused.code = Code::bad_endpoint;
    refused.reason = "this session is used apart from this client; it cannot be called";
  } else if (session->calls.size() >= settings_.calls_max) {
    refused.code = Code::limit_reached;
    refused.reason = "the session has too many calls at a time (calls_max)";
  } else if (event.payload.size() > limits::payload_frames || bytes > limits::payload_bytes) {
    refused.code = Code::limit_reached;
    refused.reason = "the payload has " + std::to_string(event.payload.size()) + " frames of " +
                     std::to_string(bytes) + " bytes; at most " + std::to_string(limits::payload_frames) +
                     " of " + std::to_string(limits::payload_bytes) + " may be sent in one call";
  } else if (payload_ + bytes > settings_.payload_max) {
    refused.code = Code::limit_reached;
    refused.reason = "the unfinished calls of this client carry too many bytes (payload_max)";
  } else {
    payload_ += bytes;
    CallState call{.payload = std::move(event.payload), .limit = now_ + within_a_day(event.limit)};
    call.gather = event.gather;
    alarms_.set({event.handle, event.number}, call.limit);
    MUST(session->calls.emplace(event.number, std::move(call)).second);
    session->unsent.insert(event.number);
    flush(event.handle, *session);
    return;
  }
  out_->emplace_back(std::move(refused));
}

// Sends what may be sent: one call while it is not known whether the worker takes the session, then a window.
void ClientCore::flush(std::uint64_t handle, SessionState& session) {
  if (session.link == 0 || now_ < session.stalled_until) return;
  const std::size_t most = session.show ? 1 : settings_.window;
  while (!session.unsent.empty() && session.in_flight() < most) {
    const std::uint64_t number = *session.unsent.begin();
    session.unsent.erase(session.unsent.begin());
    CallState& call = session.calls.at(number);
    call.sent = true;
    Call message{.session = session.granted.session, .number = number, .gather = call.gather};
    if (session.show) {
      message.ticket = session.granted.ticket;
      message.client = settings_.name;
    }
    message.limit_ms = std::chrono::ceil<Milliseconds>(std::max(call.limit - now_, Duration(1)));
    send_direct(session, std::move(message), call.payload);
    session.pulse_due = std::min(session.pulse_due, now_ + settings_.pulse);
  }
  arm(handle, session);
}

void ClientCore::part(std::uint64_t handle, SessionState& session, const Reply& message, Payload payload) {
  const auto found = session.calls.find(message.number);
  if (found == session.calls.end() || !found->second.sent) return;  // late, or abandoned
  CallState& call = found->second;
  if (message.part < call.next_part) return;  // again
  if (message.part > call.next_part) {
    send_direct(session, Abandon{.session = message.session, .number = message.number});
    return fail_call(handle, session, message.number,
                     {.code = Code::failed, .reason = "a part of the answer was lost on its way"});
  }
  if (payload.size() % message.parts != 0) {
    send_direct(session, Abandon{.session = message.session, .number = message.number});
    return fail_call(handle, session, message.number,
                     {.code = Code::failed, .reason = "the parts of the answer cannot be told from each other"});
  }
  call.next_part += message.parts;
  out_->emplace_back(Part{handle, message.number, std::move(payload), message.more, message.parts});
  if (!message.more) forget_call(handle, session, message.number);
}

void ClientCore::call_failed(std::uint64_t handle, SessionState& session, Failed message) {
  if (!session.calls.contains(message.number)) return;
  CallFailed why{.code = message.code, .reason = std::move(message.reason), .exit = message.exit};
  why.detail = std::move(message.detail);
  fail_call(handle, session, message.number, std::move(why));
}

void ClientCore::call_refused(std::uint64_t handle, SessionState& session, const Refused& message) {
  if (message.code == Code::busy) {
    // Its queue for this session is full: the call waits here for a moment.
    session.calls.at(message.number).sent = false;
    session.unsent.insert(message.number);
    session.stalled_until =
        now_ + std::max(Duration(message.retry_ms), brokers_.jitter(session.broker, settings_.pulse / 4));
    session.pulse_due = std::min(session.pulse_due, now_ + settings_.pulse);
    return arm(handle, session);
  }
  CallFailed why{.code = message.code, .reason = message.reason};
  if (message.code == Code::ended) {
    why.code = Code::unreachable;
    why.reason = "the call was answered, but the answer was lost with its connection";
  }
  if (!message.remedy.empty()) why.reason += "; " + message.remedy;
  why.retry = message.retry_ms;
  fail_call(handle, session, message.number, std::move(why));
  flush(handle, session);
}

void ClientCore::forget_call(std::uint64_t handle, SessionState& session, std::uint64_t number) {
  const auto found = session.calls.find(number);
  payload_ -= bytes_of(found->second.payload);
  session.calls.erase(found);
  session.unsent.erase(number);
  alarms_.clear({handle, number});
}

void ClientCore::fail_call(std::uint64_t handle, SessionState& session, std::uint64_t number,
                           CallFailed why) {
  forget_call(handle, session, number);
  why.handle = handle;
  why.number = number;
  out_->emplace_back(std::move(why));
}

void ClientCore::fail_calls(std::uint64_t handle, SessionState& session, Code code,
                            const std::string& reason) {
  while (!session.calls.empty()) {
    fail_call(handle, session, session.calls.begin()->first, {.code = code, .reason = reason});
  }
}

// What was sent is to be sent again to another worker, unless the user has a part of the answer.
void ClientCore::unsend_calls(std::uint64_t handle, SessionState& session, const std::string& reason) {
  for (auto next = session.calls.begin(); next != session.calls.end();) {
    auto& [number, call] = *next++;
    if (call.next_part > 0) {
      fail_call(handle, session, number,
                {.code = Code::unreachable,
                 .reason = reason + "; a part of the answer has been delivered already"});
    } else if (call.sent) {
      call.sent = false;
      session.unsent.insert(number);
    }
  }
}

void ClientCore::tend_call(std::uint64_t handle, std::uint64_t number) {
  SessionState& session = sessions_.at(handle);
  const CallState& call = session.calls.at(number);
  const bool sent = call.sent;
  if (sent) send_direct(session, Abandon{.session = session.granted.session, .number = number});
  fail_call(handle, session, number,
            {.code = Code::timed_out,
             .reason = sent ? "the worker did not answer within the limit of the call"
                            : "the limit of the call passed before a worker took it"});
  flush(handle, session);
}

void ClientCore::on(AbandonCall event) {
  SessionState* session = find(event.handle);
  if (session == nullptr) return;
  const auto call = session->calls.find(event.number);
  if (call == session->calls.end()) return;
  if (call->second.sent) {
    send_direct(*session, Abandon{.session = session->granted.session, .number = event.number});
  }
  fail_call(event.handle, *session, event.number,
            {.code = Code::cancelled, .reason = "abandoned by its client"});
  flush(event.handle, *session);
}

}  // namespace pointsman::clients
