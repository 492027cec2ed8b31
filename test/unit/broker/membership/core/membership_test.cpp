// Shows that a broker grants only while it is in the list of brokers, by a count of time that is over before the list's is.
#include "broker/membership/core/membership.hpp"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <random>

using namespace pointsman;
using namespace pointsman::broker;
using namespace std::chrono_literals;

namespace {

// The core with a clock; what it did last.
struct Talk {
  template <class Event>
  void at(Duration when, Event event) {
    actions.clear();
    core.step(Instant{} + 1h + when, event, actions);
    core.check();
  }
  template <class Action>
  const Action* did() const {
    for (const auto& action : actions) {
      if (const auto* found = std::get_if<Action>(&action)) return found;
    }
    return nullptr;
  }
  Duration until() const {
    REQUIRE(did<Permit>());
    return did<Permit>()->until - Instant{} - 1h;
  }
  Duration deadline() const { return core.deadline() - Instant{} - 1h; }

  // In the list at 0 s, with lease L1 of 10 s.
  void enter() {
    at(0s, Elapsed{});
    at(0s, Leased{"L1", 10s});
    at(0s, Entered{"L1", 5, "itself"});
  }

  Membership core{10s};
  MemberActions actions;
};

}  // namespace

TEST_CASE("membership: a lease, an entry, and then it may grant for nine tenths of the lease") {
  Talk talk;
  talk.at(0s, Elapsed{});
  REQUIRE(talk.did<AskLease>());
  CHECK(talk.did<AskLease>()->term == 10s);
  talk.at(1s, Leased{"L1", 10s});
  REQUIRE(talk.did<AskEntry>());
  CHECK(talk.did<AskEntry>()->lease == "L1");
  CHECK_FALSE(talk.did<Permit>());
  talk.at(2s, Entered{"L1", 5, "itself"});
  // From the sending of the question for the lease.
  CHECK(talk.until() == 9s);
  CHECK(talk.did<Permit>()->revision == 5);
}

TEST_CASE("membership: a renewal counts from the sending of its question, however late its answer is") {
  Talk talk;
  talk.enter();
  CHECK(talk.deadline() == 2500ms);
  talk.at(2500ms, Elapsed{});
  REQUIRE(talk.did<AskKept>());
  talk.at(8s, Kept{10s});
  CHECK(talk.until() == 11500ms);
  CHECK(talk.did<AskKept>());  // the next one is due since 5 s
}

TEST_CASE("membership: each trouble is told once until there is an answer") {
  Talk talk;
  talk.at(0s, Elapsed{});
  const auto told = [&](Duration at, const MemberEvent& answer) {
    talk.at(at, answer);
    const auto tell = talk.did<Tell>();
    std::string text = tell ? tell->text : "";
    if (talk.core.deadline() != never) talk.at(std::max(at, talk.deadline()), Elapsed{});  // asks again
    return text;
  };
  CHECK(told(1s, Unanswered{"one is silent"}).ends_with("one is silent"));
  CHECK(told(2s, Unanswered{"two lets in nobody"}).ends_with("two lets in nobody"));
  CHECK(told(3s, Unanswered{"one is silent"}).empty());
  CHECK(told(4s, Leased{"L1", 10s}).ends_with("can be had again"));
  CHECK(told(5s, Unanswered{"one is silent"}).ends_with("one is silent"));
  for (std::size_t i = 1; i < Membership::troubles_max; ++i)
    CHECK_FALSE(told(6s, Unanswered{std::to_string(i)}).empty());
  CHECK(told(7s, Unanswered{"one more"}).empty());
}

TEST_CASE("membership: without an answer it grants nothing, and is entered anew when there is one") {
  Talk talk;
  talk.enter();
  talk.at(2500ms, Elapsed{});
  talk.at(4s, Unanswered{"silence"});
  CHECK(talk.did<Tell>());
  talk.at(4500ms, Elapsed{});
  CHECK(talk.did<AskKept>());
  CHECK(talk.deadline() == 9s);
  talk.at(9s, Elapsed{});
  CHECK(talk.until() == 9s);
  CHECK(talk.did<Permit>()->revision == 0);
  // The lease lives after all; but it was counted as over.
  talk.at(9100ms, Kept{10s});
  CHECK_FALSE(talk.did<Permit>());
  REQUIRE(talk.did<AskLease>());
  talk.at(9200ms, Leased{"L2", 10s});
  talk.at(9300ms, Entered{"L1", 5, "itself"});
  CHECK_FALSE(talk.did<Permit>());
  REQUIRE(talk.did<AskRevoke>());
  CHECK(talk.did<AskRevoke>()->lease == "L1");
  talk.at(9400ms, Revoked{});
  talk.at(9500ms, Entered{"L2", 8, "itself"});
  CHECK(talk.until() == 18100ms);
  CHECK(talk.did<Permit>()->revision == 8);
}

TEST_CASE("membership: a lease that is not known any more ends the time to grant at once") {
  Talk talk;
  talk.enter();
  talk.at(2500ms, Elapsed{});
  talk.at(2600ms, Kept{});
  CHECK(talk.until() == 2600ms);
  CHECK(talk.did<AskLease>());
}

TEST_CASE("membership: an entry whose answer was lost is found to be its own") {
  Talk talk;
  talk.at(0s, Elapsed{});
  talk.at(0s, Leased{"L1", 10s});
  talk.at(1s, Unanswered{"silence"});
  talk.at(1500ms, Elapsed{});
  CHECK(talk.did<AskEntry>());
  talk.at(1600ms, Entered{"L1", 5, "itself"});
  CHECK(talk.until() == 9s);
}

TEST_CASE("membership: who has its name may have died, and is waited for, and one that lives ends it") {
  Talk talk;
  talk.at(0s, Elapsed{});
  talk.at(0s, Leased{"L1", 10s});
  talk.at(0s, Entered{"X", 3, "the broker at tcp://x"});
  REQUIRE(talk.did<Tell>());
  CHECK(talk.did<Tell>()->text.find("tcp://x") != std::string::npos);
  Duration when{0};
  std::string lease = "L1";
  while (!talk.did<Clash>()) {
    REQUIRE(when < 20s);
    CHECK_FALSE(talk.did<Permit>());
    when = talk.deadline();
    talk.at(when, Elapsed{});
    if (talk.did<AskLease>()) talk.at(when, Leased{lease += "+", 10s});
    REQUIRE(talk.did<AskEntry>());
    talk.at(when, Entered{"X", 3, "the broker at tcp://x"});
  }
  CHECK(when > 13s);
  CHECK(talk.did<Clash>()->who == "the broker at tcp://x");
}

TEST_CASE("membership: a broker that departs revokes its lease, and waits for nothing else") {
  Talk talk;
  talk.enter();
  talk.at(1s, Departs{});
  REQUIRE(talk.did<AskRevoke>());
  CHECK(talk.did<AskRevoke>()->lease == "L1");
  CHECK_FALSE(talk.core.departed());
  talk.at(1s, Revoked{});
  CHECK(talk.core.departed());
  CHECK(talk.core.deadline() == never);

  Talk early;
  early.at(0s, Elapsed{});
  early.at(1s, Departs{});
  early.at(2s, Leased{"L1", 10s});
  REQUIRE(early.did<AskRevoke>());
  early.at(3s, Unanswered{"silence"});
  CHECK(early.core.departed());

  Talk busy;
  busy.enter();
  busy.at(2500ms, Elapsed{});
  busy.at(3s, Departs{});
  busy.at(4s, Kept{10s});
  CHECK(busy.did<AskRevoke>());
  CHECK_FALSE(busy.did<Permit>());
}

namespace {

// Etcd as it may be: slow, away, forgetful of leases that nobody renews, and with a clock a little faster than ours.
class Etcd {
 public:
  explicit Etcd(std::uint64_t seed) : chance_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return chance_() % bound; }

  // What a question comes to that arrives now.
  MemberEvent answer(Instant at, const MemberAction& action, Duration term) {
    expire(at);
    if (std::holds_alternative<AskLease>(action)) {
      const std::string lease = "L" + std::to_string(++leases_seen_);
      leases_[lease] = at + term * 99 / 100;
      return Leased{lease, term};
    }
    if (const auto* it = std::get_if<AskEntry>(&action)) {
      if (!leases_.contains(it->lease)) return Unanswered{"lease not found"};
      if (!entry_) entry_ = Entered{it->lease, ++revision_, "somebody"};
      return *entry_;
    }
    if (const auto* it = std::get_if<AskKept>(&action)) {
      if (!leases_.contains(it->lease)) return Kept{};
      leases_[it->lease] = at + term * 99 / 100;
      return Kept{term};
    }
    revoke(std::get<AskRevoke>(action).lease);
    return Revoked{};
  }

  // Another broker of that name comes, if it can, for a while.
  void other(Instant at, Duration term) {
    expire(at);
    if (entry_) return;
    leases_["X"] = at + term;
    entry_ = Entered{"X", ++revision_, "another"};
  }

  // Until when the broker's own entry stands, if nobody renews it; `at` the latest.
  Instant stands(Instant at) {
    expire(at);
    if (!entry_ || entry_->lease == "X") return at;
    return leases_.at(entry_->lease);
  }
  std::uint64_t revision() const { return revision_; }

 private:
  void expire(Instant at) {
    std::erase_if(leases_, [&](const auto& lease) { return lease.second <= at; });
    if (entry_ && !leases_.contains(entry_->lease)) entry_.reset();
  }
  void revoke(const std::string& lease) {
    leases_.erase(lease);
    if (entry_ && entry_->lease == lease) entry_.reset();
  }

  std::mt19937_64 chance_;
  std::map<std::string, Instant> leases_;
  std::optional<Entered> entry_;
  std::uint64_t leases_seen_ = 0, revision_ = 0;
};

}  // namespace

TEST_CASE("membership: whatever etcd does, the time to grant is over before the entry is gone") {
  constexpr Duration term = 10s;
  std::uint64_t permits = 0, losses = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Etcd etcd(seed);
    Membership core(term);
    Instant now = Instant{} + 1h, until{};
    std::uint64_t revision = 0;  // of the last entry by which something was granted
    bool lost = false;
    std::optional<MemberAction> open;
    bool clash = false;
    const auto step = [&](const MemberEvent& event) {
      MemberActions actions;
      core.step(now, event, actions);
      core.check();
      for (const MemberAction& action : actions) {
        if (const auto* permit = std::get_if<Permit>(&action)) {
          ++permits;
          CHECK(permit->until < std::max(etcd.stands(now), now + 1us));
          if (lost && permit->until > now) CHECK(permit->revision > revision);
          if (permit->until > now) revision = permit->revision;
          losses += permit->revision == 0;
          lost = permit->revision == 0;
          until = permit->until;
        } else if (std::holds_alternative<Clash>(action)) {
          clash = true;
        } else if (!std::holds_alternative<Tell>(action)) {
          REQUIRE_FALSE(open);
          open = action;
        }
      }
    };
    step(Elapsed{});
    for (int turn = 0; turn < 200 && !clash; ++turn) {
      // Nobody is entered in its place while it may grant.
      if (now < until) CHECK(etcd.stands(now) > now);
      if (etcd.below(20) == 0) etcd.other(now, std::chrono::seconds(etcd.below(12)));
      if (!open) {
        now = std::max(now, core.deadline());
        if (etcd.below(10) == 0) now += std::chrono::milliseconds(etcd.below(12'000));  // overslept
        step(Elapsed{});
        continue;
      }
      const MemberAction question = *open;
      open.reset();
      const bool slow = etcd.below(4) == 0;
      const auto way = [&] { return std::chrono::milliseconds(etcd.below(slow ? 6000 : 40)); };
      const bool arrives = etcd.below(6) != 0;
      const bool returns = arrives && etcd.below(6) != 0;
      MemberEvent event = Unanswered{"silence"};
      const auto pass = [&](Duration time) {
        // The core wakes meanwhile, if it wants to.
        const Instant then = now + time;
        while (core.deadline() <= then && core.deadline() > now) {
          now = core.deadline();
          MemberActions none;
          core.step(now, Elapsed{}, none);
          for (const auto& action : none) {
            if (const auto* permit = std::get_if<Permit>(&action)) {
              until = permit->until;
              lost = true;
              ++losses;
            }
          }
        }
        now = std::max(now, then);
        if (now < until) CHECK(etcd.stands(now) > now);
      };
      pass(way());
      if (arrives) {
        const MemberEvent said = etcd.answer(now, question, term);
        if (returns) event = said;
      }
      pass(way());
      step(event);
    }
  }
  CHECK(permits > 10'000);
  CHECK(losses > 1000);
}
