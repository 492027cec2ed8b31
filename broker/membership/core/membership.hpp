// Membership: keeps a broker in a list that many share, and says until when it may grant.
//
// A pure machine (protocol/machine.hpp). Whoever keeps the list, as etcd does, gives leases: an entry is made under a
// lease, and is gone when that ends. A term counts here from the sending of the question that renewed it, so it is over here
// before it is over there, whatever the clocks say and however long the answer took; and the last tenth of it is left
// unused (`margin`), since what was granted has to leave, and clocks do not run equally fast.
//
// Once its time was over, the broker is entered anew, even if its lease turns out to live: so whoever sees its entry's revision
// knows that all that was granted before is over.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::broker {

// ---------------------------------------------------------------------------------------------------
// Events: answers, each to the one question that is open

struct Leased {
  std::string lease;
  Duration term{0};
};

// Who is entered by this broker's name now.
struct Entered {
  std::string lease;
  std::uint64_t revision = 0;  // of its entry
  std::string who;             // for people
};

// The term of the lease from now on; none: it had ended.
struct Kept {
  Duration term{0};
};
struct Revoked {};

// No answer came, or none that makes sense. Whether the question counted is not known.
struct Unanswered {
  std::string why;
};

// The broker is about to stop, and grants nothing any more.
struct Departs {};

using MemberEvent = std::variant<Elapsed, Leased, Entered, Kept, Revoked, Unanswered, Departs>;

// ---------------------------------------------------------------------------------------------------
// Actions

// A question to whoever keeps the list.
struct AskLease {
  Duration term{0};
};
struct AskEntry {
  std::string lease;
};
struct AskKept {
  std::string lease;
};
struct AskRevoke {
  std::string lease;
};

// The broker may grant until then.
struct Permit {
  Instant until;
  std::uint64_t revision = 0;
};

// For the log.
struct Tell {
  std::string text;
};

// Another one that lives has the name of this broker, which cannot go on.
struct Clash {
  std::string who;
};

using MemberAction = std::variant<AskLease, AskEntry, AskKept, AskRevoke, Permit, Tell, Clash>;
using MemberActions = std::vector<MemberAction>;

class Membership {
 public:
  // `term`: the wish.
  explicit Membership(Duration term) : wish_(term), term_(term) {}

  void step(Instant now, const MemberEvent& event, MemberActions& out);
  Instant deadline() const;
  void check() const;

  static constexpr std::size_t former_max = 8;

  // Troubles that are told between two answers.
  static constexpr std::size_t troubles_max = 8;

  // After Departs: there is nothing left to wait for.
  bool departed() const { return departs_ && !asking_ && lease_.empty(); }

 private:
  enum class Stage : std::uint8_t {
    leasing,   // needs a lease
    entering,  // has one, and is not in the list
    clearing,  // what it left in the list itself goes first
    member,
  };

  void told(const Unanswered* trouble, MemberActions& out);
  void take(const Leased& answer, MemberActions& out);
  void take(const Entered& answer, MemberActions& out);
  void take(const Kept& answer, MemberActions& out);
  void take(const Revoked& answer, MemberActions& out);
  void take(const Unanswered& answer, MemberActions& out);
  void lose(const std::string& why, MemberActions& out);
  void drop_lease();
  void ask(MemberActions& out);
  void permit(MemberActions& out) const;

  Duration margin() const { return term_ / 10; }
  Duration pause() const { return term_ / 20; }  // after a question in vain
  // When the time to grant ends.
  Instant end() const { return renewed_ + term_ - margin(); }

  const Duration wish_;
  Duration term_;  // as given
  Stage stage_ = Stage::leasing;
  std::string lease_;               // empty: none
  std::deque<std::string> former_;  // before it, the last ones: an entry of theirs may still be there
  std::string cleared_;             // the one that is
  Instant renewed_{};               // the sending of the question by which the lease lives
  std::uint64_t revision_ = 0;
  Instant taken_ = never;  // since when somebody else is seen by our name
  std::vector<std::string> troubles_;  // told since the last answer; at most troubles_max
  bool asking_ = false;
  Instant asked_{};
  Instant due_{};  // the next question
  bool departs_ = false;
  Instant now_{};
};

}  // namespace pointsman::broker
