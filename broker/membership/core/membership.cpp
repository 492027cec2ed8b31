// One question at a time; what an answer means depends on the stage, and one to a question of an earlier stage means nothing.
#include "broker/membership/core/membership.hpp"

#include <algorithm>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::broker {

namespace {

// A broker that died is in the list until its lease has ended; by then whoever is there lives.
Duration patience_with_others(Duration term) { return term + term / 4 + std::chrono::seconds(1); }

std::string in_seconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

void Membership::step(Instant now, const MemberEvent& event, MemberActions& out) {
  now_ = std::max(now_, now);
  if (stage_ == Stage::member && now_ >= end()) lose("nobody renewed its lease", out);
  if (stage_ != Stage::leasing && now_ >= end()) drop_lease();
  if (std::holds_alternative<Departs>(event)) {
    departs_ = true;
  } else if (!std::holds_alternative<Elapsed>(event)) {
    MUST(asking_);
    asking_ = false;
    told(std::get_if<Unanswered>(&event), out);
  }
  std::visit(
      [&](const auto& e) {
        if constexpr (requires { take(e, out); }) take(e, out);
      },
      event);
  if (departs_) due_ = now_;
  if (!asking_ && due_ <= now_) ask(out);
}

// Each member of a cluster may have a trouble of its own: none is told twice until there is an answer.
void Membership::told(const Unanswered* trouble, MemberActions& out) {
  if (trouble == nullptr) {
    if (!troubles_.empty()) out.emplace_back(Tell{"the list of brokers can be had again"});
    return troubles_.clear();
  }
  const bool known = std::find(troubles_.begin(), troubles_.end(), trouble->why) != troubles_.end();
  if (known || troubles_.size() == troubles_max) return;
  troubles_.push_back(trouble->why);
  out.emplace_back(Tell{"the list of brokers cannot be had: " + trouble->why});
}

void Membership::take(const Leased& answer, MemberActions&) {
  lease_ = answer.lease;
  term_ = answer.term;
  renewed_ = asked_;
  stage_ = Stage::entering;
  due_ = now_;
}

void Membership::take(const Entered& answer, MemberActions& out) {
  if (stage_ != Stage::entering) return;
  if (answer.lease == lease_) {
    stage_ = Stage::member;
    revision_ = answer.revision;
    taken_ = never;
    due_ = asked_ + term_ / 4;
    out.emplace_back(Tell{"is in the list of brokers, with revision " + std::to_string(revision_)});
    return permit(out);
  }
  if (std::find(former_.begin(), former_.end(), answer.lease) != former_.end()) {
    stage_ = Stage::clearing;
    cleared_ = answer.lease;
    due_ = now_;
    return;
  }
  if (taken_ == never) {
    taken_ = now_;
    out.emplace_back(
        Tell{answer.who + "; if that one lives no more, its lease ends within " + in_seconds(term_)});
  }
  if (now_ - taken_ > patience_with_others(term_)) out.emplace_back(Clash{answer.who});
  due_ = now_ + pause();
}

void Membership::take(const Revoked&, MemberActions&) {
  if (departs_) lease_.clear();
  if (stage_ == Stage::clearing) stage_ = Stage::entering;
  due_ = now_;
}

void Membership::take(const Unanswered&, MemberActions&) {
  if (departs_) lease_.clear();
  taken_ = never;
  due_ = now_ + pause();
}

void Membership::take(const Kept& answer, MemberActions& out) {
  if (stage_ != Stage::member) return;
  if (answer.term == Duration{0}) return lose("its lease is not known any more", out);
  term_ = answer.term;
  renewed_ = asked_;
  due_ = asked_ + term_ / 4;
  permit(out);
}

void Membership::lose(const std::string& why, MemberActions& out) {
  drop_lease();
  out.emplace_back(Permit{now_, 0});
  out.emplace_back(Tell{"is not in the list of brokers any more: " + why});
}

void Membership::drop_lease() {
  stage_ = Stage::leasing;
  former_.push_back(std::exchange(lease_, {}));
  if (former_.size() > former_max) former_.pop_front();
  due_ = now_;
}

void Membership::permit(MemberActions& out) const {
  if (!departs_) out.emplace_back(Permit{end(), revision_});
}

void Membership::ask(MemberActions& out) {
  due_ = never;
  if (departs_ && lease_.empty()) return;
  asking_ = true;
  asked_ = now_;
  if (departs_) {
    out.emplace_back(AskRevoke{lease_});
  } else if (stage_ == Stage::leasing) {
    out.emplace_back(AskLease{wish_});
  } else if (stage_ == Stage::entering) {
    out.emplace_back(AskEntry{lease_});
  } else if (stage_ == Stage::clearing) {
    out.emplace_back(AskRevoke{cleared_});
  } else {
    out.emplace_back(AskKept{lease_});
  }
}

Instant Membership::deadline() const {
  if (departed()) return never;
  const Instant ask_at = asking_ ? never : due_;
  return stage_ == Stage::member ? std::min(ask_at, end()) : ask_at;
}

void Membership::check() const {
  MUST(departs_ || lease_.empty() == (stage_ == Stage::leasing));
  MUST(former_.size() <= former_max);
  MUST(troubles_.size() <= troubles_max);
  MUST(asking_ || due_ != never || departs_);
}

}  // namespace pointsman::broker
