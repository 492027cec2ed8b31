// The broker: a machine that hands clients to workers.
//
// It keeps leases, sessions and queues in memory only; a new broker is rebuilt by its workers. What it answers
// to which message, and why, is in protocol/PROTOCOL.md. Shape and thread safety: protocol/machine.hpp.
//
// Cost of a message: O(log n) in workers, requests and sessions, which are never scanned; where conditions are used,
// plus the classes of workers and the demands of the service, whose numbers are bounded (matching.hpp). Listings and
// explanations look at as many rows as they return.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/audit.hpp"
#include "broker/core/counters.hpp"
#include "broker/core/deeds.hpp"
#include "broker/core/known.hpp"
#include "broker/core/late_releases.hpp"
#include "broker/core/options.hpp"
#include "broker/core/principals.hpp"
#include "broker/core/records.hpp"
#include "broker/core/rights.hpp"
#include "protocol/machine.hpp"
#include "protocol/zap.hpp"

namespace pointsman::broker {

// The shell is about to stop: everybody who waits is told, nothing is granted any more.
struct Shutdown {};

// Who may come from now on. The first one ends the time in which everybody may do everything; what anybody has that
// its key may not have any more ends at once. Whether a key's time is over is for the shell to say (AllowedKeys::at).
struct Allowed {
  std::shared_ptr<const AllowedKeys> keys;  // never none
};

// Grants may be given until then, and none from then on: requests are refused and go to other brokers, whatever else goes on.
// Before the first of these events: whenever. `revision` is for `status`: of which entry in a list of brokers this follows.
struct GrantUntil {
  Instant until = never;
  std::uint64_t revision = 0;
};

// What a database says of workers, clients and keys that it did not say before; of those whose record is gone, one that
// says nothing. From the first of these events on, nobody can say his tenant himself.
struct Learned {
  std::vector<Known> records;
};

// What workers that have come did before, by a history: the sums of each one's instances.
struct Recalled {
  std::vector<Deeds> deeds;
};

// How much memory the process has, in bytes. Above `most` new requests and workers are refused, until it is a tenth
// below. `bound` is what the configuration allows at most, for `status`.
struct Memory {
  std::uint64_t resident = 0;
  std::uint64_t most = 0;  // 0: whatever
  std::uint64_t bound = 0;
};

// What has happened so far that no message tells of, for `status`: who asked to be let in and what became of it, messages
// that nobody read since their keys had been taken away, records that could not be written down, and questions of those who look
// for brokers that were not answered: not sealed as they should be, damaged, or too many; and of the database how often
// it could not be read so far, whether that is so now, and how many of its records cannot be.
struct Outside {
  EntryCounts entries{};
  std::uint64_t unread = 0;
  std::uint64_t audit_lost = 0;
  std::uint64_t questions_ignored = 0;
  std::uint64_t database_troubles = 0;
  std::uint64_t database_away = 0;  // 1: it is
  std::uint64_t database_unreadable = 0;
  friend bool operator==(const Outside&, const Outside&) = default;
};

using Event =
    std::variant<Elapsed, Received, Garbled, Gone, Shutdown, GrantUntil, Allowed, Learned, Recalled, Memory, Outside>;
using Action = std::variant<Send, Audit>;
using Actions = std::vector<Action>;

class Broker {
 public:
  explicit Broker(Options options);

  void step(Instant now, const Event& event, Actions& out);
  Instant deadline() const;
  void check() const;

  std::uint64_t epoch() const { return options_.epoch; }

  // Whether a worker offers the service at this moment, one that meets the condition and may be given somebody if there is one.
  // With a condition looks at all classes of the service.
  bool offers(std::string_view service, std::string_view when = {}) const;

  // For a history: of so many workers at most that came, did or failed something, or left, since they were told last. Empty:
  // there is no more for now. From the first Learned on; of workers that left while nobody asked only so many are kept.
  std::vector<Deeds> take_deeds(std::size_t most);

 private:
  // To whom it refuses while it may not grant.
  static constexpr const char* suspended_reason = "this broker may grant nothing at the moment";
  static constexpr const char* suspended_remedy =
      "ask another broker; why it is so is in the log of this one";

  // What orders timers: the moment, then a number that is nobody else's.
  struct Due {
    Instant at;
    std::uint64_t number = 0;
    bool operator<(const Due& other) const { return at != other.at ? at < other.at : number < other.number; }
  };
  static Due timer_of(const Worker& worker) { return {worker.timer, worker.lease}; }
  static Due deadline_of(const Asked& asked) { return {asked.until, asked.arrival}; }
  // What an event is about; nothing is copied unless somebody watches.
  struct Note {
    std::string_view service;
    std::string_view worker;
    std::string_view client;
    std::string_view id;
    std::uint64_t session = 0;
    std::string_view detail;
    const Principal* asker = nullptr;  // whose client it is about
    const Principal* offerer = nullptr;  // whose worker
  };
  // Workers that are due and that one step sees to: when all leases run out at once, nobody waits for the last of them.
  static constexpr std::size_t sweep_max = 10'000;

  struct Watcher {
    Address to;
    Principal* owner = nullptr;
    bool all = true;  // also what is about others
    std::string service;
    std::uint64_t kinds = 0;  // a bit a Happening
    Instant until;
  };

  // broker.cpp: what comes in, and who gets to see it
  void pass_time();
  void received(const Received& event);
  void garbled(const Garbled& event);
  void gone(const Gone& event);
  void shut_down();
  void suspend();
  void weighed(const Memory& event);
  void check_principals() const;
  template <class M>
  void send(const Address& to, M message) {
    Send& send = std::get<Send>(out_->emplace_back(std::in_place_type<Send>));
    send.to = to;
    send.message.template emplace<M>(std::move(message));
  }
  // Whatever is said to a worker may be about sessions that it has not been told of yet.
  template <class M>
  void send(Worker& to, M message) {
    tell(to);
    send(to.from.address(), std::move(message));
  }
  void refuse(const Address& to, std::string_view about, Code code, std::string reason, std::string remedy = {},
              Refused more = {});
  void count(Count what) { ++counters_[static_cast<std::size_t>(what)]; }
  std::uint64_t next_id();

  // principals.cpp: whose key may do what
  Principal* identify(const PublicKey& key);
  Principal& owner_of(const Held& held);
  Client* find_client(const Principal& owner, std::string_view name) const;
  Client& need_client(Principal& owner, std::string_view name);
  void let_go(Client& client);
  bool may(const Right& right, const Address& from, Principal* who, Refused about);
  bool within_rate(Principal& who);
  bool sees(const Service& service) const;
  bool owns(const Session& session, std::string_view client) const {
    return session.client->owner == principal_ && session.client->name.view() == client;
  }
  void exchange(const Allowed& event);
  void record_changes(const AllowedKeys& before);
  void enforce(Principal& who);
  void audit(Audit record);
  void audit_refusal(const Refused& refused);

  // learning.cpp: what a database knows, and what that changes
  struct Touched {
    std::vector<std::uint64_t> workers;  // leases
    std::vector<Principal*> owners;
    std::unordered_set<const Client*> clients;  // by name
    bool everybody = false;
  };
  void learn(const Learned& event);
  bool keep(const Known& record);
  void tell_of(const Known& record);
  void touch(const Known& record, Touched& touched);
  const Known* known_of(About about, std::string_view name) const;
  const Known* known_of_worker(const Principal& owner, std::string_view worker) const {
    return keys_ ? owner.known : known_of(About::worker, worker);
  }
  const Known* known_of_client(const Principal& owner, std::string_view client) const {
    return keys_ ? owner.known : known_of(About::client, client);
  }
  std::optional<Attributes> counting_of(const Request& message, const Known* known) const {
    return informed_ ? counting(message.attributes, known) : std::nullopt;
  }
  std::uint64_t held_by(const Known& known, const Principal& owner, std::string_view client) const;
  std::uint64_t waiting_of(const Known& known, const Principal& owner, std::string_view client) const;
  void reconsider(Worker& worker);
  Demand* reconsider(Asked& asked);
  void reconsider_waiting(const Touched& touched);
  void restrict(const Touched& touched);

  // deeds.cpp: what workers have done, for a history, and from it
  void recall(const Recalled& event);
  void note_deeds(Worker& worker);
  void fail(Worker& worker);
  void part(Worker& worker);

  // workers.cpp: registrations, leases, figures
  void on(const Address& from, const Register& message);
  void on(const Address& from, const Heartbeat& message);
  Duration until_next_beat(std::uint64_t peer, Duration heartbeat) const;
  void on(const Address& from, const Leave& message);
  void on(const Address& from, const Drain& message);
  std::optional<Fault> fault_of(const Register& message) const;
  Worker* under_lease(const Address& from, std::uint64_t lease, std::string_view about);
  void heard_from(Worker& worker);
  Duration grace_of(const Worker& worker) const;
  void doubt(Worker& worker);
  void set_lease(Worker& worker, Milliseconds wish);
  std::optional<Fault> crowded(const Register& message, const Profile& profile) const;
  void add_seats(Worker& worker, const Register& message);
  void join_class(Seat& seat);
  static void count_slots(Seat& seat, std::uint64_t before, std::uint64_t now);
  static Instant due_of(const Worker& worker);
  void retime(Worker& worker);
  bool overdue() const;
  void sweep();
  void worker_due(Worker& worker);
  bool brake(Worker& worker);
  void suspect(Worker& worker, bool Worker::*why, std::string reason);
  void drain(Worker& worker, DrainMode mode);
  void strike_off(Worker& worker, Happening how, const std::string& reason, const Register* successor = nullptr);
  void leave_peer(Worker& worker);
  void move_peer(Worker& worker, const Address& from);
  void compare(Worker& worker, const Heartbeat& message);
  bool charge(Worker& worker, std::uint64_t completed, Milliseconds busy);
  void note_refused(Worker& worker, const std::vector<RefusedTickets>& refused);
  void refresh(Worker& worker);
  void refresh(Seat& seat);
  void ramp(Seat& seat);

  // requests.cpp: asking and granting
  void on(const Address& from, const Request& message);
  void on(const Address& from, const Cancel& message);
  void repeat(const Address& from, Asked& asked, const Request& message);
  void report_failed(const Request& message);
  void grant(Asked& asked, Seat& seat, std::size_t candidates);
  void bind(Asked& asked, Session& session);
  void send_grant(Asked& asked);
  void refuse_waiting(Asked& asked, Code code, std::string reason, std::string remedy);
  void end(Asked& asked, Code how);
  void forget_due();
  void forget(Asked& asked);
  Service* find_service(const std::string& name);
  Service* need_service(const std::string& name);
  void maybe_erase(Service& service);
  Asked* find_request(const Principal& owner, std::string_view client, std::string_view id) const;
  Asked& remember(Client& client, std::string_view id, const Service& service);
  Asked& remember(const Address& from, const Request& message, std::uint64_t priority, const Service& service);
  std::optional<Fault> fault_of(const Request& message, const Known* known) const;

  // waiting.cpp: the lines, and whose turn it is
  void enqueue(Asked& asked);
  void join_peer(Asked& asked);
  void leave_peer(Asked& asked);
  void unqueue(Asked& asked);
  void match(Service& service);
  void match(const Worker& worker);
  bool match_first(Service& service);
  static std::optional<Line::Turn> next_turn(const Service& service);
  Asked* next_for(Service& service, Seat*& seat);
  Seat* choose(Service& service, const Demand& demand, std::span<const std::string> exclude,
               std::span<const std::string> linked = {});
  Seat* preferred(Service& service, const Demand& demand, std::span<const std::string> exclude) const;
  void find_linked(const Service& service, std::span<const std::string> workers);
  static std::size_t free_for(const Service& service, const Demand& demand);
  static std::uint64_t rivals(const Service& service, const Demand& demand);
  static std::uint64_t position(const Asked& asked);
  static std::uint64_t slots_for(const Service& service, const Demand& demand);
  static Duration expected(const Service& service, std::uint64_t ahead, std::uint64_t slots);
  Milliseconds retry_hint(const Service& service);
  void tell(Asked& asked, bool first);
  void stop_telling(Asked& asked);
  static Aside& aside(Asked& asked);
  void tell_due();

  // sessions.cpp: from grant to close
  void on(const Address& from, const Release& message);
  void on(const Address& from, const Renew& message);
  void on(const Address& from, const Report& message);
  void on(const Address& from, const Holding& message);
  void heal(Worker& worker, const Holding& message);
  Session* find_session(std::uint64_t id) const {
    return sessions_.find(mixed(id), [id](const Session& session) { return session.id == id; });
  }
  Session& add_session(std::uint64_t id, Seat& seat, Client& client);
  void attach(Session& session, Seat& seat);
  void detach(Session& session);
  void reserve(Session& session, Duration until_lapse);
  void release(Session& session);
  void release_again(Worker& worker);
  void adopt(Worker& worker, const Held& held);
  void adopt_request(Session& session);
  void open(Session& session);
  void close(Session& session, Ending ending, const std::string& detail = {});
  void drop(Session& session);
  void settle();
  void lapse_due();
  bool issued_here(std::uint64_t session) const { return session > options_.epoch && session <= last_id_; }

  // notices.cpp: telling workers who is coming
  void announce(Worker& worker, Assignment assignment);
  void tell(Worker& worker);
  void tell_workers(Instant until);

  // explaining.cpp: why, and what would have to change
  const Asked* explained_request(const Explain& message) const;
  void on(const Address& from, const Explain& message);
  void explain_request(const Asked& asked, Explained& out) const;
  static std::string reasoning_of(const Asked& asked);
  void explain_worker(const Worker& worker, Explained& out) const;
  void explain_service(const Service& service, Explained& out) const;
  void candidates(const Service& service, const Asked* asked, Explained& out) const;
  CandidateRow candidate(const Seat& seat, const Asked* asked) const;
  static bool mismatch(const Worker& worker, const Demand& demand, CandidateRow& row);
  std::string why_not(const Worker& worker) const;

  // inspection.cpp: listings, watchers, counters, settings
  void on(const Address& from, const List& message);
  void list_services(const List& message, const Service* only, Listing& page);
  template <class Row>
  void add(std::vector<Row>& rows, Row row);
  template <class Row>
  bool full(const std::vector<Row>& rows, const List& message) const;
  void list_workers(const List& message, const Service* only, Listing& page);
  void list_brokers(const List& message, const Service* only, Listing& page);
  void list_sessions(const List& message, const Service* only, Listing& page);
  void list_waiting(const List& message, const Service* only, Listing& page);
  void list_own_waiting(const List& message, const Service* only, Listing& page);
  void on(const Address& from, const Configure& message);
  void on(const Address& from, const Watch& message);
  void on(const Address& from, const Status& message);
  void on(const Address& from, const Hello& message);
  Milliseconds left_of(const Worker& worker) const;
  WorkerRow row_of(const Worker& worker) const;
  BrokerRow row_of(const BrokerBelow& below) const;
  ServiceRow row_of(const Service& service) const;
  SessionRow row_of(const Session& session) const;
  WaitingRow row_of(const Asked& asked) const;
  void emit(Happening kind, const Note& note);
  template <class Which>
  void drop_watchers(Which which) {
    std::erase_if(watchers_, [&](const Watcher& watcher) {
      if (!which(watcher)) return false;
      --watcher.owner->watchers;
      return true;
    });
  }

  Options options_;
  std::shared_ptr<const AllowedKeys> keys_;  // none: everybody may do everything
  Pool<Client> client_pool_;
  Pool<Asked> asked_pool_;
  Pool<Session> session_pool_;
  Principal everybody_{asked_pool_, session_pool_};  // where there are no keys
  std::unordered_map<PublicKey, std::unique_ptr<Principal>> principals_;
  std::map<std::uint64_t, Principal*> principals_by_number_;
  std::uint64_t principals_seen_ = 0;
  bool informed_ = false;  // there is a database
  std::array<std::map<std::string, Known, std::less<>>, static_cast<std::size_t>(About::count_)> known_;  // by name
  // Of the message in hand.
  Principal* principal_ = nullptr;
  const PublicKey* asker_ = nullptr;
  Scope scope_ = Scope::none;
  std::size_t page_bytes_ = 0;  // of its listing so far
  Meter refusals_meter_, changes_meter_;  // of the audit
  std::uint64_t refusals_left_out_ = 0, changes_left_out_ = 0;
  Memory memory_;
  Outside outside_;
  bool overloaded_ = false;
  Instant now_;
  Instant started_;
  Instant settle_at_ = never;  // requests wait for services that nobody offers yet, until then
  GrantUntil grants_;
  bool suspended_ = false;  // its time is over
  Duration forgiven_{0};  // the lease clock is behind now_ by this
  bool shutting_down_ = false;
  std::uint64_t last_id_;
  std::uint64_t orders_ = 0;     // seats so far
  std::uint64_t arrivals_ = 0;   // requests that had to wait so far
  std::uint64_t done_ranks_ = 0; // completions so far
  std::uint64_t events_ = 0;
  Chance chance_;
  Actions* out_ = nullptr;  // of the current step

  std::unordered_map<std::uint64_t, std::unique_ptr<Worker>> workers_;  // by lease
  std::map<std::string_view, Worker*> workers_by_name_;                 // the names are theirs
  std::map<std::string_view, BrokerBelow> brokers_below_;               // of these, the ones that are brokers
  std::unordered_map<std::uint64_t, Chain<Worker, &Worker::of_peer>> workers_by_peer_;
  const std::shared_ptr<const Profile> plain_profile_ =
      std::make_shared<Profile>();  // of those who say nothing
  Demands demands_;
  struct Head {
    const Demand* demand;
    Line::Walk walk;
    Asked* first;
  };
  std::vector<Head> heads_;  // of next_for(), kept for its memory
  std::vector<Seat*> linked_;  // of choose(), as well
  std::map<std::string, std::unique_ptr<Service>, std::less<>> services_;
  Index<Client> clients_{client_pool_};  // by owner and name
  Index<Asked> asked_{asked_pool_};      // by client and id
  std::unordered_map<std::uint64_t, PoolChain<Asked, &Asked::beside>> waiting_by_peer_;
  Index<Session> sessions_{session_pool_};  // by id
  PoolChain<Session, &Session::of_all> all_sessions_{session_pool_};
  LateReleases late_releases_;
  Chain<Aside, &Aside::telling> telling_;
  Chain<Worker, &Worker::untelling> untelling_;
  Chain<Worker, &Worker::doing> doing_;
  std::vector<Deeds> parted_;  // of workers that have left
  PoolChain<Asked, &Asked::beside> ended_{asked_pool_};
  IndexedHeap<Worker, &Worker::timer_place, Due> worker_timers_;
  IndexedHeap<Asked, &Asked::deadline_place, Due> deadlines_;
  IndexedHeap<Session, &Session::lapse_place, Due> lapses_;
  std::map<std::pair<Instant, std::uint64_t>, Seat*> ramps_;  // by moment and order: seats in slow start
  std::uint64_t waiting_ = 0;
  std::uint64_t silent_ = 0;        // workers whose lease ran out
  bool behind_ = false;             // more workers are due than one step sees to
  std::uint64_t total_charge_ = 0;  // over all workers
  Instant protect_since_ = never;   // the brake on a mass expiry; on the lease clock
  Instant next_strike_;             // while it is on, not before this
  std::vector<Watcher> watchers_;
  std::array<std::uint64_t, static_cast<std::size_t>(Count::count_)> counters_{};
  std::array<std::uint64_t, static_cast<std::size_t>(Code::count_)> refused_{};  // by code
  std::array<std::uint64_t, static_cast<std::size_t>(Code::count_)> refused_tickets_{};  // by workers
  std::array<std::uint64_t, static_cast<std::size_t>(Ending::count_)> closed_{};
};

}  // namespace pointsman::broker
