// Questions of the core as errands; after one in vain the next member of the cluster is asked.
#include "broker/membership/member.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "protocol/system.hpp"

namespace pointsman::broker {

namespace {

constexpr Duration patience_max = std::chrono::seconds(3);

// What an answer means to the core.
MemberEvent event_of(const etcd::Lease& lease) { return Leased{lease.id, lease.term}; }
MemberEvent event_of(Duration kept) { return Kept{kept}; }
MemberEvent event_of(etcd::Gone) { return Revoked{}; }
MemberEvent event_of(const etcd::Member& member) {
  return Entered{member.lease, member.revision,
                 "the broker at " + member.row.clients + " has the name \"" + member.row.broker +
                     "\" since revision " + std::to_string(member.revision)};
}

}  // namespace

Member::Member(Transport& transport, finder::EtcdList list, BrokerRow row, Duration term,
               std::function<void(const Permit&)> permitted, std::function<void(const std::string&)> say)
    : list_(std::move(list)),
      row_(std::move(row)),
      patience_(std::min(term / 4, patience_max)),
      permitted_(std::move(permitted)),
      say_(std::move(say)),
      core_(term),
      errands_(transport) {}

void Member::tick() {
  if (!clash_.empty())
    throw TransportError(clash_ + "; stop that one, or give this one another name with --name");
  step(Elapsed{});
}

// `read` makes of the body of an answer what it says, or the trouble with it.
template <class Read>
void Member::ask(const etcd::Question& question, Read read) {
  const auto event = std::make_shared<MemberEvent>();
  const std::string& url = list_.urls[url_];
  const auto work = [event, url, question, read, patience = patience_] {
    const auto answer = etcd::ask(url, question, patience);
    const auto* body = std::get_if<std::string>(&answer);
    auto said = body != nullptr ? read(*body) : std::get<etcd::Trouble>(answer);
    if (const auto* trouble = std::get_if<etcd::Trouble>(&said)) {
      *event = Unanswered{url + ": " + trouble->text};
    } else {
      *event = event_of(std::get<0>(said));
    }
  };
  const bool runs = errands_.run(work, [this, event] {
    if (std::holds_alternative<Unanswered>(*event)) url_ = (url_ + 1) % list_.urls.size();
    step(*event);
  });
  if (!runs) step(Unanswered{"no descriptor is left"});
}

void Member::step(const MemberEvent& event) {
  MemberActions actions;
  core_.step(now(), event, actions);
  for (const MemberAction& action : actions) {
    if (const auto* permit = std::get_if<Permit>(&action)) permitted_(*permit);
    if (const auto* tell = std::get_if<Tell>(&action)) say_("\"" + row_.broker + "\": " + tell->text);
    if (const auto* clash = std::get_if<Clash>(&action)) clash_ = clash->who;
    if (const auto* it = std::get_if<AskLease>(&action)) ask(etcd::grant_lease(it->term), etcd::read_lease);
    if (const auto* it = std::get_if<AskEntry>(&action))
      ask(etcd::join(list_.prefix, row_, it->lease), etcd::read_joined);
    if (const auto* it = std::get_if<AskKept>(&action)) ask(etcd::keep_alive(it->lease), etcd::read_kept);
    if (const auto* it = std::get_if<AskRevoke>(&action)) ask(etcd::revoke(it->lease), etcd::read_revoked);
  }
}

}  // namespace pointsman::broker
