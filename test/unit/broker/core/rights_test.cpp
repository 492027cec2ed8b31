// Shows that each role may send what the table of rights says, and nothing else; and that rates and budgets are exact.
#include "broker/core/rights.hpp"

#include <doctest/doctest.h>

#include "broker/core/broker.hpp"
#include "test/unit/protocol/random_messages.hpp"

using namespace pointsman;
using namespace pointsman::broker;
using namespace std::chrono_literals;

namespace {

PublicKey key_of_role(Role role) {
  PublicKey key;
  key.bytes.fill(static_cast<std::uint8_t>(1 + static_cast<int>(role)));
  return key;
}

Allowance allowance_of(Role role) {
  Allowance allowance;
  allowance.key = key_of_role(role);
  allowance.name = std::string(word(role));
  allowance.roles.add(role);
  return allowance;
}

// The code with which a message of that role is refused, Code::none if it is not.
template <class M>
Code code_of(Role role, Door door) {
  Options options;
  options.master.data.assign(32, 'm');
  Broker broker(options);
  std::vector<Allowance> list;
  for (const Role one : {Role::client, Role::worker, Role::peer, Role::admin}) {
    list.push_back(allowance_of(one));
  }
  Actions actions;
  broker.step(Instant{1h}, Allowed{std::make_shared<const AllowedKeys>(std::move(list))}, actions);
  Dice dice(7);
  broker.step(Instant{1h}, Received{{.door = door, .peer = 1}, random_object<M>(dice, Fill::required_only), {}, key_of_role(role)},
              actions);
  broker.check();
  for (const Action& action : actions) {
    const auto* send = std::get_if<Send>(&action);
    if (const auto* refused = send ? std::get_if<Refused>(&send->message) : nullptr) return refused->code;
  }
  return Code::none;
}

template <class M>
void check_roles() {
  const Right right = right_of(M::op);
  for (const Role role : {Role::client, Role::worker, Role::peer, Role::admin}) {
    for (const Door door : {Door::clients, Door::workers}) {
      CAPTURE(M::op);
      CAPTURE(word(role));
      const Code code = code_of<M>(role, door);
      const bool by_this = door == Door::workers ? right.workers : right.clients;
      CHECK((code == Code::wrong_role) == !by_this);
      if (by_this) CHECK((code == Code::not_allowed) == (right.of(role) == Scope::none));
    }
  }
}

template <class... Ms>
void check_all(const std::variant<Ms...>*) {
  (check_roles<Ms>(), ...);
}

}  // namespace

TEST_CASE("each role may send what the table of rights says and nothing else") {
  check_all(static_cast<const Message*>(nullptr));
}

TEST_CASE("a meter takes its burst at once and its rate for ever") {
  Meter meter;
  Instant now{1h};
  for (int i = 0; i < 5; ++i) CHECK(meter.take(now, 10, 5));
  CHECK_FALSE(meter.take(now, 10, 5));
  CHECK(meter.wait(now, 10, 5) == 100ms);
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    now += 1ms;
    taken += meter.take(now, 10, 5);
  }
  CHECK(taken == 100);
  now += 1h;
  for (int i = 0; i < 5; ++i) CHECK(meter.take(now, 10, 5));
  CHECK_FALSE(meter.take(now, 10, 5));
}

TEST_CASE("a key that floods neither fills the audit nor pushes registrations out of it") {
  Options options;
  options.master.data.assign(32, 'm');
  options.audit = true;
  options.audit_refusals = 1;
  options.audit_refusals_burst = 10;
  Broker broker(options);
  const PublicKey wim = key_of_role(Role::worker);
  Actions actions;
  const std::vector<Allowance> list{allowance_of(Role::worker)};
  broker.step(Instant{1h}, Allowed{std::make_shared<const AllowedKeys>(list)}, actions);
  const PublicKey eve = key_of_role(Role::admin);
  std::size_t refusals = 0;
  for (int i = 0; i < 10'000; ++i) {
    actions.clear();
    broker.step(Instant{1h} + i * 1ms, Received{{.door = Door::clients, .peer = 9}, Hello{}, {}, eve}, actions);
    for (const Action& action : actions) refusals += std::holds_alternative<Audit>(action);
  }
  CHECK(refusals >= 18);
  CHECK(refusals <= 20);
  actions.clear();
  broker.step(Instant{1h} + 11s,
              Received{{.door = Door::workers, .peer = 1},
                       Register{.worker = "w", .instance = "i", .services = {{.service = "zip"}}, .endpoint = "tcp://127.0.0.1:9"},
                       {},
                       wim},
              actions);
  REQUIRE(!actions.empty());
  const auto* record = std::get_if<Audit>(&actions.back());
  REQUIRE(record != nullptr);
  CHECK(record->what == Audited::registered);
  CHECK(record->left_out == 0);
}
