// Time and the network of a simulation.

#include "test/sim/world.hpp"

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/notation.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

Instant Party::local(Instant global) const {
  const auto since = static_cast<double>(global.time_since_epoch().count());
  return Instant(offset_ + Duration(static_cast<std::int64_t>(since * drift_)));
}

Instant Party::local() const { return local(world_.now()); }

Instant Party::global(Instant local_time) const {
  if (local_time == never) return never;
  const auto since = static_cast<double>((local_time - Instant(offset_)).count());
  Instant global(Duration(static_cast<std::int64_t>(since / drift_)));
  while (local(global) < local_time) global += Duration(1);
  return global;
}

World::World(const Profile& profile, Chance chance) : profile_(profile), chance_(chance) {}

bool World::hit(Trouble trouble) {
  if (calm_ || !chance_.hit(profile_.of(trouble))) return false;
  count(trouble);
  return true;
}

void World::push(Instant at, Party* party, std::function<void()> act, bool alarm) {
  due_.push({at, ++orders_, party, party ? party->life_ : 0, alarm, std::move(act)});
}

void World::later(Party& party, Duration delay, std::function<void()> act) {
  push(now_ + delay, &party, std::move(act));
}

void World::later(Duration delay, std::function<void()> act) { push(now_ + delay, nullptr, std::move(act)); }

void World::run(Instant until) {
  while (!due_.empty() && due_.top().at <= until) {
    Due due = due_.top();
    due_.pop();
    now_ = due.at;
    Party* party = due.party;
    if (party && party->life_ != due.life) continue;
    if (party && party->paused_until_ > now_) {
      // What waits is taken up in order, messages before timers, as a transport does.
      due.at = party->paused_until_ + Duration(due.alarm ? 1 : 0);
      due.order = ++orders_;
      due_.push(std::move(due));
      continue;
    }
    ++events_;
    due.act();
  }
  now_ = until;
}

// ---------------------------------------------------------------------------------------------------

void World::listen(const std::string& endpoint, Party& party, Door door) { listeners_[endpoint] = {&party, door}; }

void World::deafen(const std::string& endpoint) {
  listeners_.erase(endpoint);
  for (auto& [id, line] : lines_)
    if (line.endpoint == endpoint) break_line(line);
}

void World::dial(Party& party, const Address& at, const std::string& endpoint) {
  const auto id = ++last_line_;
  Line line{.id = id, .dialler = &party, .at = at, .endpoint = endpoint, .peer = ++last_peer_,
            .codec = chance_.hit(0.3) ? Codec::json : Codec::msgpack, .envelope = {}};
  if (chance_.hit(0.3)) line.envelope = "e" + std::to_string(id);
  accepted_[line.peer] = id;
  dialled_[{party.name(), {static_cast<int>(at.door), at.peer}}] = id;
  lines_.emplace(id, std::move(line));
}

void World::hang_up(Party& party, const Address& at) {
  const auto key = std::pair{party.name(), std::pair{static_cast<int>(at.door), at.peer}};
  const auto found = dialled_.find(key);
  if (found == dialled_.end()) return;
  Line& line = lines_.at(found->second);
  accepted_.erase(line.peer);
  if (Party* other = acceptor(line); other && other->up() && chance_.hit(0.5)) {
    const auto door = listeners_.at(line.endpoint).door;
    later(*other, chance_.around(milliseconds(50)), [other, door, peer = line.peer] { other->arrive(Gone{door, peer}); });
  }
  lines_.erase(found->second);
  dialled_.erase(found);
}

void World::hang_up_all(Party& party) {
  std::vector<Address> all;
  for (const auto& [id, line] : lines_)
    if (line.dialler == &party) all.push_back(line.at);
  for (const auto& at : all) hang_up(party, at);
}

Party* World::acceptor(const Line& line) const {
  const auto found = listeners_.find(line.endpoint);
  return found == listeners_.end() ? nullptr : found->second.party;
}

World::Line* World::line_of(const Party& party, const Address& at, int& way) {
  const auto dialled = dialled_.find({party.name(), {static_cast<int>(at.door), at.peer}});
  if (dialled != dialled_.end()) {
    way = 0;
    return &lines_.at(dialled->second);
  }
  const auto accepted = accepted_.find(at.peer);
  if (accepted == accepted_.end()) return nullptr;
  way = 1;
  Line& line = lines_.at(accepted->second);
  return acceptor(line) == &party ? &line : nullptr;
}

std::string World::name_of(const Party& party, const Address& at) const {
  const auto dialled = dialled_.find({party.name(), {static_cast<int>(at.door), at.peer}});
  if (dialled != dialled_.end()) {
    const Party* other = acceptor(lines_.at(dialled->second));
    return other ? other->name() : "nobody";
  }
  const auto accepted = accepted_.find(at.peer);
  return accepted == accepted_.end() ? "somebody" : lines_.at(accepted->second).dialler->name();
}

void World::through_codec(Message& message, Codec codec) {
  const auto bytes = encode(message, codec);
  Codec seen{};
  auto read = decode(bytes, seen);
  if (const auto* fault = std::get_if<Fault>(&read))
    throw Violation("a message that a core sent cannot be read: " + fault->reason + ": " + to_line(message));
  if (seen != codec || std::get<Message>(read) != message)
    throw Violation("a message is not the same after the codec: " + to_line(message));
  message = std::get<Message>(std::move(read));
}

void World::send(Party& party, const Send& action) {
  int way = 0;
  Line* line = line_of(party, action.to, way);
  if (!line) {
    ++nobody_;
    return;
  }
  if (way == 1 && (action.to.codec != line->codec || action.to.envelope != line->envelope))
    throw Violation(party.name() + " answers in another codec or envelope: " + to_line(action.message));
  Message message = action.message;
  if (chance_.hit(0.2)) through_codec(message, line->codec);
  if (hit(Trouble::loss)) return;
  if (hit(Trouble::duplicate)) post(*line, way, message, action.payload);
  post(*line, way, std::move(message), action.payload);
}

void World::post(Line& line, int way, Message message, Payload payload) {
  Party* other = acceptor(line);
  auto at = now_ + chance_.around(profile_.delay) + Duration(20);
  if (hit(Trouble::delay)) at += chance_.around(milliseconds(800));
  if (other) {
    bool drops = false;
    const auto held = way == 0 ? held_up(*line.dialler, *other, drops) : held_up(*other, *line.dialler, drops);
    if (held > now_ && drops) return;
    at = std::max(at, held);
  }
  const auto index = static_cast<std::size_t>(way);
  if (!hit(Trouble::reorder)) line.clear[index] = at = std::max(at, line.clear[index]);
  Letter letter{line.id, line.broken, line.peer, way, now_, std::move(message), std::move(payload)};
  push(at, nullptr, [this, letter = std::move(letter)]() mutable { deliver(std::move(letter)); });
}

void World::deliver(Letter letter) {
  const auto found = lines_.find(letter.line);
  if (found == lines_.end()) return;
  Line& line = found->second;
  if (letter.broken != line.broken && now_ > line.survive[static_cast<std::size_t>(letter.way)]) return;
  Party* to = letter.way == 0 ? acceptor(line) : line.dialler;
  if (!to || !to->up()) {
    // Nobody listens there now. What was sent to a socket waits in it for a while.
    if (letter.way == 0 && ++letter.tries < 5) {
      letter.broken = line.broken;
      letter.peer = line.peer;
      later(milliseconds(300), [this, letter = std::move(letter)]() mutable { deliver(std::move(letter)); });
    }
    return;
  }
  Received received{line.at, std::move(letter.message), std::move(letter.payload)};
  if (letter.way == 0)
    received.from = Address{listeners_.at(line.endpoint).door, line.codec, letter.peer, line.envelope};
  const auto sent = letter.sent;
  auto act = [this, to, sent, event = std::move(received)]() mutable {
    age_ = now_ - sent;
    to->arrive(std::move(event));
  };
  if (to->paused_until_ > now_) push(now_, to, act);
  else act();
}

void World::rearm(Party& party) {
  if (!party.up()) return;
  auto at = std::max(party.global(party.deadline()), now_);
  if (at == party.alarm_at_ && at > now_) return;
  party.alarm_at_ = at;
  const auto alarm = ++party.alarm_;
  if (at == never) return;
  if (hit(Trouble::late_timer)) at += chance_.around(milliseconds(30));
  push(at, &party, [this, &party, alarm] {
    if (alarm != party.alarm_) return;
    party.alarm_at_ = never;
    party.turns_ = party.turned_ == now_ ? party.turns_ + 1 : 0;
    party.turned_ = now_;
    if (party.turns_ > 1000) throw Violation("the deadline of " + party.name() + " does not move on");
    party.elapse();
  }, true);
}

// ---------------------------------------------------------------------------------------------------

void World::pause(Party& party, Duration duration) {
  party.paused_until_ = std::max(party.paused_until_, now_ + duration);
}

void World::part(Party& a, Party* b, bool both, Duration duration) {
  std::erase_if(partings_, [this](const Parting& p) { return p.until <= now_; });
  partings_.push_back({&a, b, both, chance_.hit(0.5), now_ + duration});
}

// Until when nothing of `from` comes to `to`.
Instant World::held_up(const Party& from, const Party& to, bool& drops) const {
  Instant until{};
  for (const auto& p : partings_) {
    if (p.until <= now_) continue;
    const bool there = p.a == &from && (!p.b || p.b == &to);
    const bool back = p.a == &to && (!p.b || p.b == &from);
    if (!there && !(back && p.both)) continue;
    until = std::max(until, p.until);
    drops = drops || p.drops;
  }
  return until;
}

void World::break_line(Line& line) {
  ++line.broken;
  for (auto& until : line.survive) until = now_ + (chance_.hit(0.5) ? Duration(0) : chance_.around(profile_.delay));
  const auto old = line.peer;
  accepted_.erase(old);
  line.peer = ++last_peer_;
  accepted_[line.peer] = line.id;
  if (Party* other = acceptor(line); other && other->up() && chance_.hit(0.5)) {
    const auto door = listeners_.at(line.endpoint).door;
    later(*other, chance_.around(milliseconds(200)), [other, door, old] { other->arrive(Gone{door, old}); });
  }
}

void World::reset_one() {
  if (lines_.empty()) return;
  auto at = lines_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(chance_.below(lines_.size())));
  count(Trouble::reset);
  break_line(at->second);
}

void World::slow_one() {
  if (lines_.empty()) return;
  auto at = lines_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(chance_.below(lines_.size())));
  Line& line = at->second;
  Party* other = acceptor(line);
  if (!other || !other->up() || !line.dialler->up()) return;
  count(Trouble::slow_peer);
  ++line.broken;
  line.survive = {now_, now_};
  if (chance_.hit(0.5)) {
    later(*other, Duration(0), [other, door = listeners_.at(line.endpoint).door, peer = line.peer] {
      other->arrive(Gone{door, peer});
    });
  } else {
    later(*line.dialler, Duration(0), [to = line.dialler, at_ = line.at] { to->arrive(Gone{at_.door, at_.peer}); });
  }
}

void World::quiet() {
  calm_ = true;
  partings_.clear();
}

}  // namespace pointsman::sim
