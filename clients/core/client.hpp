// The machine of a client: asks the broker for workers, talks to them directly, replaces those that die.
//
// How the rules of PROTOCOL.md are kept here:
// - A request is repeated with the same id until it is answered. When its session was over before this client
//   heard of it, or its worker refused or lost it, the client asks anew, as ID.1, ID.2 …
// - There is one link per worker endpoint, used by all sessions there and kept for later ones. - The first
// call carries the ticket, as does every message until the worker has answered, so a session costs
//   no round trip of its own. Without a call the session is opened when half of the ticket's life has passed.
// - A worker that does not answer `pulses` pulses is dead, and so is one that refuses the session. The broker
// is
//   asked for another (`failed=SESSION`), and calls of which no part was delivered are sent again, as long as
//   the session may be reassigned. A worker that refused the ticket has done nothing: that costs no
//   reassignment.
// - A session held `apart`, or with direct=own, has no link: it is renewed and released through the broker,
//   cannot be called, and is not replaced.
// - A request names workers that this client has a link to, if the policy by which it was given the last one of that
//   service may see no difference between workers.
// - Requests go to the brokers in sequence, each to one at a time: to the next when one does not answer, from which it
//   is taken back, or refuses what another may grant. What is granted by one that was given up is given back.
// - A request that waits at a broker for longer than `overflow` goes on to the next one, and back if nobody takes it there.
// - A pass leads to a broker below, which is asked as any other is. When it is no use the one above is asked anew, and no
//   other one meanwhile. Passes are renewed, and given back with the session that they led to.
// - A broker that is new or gone changes nothing for sessions that are held: their links live without it.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "clients/core/alarms.hpp"
#include "clients/core/asks.hpp"
#include "clients/core/below.hpp"
#include "clients/core/brokers.hpp"
#include "clients/core/events.hpp"
#include "clients/core/farewells.hpp"
#include "clients/core/linked.hpp"
#include "clients/core/links.hpp"
#include "clients/core/session.hpp"
#include "clients/core/settings.hpp"

namespace pointsman::clients {

class ClientCore {
 public:
  explicit ClientCore(ClientSettings settings);
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  void step(Instant now, Event event, Actions& out);
  Instant deadline() const;
  void check() const;

  // No session, request, question or farewell is left.
  bool idle() const;
  std::size_t links() const { return links_.size(); }

 private:
  struct Key {  // of an alarm: call 0 is the session itself
    std::uint64_t handle = 0;
    std::uint64_t call = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  // client.cpp: what comes in
  void on(Elapsed) {}
  void on(Received event);
  void on(Garbled) {}  // nothing to answer; the silence of its sender is dealt with
  void on(Gone event);
  void on(Acquire event);
  void on(CancelAcquire event);
  void on(Invoke event);
  void on(AbandonCall event);
  void on(RenewSession event);
  void on(ReleaseSession event);
  void on(Ask event);
  void on(BrokersAre event);
  void on(BrokerUp event) { brokers_.at(event.broker).up(); }
  void on(Barred event);
  void on(Close event);
  void ring();
  void tend(std::uint64_t handle, SessionState& session);
  void arm(std::uint64_t handle, SessionState& session);

  // requests.cpp: getting a session
  void request(std::uint64_t handle, SessionState& session);
  void send_request(SessionState& session);
  void tend_request(std::uint64_t handle, SessionState& session);
  Instant give_up(const SessionState& session) const;
  bool renew_request(std::uint64_t handle, SessionState& session);
  void granted(std::uint64_t broker, const Granted& message);
  void queued(std::uint64_t broker, const Queued& message);
  bool turn(SessionState& session);
  void go_to(SessionState& session, std::uint64_t broker);
  Duration patience_in_line(const SessionState& session) const;
  void overflow(SessionState& session);
  bool back_in_line(std::uint64_t handle, SessionState& session);
  bool rest(std::uint64_t handle, SessionState& session, const Refused& told);
  void request_refused(std::uint64_t handle, SessionState& session, const Refused& message);
  void not_acquired(std::uint64_t handle, Refused refused);
  bool receive_broker(std::uint64_t broker, const Message& message);

  // tiers.cpp: down to the broker that a pass leads to, and up again
  void follow(std::uint64_t handle, SessionState& session, const Granted& message);
  void back_up(std::uint64_t handle, SessionState& session, Refused why);
  void leave_silent(std::uint64_t handle, SessionState& session, std::string reason);
  void tend_passes(SessionState& session);
  static Instant passes_due(const SessionState& session);
  void give_passes_back(SessionState& session);
  bool receive_pass(std::uint64_t broker, const Message& message);

  // sessions.cpp: keeping it
  void hold(std::uint64_t handle, SessionState& session, const Granted& message);
  void tend_session(std::uint64_t handle, SessionState& session);
  void pulse(SessionState& session);
  void answered(SessionState& session);
  Duration rhythm(const SessionState& session) const;
  void session_refused(std::uint64_t handle, SessionState& session, const Refused& message);
  void lost(std::uint64_t broker, const Lost& message);
  void relink(std::uint64_t link);
  void show_again(SessionState& session);
  static bool turned_away(const SessionState& session, const Refused& message);
  enum class Guilt : std::uint8_t { dead, refused, turned_away };
  void replace(std::uint64_t handle, SessionState& session, Guilt guilt, Code code, std::string reason);
  void drop_grant(std::uint64_t handle, SessionState& session, bool dead);
  void end(std::uint64_t handle, Ending ending, Code code, std::string reason);
  void receive_direct(std::uint64_t link, Message message, Payload payload);
  void send_direct(SessionState& session, Message message, Payload payload = {});

  // calls.cpp: using it
  void flush(std::uint64_t handle, SessionState& session);
  void part(std::uint64_t handle, SessionState& session, const Reply& message, Payload payload);
  void call_failed(std::uint64_t handle, SessionState& session, Failed message);
  void call_refused(std::uint64_t handle, SessionState& session, const Refused& message);
  void forget_call(std::uint64_t handle, SessionState& session, std::uint64_t number);
  void fail_call(std::uint64_t handle, SessionState& session, std::uint64_t number, CallFailed why);
  void fail_calls(std::uint64_t handle, SessionState& session, Code code, const std::string& reason);
  void unsend_calls(std::uint64_t handle, SessionState& session, const std::string& reason);
  void tend_call(std::uint64_t handle, std::uint64_t number);

  SessionState* find(std::uint64_t handle);
  std::optional<std::uint64_t> granted_by(std::uint64_t broker, std::uint64_t session) const;
  std::optional<std::uint64_t> served_on(std::uint64_t link, std::uint64_t session) const;

  const ClientSettings settings_;
  Instant now_{};
  Actions* out_ = nullptr;  // during step()
  Brokers brokers_;
  Below below_;
  Links links_;
  Linked linked_;
  Asks asks_;
  Farewells farewells_;
  std::map<std::uint64_t, SessionState> sessions_;               // by handle
  std::unordered_map<std::string, std::uint64_t> by_id_;         // present request -> handle
  // Present session -> handle. Brokers count apart, so two sessions may have one number.
  std::unordered_multimap<std::uint64_t, std::uint64_t> by_session_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> by_pass_;  // broker and number -> handle
  Alarms<Key> alarms_;
  std::size_t payload_ = 0;  // bytes of all calls
};

}  // namespace pointsman::clients
