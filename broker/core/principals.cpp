// Principals at the broker: who comes with which key, what it may do, and what becomes of its things when it may not.
#include <algorithm>

#include "broker/core/broker.hpp"

namespace pointsman::broker {

namespace {

Milliseconds up_to_ms(Duration duration) { return std::chrono::ceil<Milliseconds>(duration); }

// Refusals that somebody should look at.
bool of_security(Code code) {
  switch (code) {
    case Code::unknown_key:
    case Code::not_allowed:
    case Code::not_yours:
    case Code::over_quota:
    case Code::too_fast:
    case Code::wrong_role:
    case Code::name_taken:
      return true;
    default:
      return false;
  }
}

std::string rights_of(const Allowance& allowance) { return to_line(allowance); }

}  // namespace

std::uint32_t hash_of(const Principal& owner, std::string_view client) {
  return mixed(std::hash<std::string_view>()(client) + owner.number);
}

std::uint32_t hash_of(const Client& client, std::string_view id) {
  return mixed(std::hash<std::string_view>()(id) + client.hash);
}

Client* Broker::find_client(const Principal& owner, std::string_view name) const {
  return clients_.find(hash_of(owner, name), [&](const Client& client) {
    return client.name.view() == name && client.owner == &owner;
  });
}

// The client, made if need be, for whoever uses it next.
Client& Broker::need_client(Principal& owner, std::string_view name) {
  if (Client* known = find_client(owner, name)) return *known;
  Client& client = client_pool_.make();
  client.owner = &owner;
  client.name = Text(name);
  client.hash = hash_of(owner, name);
  client.holder = holder_of(name);
  clients_.insert(client.hash, client);
  return client;
}

void Broker::let_go(Client& client) {
  if (--client.uses > 0) return;
  clients_.erase(client.hash, client);
  client_pool_.free(client);
}

// Who holds this key; nobody if it is not allowed. A lookup; only a key that comes for the first time makes a record.
Principal* Broker::identify(const PublicKey& key) {
  if (!keys_) return &everybody_;
  if (const auto known = principals_.find(key); known != principals_.end()) {
    return known->second->barred ? nullptr : known->second.get();
  }
  const Allowance* may = keys_->find(key);
  if (!may || may->standing != Standing::good) return nullptr;
  auto owned = std::make_unique<Principal>(asked_pool_, session_pool_);
  owned->key = key;
  owned->number = ++principals_seen_;
  owned->may = may;
  if (informed_) owned->known = known_of(About::key, to_z85(key));
  principals_by_number_.emplace(owned->number, owned.get());
  return principals_.emplace(key, std::move(owned)).first->second.get();
}

// The owner of a session that a worker says it holds. Whose key says nothing, or is not allowed, is nobody's.
Principal& Broker::owner_of(const Held& held) {
  Principal* owner = identify(key_of(held.key));
  return owner ? *owner : everybody_;
}

// Whether the message in hand may be handled; else it is answered. Sets what the handlers ask for.
bool Broker::may(const Right& right, const Address& from, Principal* who, Refused about) {
  principal_ = who;
  if (!who) {
    count(Count::unknown_keys);
    refuse(from, right.op, Code::unknown_key, "this key is not allowed here, not any more, or its time is over",
           "have it allowed: pointsman keys allow", std::move(about));
    return false;
  }
  scope_ = who->may ? right.of(who->may->roles) : Scope::all;
  if (scope_ == Scope::none) {
    refuse(from, right.op, Code::not_allowed,
           "a key with the roles " + to_text(who->may->roles) + " may not send " + std::string(right.op),
           "use a key with another role", std::move(about));
    return false;
  }
  if (!right.metered || within_rate(*who)) return true;
  about.retry_ms = up_to_ms(who->meter.wait(now_, who->may->rate, who->may->burst));
  refuse(from, right.op, Code::too_fast,
         "this key may send " + std::to_string(who->may->rate) + " messages a second, and " +
             std::to_string(who->may->burst) + " at once",
         "send less, or have its rate raised", std::move(about));
  return false;
}

bool Broker::within_rate(Principal& who) {
  return !who.may || who.may->rate == 0 || who.meter.take(now_, who.may->rate, who.may->burst);
}

// Whether the principal of the message in hand may know of this service.
bool Broker::sees(const Service& service) const {
  return scope_ == Scope::all || may_ask(*principal_->may, service.name) || may_offer(*principal_->may, service.name);
}

// The table of keys while running. What a key may not have any more ends at once.
void Broker::exchange(const Allowed& event) {
  if (!event.keys || event.keys == keys_) return;
  const auto before = std::exchange(keys_, event.keys);
  std::vector<Principal*> all;
  if (!before) all.push_back(&everybody_);
  for (const auto& entry : principals_by_number_) all.push_back(entry.second);
  for (Principal* who : all) {
    const Allowance* may = who->number == 0 ? nullptr : keys_->find(who->key);
    who->may = may && may->standing == Standing::good ? may : nullptr;
    who->barred = who->may == nullptr;
  }
  if (before) record_changes(*before);
  for (Principal* who : all) enforce(*who);
  std::erase_if(principals_by_number_, [this](const auto& entry) {
    const Principal& who = *entry.second;
    if (!who.barred || !who.empty()) return false;
    principals_.erase(PublicKey(who.key));
    return true;
  });
}

void Broker::record_changes(const AllowedKeys& before) {
  const auto good = [](const Allowance* one) { return one && one->standing == Standing::good; };
  for (const Allowance& old : before.list()) {
    if (!good(&old) || good(keys_->find(old.key))) continue;
    count(Count::keys_revoked);
    audit({.what = Audited::revoked, .key = old.key, .name = old.name});
  }
  for (const Allowance& one : keys_->list()) {
    const Allowance* old = before.find(one.key);
    if (!good(&one) || (good(old) && *old == one)) continue;
    audit({.what = good(old) ? Audited::changed : Audited::allowed,
           .key = one.key,
           .name = one.name,
           .detail = rights_of(one)});
  }
}

// Takes from a principal what it may not have any more: workers leave the list and are told to stop, waiting requests
// are refused, and the workers of its sessions are told to end them.
void Broker::enforce(Principal& who) {
  const Allowance* may = who.may;
  const std::string why = may ? "the rights of its key were changed" : "its key is not allowed any more";
  const Known* known = who.known;
  for (Worker* worker = who.workers.first(); worker;) {
    Worker* after = who.workers.after(*worker);
    const bool fine = may && (may->roles.has(Role::worker) || may->roles.has(Role::peer)) &&
                      std::all_of(worker->seats.begin(), worker->seats.end(),
                                  [&](const Seat& seat) {
                                    const std::string& service = seat.service->name;
                                    return may_offer(*may, service) && (!known || fits(known->offers, service));
                                  });
    if (!fine) {
      send(*worker, Drain{.worker = worker->name, .mode = DrainMode::forget});
      strike_off(*worker, Happening::left, why);
    }
    worker = after;
  }
  const auto asks = [&](const std::string& service) {
    return may && may->roles.has(Role::client) && may_ask(*may, service) && (!known || fits(known->asks, service));
  };
  for (Asked* asked = who.waiting.first(); asked;) {
    Asked* after = who.waiting.after(*asked);
    if (!asks(asked->service_name.str())) {
      refuse_waiting(*asked, may ? Code::not_allowed : Code::unknown_key, why, "use another key");
    }
    asked = after;
  }
  for (Session* session = who.sessions.first(); session; session = who.sessions.after(*session)) {
    if (asks(session->seat->service->name)) continue;
    if (!session->released) release(*session);
    if (session->asked && session->asked->updates) {
      send(session->asked->from.address(),
           Lost{.session = session->id, .id = session->asked->id, .reason = why});
    }
  }
  const bool watches = may && (may->roles.has(Role::client) || may->roles.has(Role::admin));
  if (watches) return;
  drop_watchers([&](const Watcher& watcher) { return watcher.owner == &who; });
}

void Broker::audit(Audit record) {
  if (!options_.audit) return;
  const bool refusal = record.what == Audited::refused || record.what == Audited::tickets;
  Meter& meter = refusal ? refusals_meter_ : changes_meter_;
  std::uint64_t& left_out = refusal ? refusals_left_out_ : changes_left_out_;
  if (!meter.take(now_, refusal ? options_.audit_refusals : options_.audit_changes,
                  refusal ? options_.audit_refusals_burst : options_.audit_changes_burst)) {
    ++left_out;
    return count(Count::audit_left_out);
  }
  record.left_out = std::exchange(left_out, 0);
  out_->push_back(std::move(record));
}

// Of the message in hand, if it is refused for a reason of security.
void Broker::audit_refusal(const Refused& refused) {
  if (!options_.audit || !asker_ || !of_security(refused.code)) return;
  audit({.what = Audited::refused,
         .key = *asker_,
         .name = principal_ ? std::string(principal_->name()) : "",
         .code = refused.code,
         .about = refused.about,
         .id = refused.id,
         .session = refused.session,
         .detail = refused.reason});
}

}  // namespace pointsman::broker
