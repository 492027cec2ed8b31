// The worker: a machine that holds a lease and serves sessions under it.
//
// It registers until it is taken, renews, opens sessions on tickets only, hands out their calls one at a time,
// and reports to the broker what happened until the broker has applied it. It registers anew, with the sessions
// that it holds, whenever the broker no longer knows its lease or it has other slots to offer. Rules: protocol/PROTOCOL.md. Shape and thread
// safety: protocol/machine.hpp. What it is told and says: workers/core/events.hpp.
//
// Cost of a message: O(log n) in sessions. Only a lost connection, a registration and a sync look at all of
// them, at most limits::slots.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/must.hpp"
#include "workers/core/admission.hpp"
#include "workers/core/events.hpp"
#include "workers/core/session.hpp"
#include "workers/core/settings.hpp"

namespace pointsman::workers {

class WorkerCore {
 public:
  explicit WorkerCore(WorkerSettings settings);

  void step(Instant now, Event event, Actions& out);
  Instant deadline() const;  // before the first step: at once
  void check() const;

  bool done() const { return stage_ == Stage::done; }
  std::size_t sessions() const { return sessions_.size(); }
  const std::string& name() const { return settings_.name; }
  const std::string& instance() const { return settings_.instance; }
  bool working() const { return running_ > 0; }          // at calls
  std::uint64_t progress() const { return progress_; }  // changes whenever work moves on

  // Where the answer of a running call goes, for a shell that minds how fast its client reads; or nothing if
  // nobody wants it. Valid until the next step.
  const Address* asker(std::uint64_t session, std::uint64_t number) const;

 private:
  enum class Stage : std::uint8_t { starting, registering, registered, leaving, done };

  // worker.cpp: what comes in
  void received(const Received& event);
  void garbled(const Garbled& event);
  void gone(const Gone& event);
  void pass_time();
  void send(Message message);  // to the broker
  void send(const Address& to, Message message, Payload payload = {});
  void refuse(const Address& to, std::string_view about, Code code, std::string reason, std::string remedy = {},
              Refused more = {});
  std::uint64_t chance();
  Duration jitter(Duration around);  // plus or minus a fifth

  // lease.cpp: registration, renewal, leaving
  void on(const Registered& message);
  void on(const Heard& message);
  void on(const Probe& message);
  void on(const Sync& message);
  void on(const Drain& message);
  void on(const Refused& message);
  void on(const Left& message);
  void enroll();
  void register_anew();
  void retry_later();
  void renewed_at(Instant sent);
  void beat();
  void set_draining(bool draining);
  bool draining() const { return draining_ || nothing_ || moves_by_ != never; }
  void resize(const Resize& event);
  void move();
  void move_when_empty();
  void stay();
  void left(std::string reason);
  void stop(bool now);
  void leave_when_empty();
  void leave();
  void finish(Code code, std::string reason, std::string remedy = {});
  std::vector<Held> held() const;
  std::vector<RefusedTickets> refused_tickets() const;

  // reports.cpp: session events, until they are applied
  void note(std::uint64_t session, bool closed, Ending ending = Ending::released);
  void report_new();
  void told();
  void report_unapplied();
  void report(std::uint64_t first, std::uint64_t last);
  void applied(std::uint64_t number);
  std::uint64_t last_event() const { return first_event_ + events_.size() - 1; }

  // sessions.cpp: from assignment to close
  void on(const Assign& message);
  void on(const Address& from, const Open& message);
  void on(const Address& from, const Release& message);
  void on(const Address& from, const Renew& message);
  void released_by_broker(const Release& message);
  void renewed_by_broker(const Renew& message);
  Session* admit(const Address& from, std::string_view about, const Bytes& sealed, const std::string& client,
                 const Refused& named);
  std::optional<Fault> why_not(const Admission::Admitted& admitted) const;
  Session* bound(const Address& from, std::string_view about, const Refused& named);
  void move(Session& session, const Address& from);
  Session& add(std::uint64_t id, std::size_t offer);
  void begin(Session& session);
  void restart_term(Session& session);
  static Instant wanted(const Session& session);
  void retime(Session& session);
  void place(Session& session, Instant at);
  void due(Session& session);
  void close(Session& session, Ending ending, Code code, const std::string& reason);
  void remove(Session& session);
  std::size_t offer_of(std::string_view service) const;
  std::size_t offer_of(const Admission::Admitted& admitted) const;

  // calls.cpp: one at a time
  void on(const Address& from, const Call& message, const Payload& payload);
  void on(const Address& from, const Abandon& message);
  void answered(Answered event);
  void failed(FailedCall event);
  void drop_late(Session& session);
  void serve_next(Session& session);
  void serve(Session& session, PendingCall call);
  void ended(Session& session);
  void abandon(Session& session);
  void tell_failed(const Session& session, const PendingCall& call, Code code, const std::string& reason);

  WorkerSettings settings_;
  std::vector<std::uint64_t> fingerprints_;  // of the offers' services
  std::vector<std::uint64_t> used_of_;       // sessions of each offer
  std::uint64_t state_;                      // of chance()
  Instant now_;
  Actions* out_ = nullptr;  // of the current step
  PublicKey asker_;         // who sent the message of the current step

  // Lease.
  Stage stage_ = Stage::starting;
  Instant next_;                // the next registration, heartbeat or farewell
  std::uint64_t attempt_ = 0;   // to register, in all
  std::deque<std::pair<std::uint64_t, Instant>> attempts_;  // not answered: number, when sent; at most 8
  Instant run_since_;           // when the worker began to try to register
  Instant enrolled_at_;
  Duration retry_{0};
  bool enrolled_once_ = false;
  bool waiting_for_answer_ = false;  // of a registration
  int farewells_ = 0;
  std::uint64_t lease_ = 0;     // 0: none
  Duration term_{0};            // 0: for ever
  Duration heartbeat_{0};
  Instant fence_;               // past it no session is opened
  std::uint64_t beat_ = 0;
  std::deque<std::pair<std::uint64_t, Instant>> beats_;  // not answered: number, when sent; at most 8
  Instant silent_since_ = never;  // when the first heartbeat since the newest answer or connection was sent
  bool broken_ = false;           // the connection is said to be gone
  Duration hurry_{0};             // since then: until the next heartbeat; 0: the broker has been heard since
  bool draining_ = false;
  bool nothing_ = false;         // there is nothing to offer
  std::uint64_t resized_ = 0;    // the first attempt that says what is offered now
  bool stopping_ = false;
  Instant moves_by_ = never;      // it is to leave for another broker by then, or stays
  std::uint64_t moves_after_ = 0; // the heartbeat that said so; 0: it was answered, so all who were assigned are known

  // Figures.
  static constexpr std::size_t ticket_place(Code code) {
    return static_cast<std::size_t>(code) - static_cast<std::size_t>(Code::bad_ticket);
  }
  std::array<std::uint64_t, 1 + static_cast<std::size_t>(Code::used_ticket) -
                                static_cast<std::size_t>(Code::bad_ticket)> refused_tickets_{};  // by code
  std::uint64_t seen_ = 0;      // assignments
  std::uint64_t digest_ = 0;
  std::uint64_t progress_ = 0;
  std::size_t running_ = 0;     // calls
  std::uint64_t completed_ = 0;
  Duration busy_{0};
  std::deque<SessionEvent> events_;  // not applied
  std::uint64_t first_event_ = 1;    // number of the first of them
  std::uint64_t reported_ = 0;       // number of the last one sent
  std::uint64_t untold_ = 0;         // closings that were not sent
  Instant reported_at_ = Instant::min();
  Instant report_due_ = never;       // when they are

  // Sessions.
  Admission admission_;
  std::map<std::uint64_t, Session> sessions_;
  std::set<std::pair<Instant, std::uint64_t>> timers_;  // by Session::timer
};

}  // namespace pointsman::workers
