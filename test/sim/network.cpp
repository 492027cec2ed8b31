// The network of a simulation.

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/notation.hpp"
#include "test/sim/world.hpp"

namespace pointsman::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Of what a connection carried so much can come again.
constexpr std::size_t remembered = 32;

// What a core says is written and read in both codecs, as it would be on its way.
Message through_codec(const Message& message, Codec codec) {
  const auto bytes = encode(message, codec);
  Codec seen{};
  auto read = decode(bytes, seen);
  if (const auto* fault = std::get_if<Fault>(&read))
    throw Violation(73, "a message that a core sent cannot be read: " + fault->reason + ": " + to_line(message));
  if (seen != codec || std::get<Message>(read) != message)
    throw Violation(73, "a message is not the same after the codec: " + to_line(message));
  return std::get<Message>(std::move(read));
}

}  // namespace

// What was sent while nobody listened waits at its sender, and goes to whoever listens next.
void World::listen(const std::string& endpoint, Party& party, Door door) {
  listeners_[endpoint] = {&party, door};
  for (auto& [id, line] : lines_) {
    if (line.endpoint != endpoint || line.queue.empty()) continue;
    const auto at = std::max(line.clear[0], now_ + line.chance.around(milliseconds(100)));
    line.clear[0] = at;
    push(at, nullptr, [this, id = id] { flush(id); });
  }
}

void World::flush(std::uint64_t id) {
  const auto found = lines_.find(id);
  if (found == lines_.end()) return;
  for (auto queue = std::exchange(found->second.queue, {}); auto& letter : queue) {
    const auto still = lines_.find(id);
    if (still == lines_.end()) return;
    letter.broken = still->second.broken;
    letter.peer = still->second.peer;
    if (letter.until >= now_) deliver(std::move(letter));
  }
}

void World::deafen(const std::string& endpoint) {
  listeners_.erase(endpoint);
  for (auto& [id, line] : lines_)
    if (line.endpoint == endpoint) break_line(line);
}

void World::dial(Party& party, const Address& at, const std::string& endpoint) {
  const auto id = ++last_line_;
  Line line{.id = id, .dialler = &party, .at = at, .endpoint = endpoint, .peer = ++last_peer_,
            .codec = chance_.hit(0.3) ? Codec::json : Codec::msgpack, .envelope = {}, .chance = chance_.fork()};
  if (chance_.hit(0.3)) line.envelope = "e" + std::to_string(id);
  accepted_[line.peer] = id;
  party.dialled_[{at.door, at.peer}] = id;
  lines_.emplace(id, std::move(line));
}

void World::tell_gone(Line& line, std::uint64_t peer, Duration mean) {
  Party* other = acceptor(line);
  if (!other || !other->up() || !line.chance.hit(0.5)) return;
  const auto door = listeners_.at(line.endpoint).door;
  later(*other, line.chance.around(mean), [other, door, peer] { other->arrive(Gone{door, peer}); });
}

void World::hang_up(Party& party, const Address& at) {
  const auto found = party.dialled_.find({at.door, at.peer});
  if (found == party.dialled_.end()) return;
  Line& line = lines_.at(found->second);
  accepted_.erase(line.peer);
  tell_gone(line, line.peer, milliseconds(50));
  lines_.erase(found->second);
  party.dialled_.erase(found);
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

const World::Line* World::line_of(const Party& party, const Address& at, int& way) const {
  const auto dialled = party.dialled_.find({at.door, at.peer});
  if (dialled != party.dialled_.end()) {
    way = 0;
    return &lines_.at(dialled->second);
  }
  const auto accepted = accepted_.find(at.peer);
  if (accepted == accepted_.end()) return nullptr;
  way = 1;
  const Line& line = lines_.at(accepted->second);
  return acceptor(line) == &party ? &line : nullptr;
}

std::string World::name_of(const Party& party, const Address& at) const {
  const auto dialled = party.dialled_.find({at.door, at.peer});
  if (dialled != party.dialled_.end()) {
    const Party* other = acceptor(lines_.at(dialled->second));
    return other ? other->name() : "nobody";
  }
  const auto accepted = accepted_.find(at.peer);
  return accepted == accepted_.end() ? "somebody" : lines_.at(accepted->second).dialler->name();
}

void World::send(Party& party, const Send& action) {
  int way = 0;
  const Line* found = line_of(party, action.to, way);
  if (!found) return;
  Line& line = lines_.at(found->id);
  if (way == 1 && (action.to.codec != line.codec || action.to.envelope != line.envelope))
    throw Violation(74, party.name() + " answers in another codec or envelope: " + to_line(action.message));
  const auto times = hit(Trouble::loss) ? 0 : hit(Trouble::duplicate) ? 2 : 1;
  if (times == 2) note_copy(action.message, action.payload);
  for (int i = 0; i < times; ++i)
    post(line, way, line.chance.hit(0.1) ? through_codec(action.message, line.codec) : action.message, action.payload);
}

// Bits flip on the way, or the end is missing. A link that is checked drops what can still be read.
std::variant<Message, Fault> World::garbled(const Message& message, Line& line) {
  auto bytes = encode(message, line.codec);
  const auto at = line.chance.below(bytes.size());
  if (line.chance.hit(0.3)) bytes.resize(at);
  else bytes[at] = static_cast<char>(bytes[at] ^ (1 << line.chance.below(8)));
  Codec seen{};
  return decode(bytes, seen);
}

void World::post(Line& line, int way, Message message, Payload payload) {
  Party* other = acceptor(line);
  // In calm even the slowest answer comes before anybody takes its sender for dead.
  const auto way_takes = line.chance.around(profile_.delay);
  auto at = now_ + (calm_ ? std::min(way_takes, 3 * profile_.delay) : way_takes) + Duration(20);
  if (line.dark > now_) return;
  if (hit(Trouble::delay)) at += line.chance.around(milliseconds(800));
  if (other) {
    bool drops = false;
    const auto held = way == 0 ? held_up(*line.dialler, *other, drops) : held_up(*other, *line.dialler, drops);
    if (held > now_ && drops) return;
    at = std::max(at, held);
  }
  Letter letter{line.id, line.broken, line.peer, way, now_, std::move(message), std::move(payload)};
  if (hit(Trouble::garble)) {
    letter.body = garbled(std::get<Message>(letter.body), line);
    if (std::holds_alternative<Message>(letter.body)) return;
  }
  const auto index = static_cast<std::size_t>(way);
  if (!hit(Trouble::reorder)) line.clear[index] = at = std::max(at, line.clear[index]);
  keep(line, letter);
  auto act = [this, letter = std::make_shared<Letter>(std::move(letter))] { deliver(std::move(*letter)); };
  push(at, nullptr, std::move(act));
}

void World::note_copy(const Message& message, const Payload& payload) {
  if (std::holds_alternative<Call>(message) && !payload.empty()) ++copies_[payload[0].str()];
}

std::uint64_t World::copies(const std::string& call) const {
  const auto found = copies_.find(call);
  return found == copies_.end() ? 0 : found->second;
}

void World::keep(Line& line, const Letter& letter) {
  if (profile_.of(Trouble::echo) <= 0 || calm_ || !std::holds_alternative<Message>(letter.body)) return;
  line.said.push_back(letter);
  if (line.said.size() > remembered) line.said.pop_front();
}

// A connection says something again, whatever it was: first a kind of message is chosen, so that rare ones come, too.
void World::echo_one() {
  Line* line = some_line();
  // Half of them between a worker and its broker, for there are few of those.
  std::vector<Line*> of_workers;
  for (auto& [id, other] : lines_)
    if (other.dialler->role() == Role::worker || other.dialler->role() == Role::uplink)
      of_workers.push_back(&other);
  if (!of_workers.empty() && chance_.hit(0.5)) line = chance_.pick(of_workers);
  if (!line || line->said.empty()) return;
  std::map<std::size_t, std::vector<const Letter*>> kinds;
  for (const auto& letter : line->said) kinds[std::get<Message>(letter.body).index()].push_back(&letter);
  const auto kind = std::next(kinds.begin(), static_cast<std::ptrdiff_t>(chance_.below(kinds.size())));
  Letter letter = *chance_.pick(kind->second);
  letter.broken = line->broken;
  letter.peer = line->peer;
  note_copy(std::get<Message>(letter.body), letter.payload);
  push(now_ + line->chance.around(profile_.delay) + Duration(20), nullptr,
       [this, letter = std::make_shared<Letter>(std::move(letter))] { deliver(std::move(*letter)); });
}

void World::deliver(Letter letter) {
  const auto found = lines_.find(letter.line);
  if (found == lines_.end()) return;
  Line& line = found->second;
  if (letter.broken != line.broken && now_ > line.survive[static_cast<std::size_t>(letter.way)]) return;
  Party* to = letter.way == 0 ? acceptor(line) : line.dialler;
  if (to && to->up()) return hand_over(line, std::move(letter), *to);
  // Nobody listens there now.
  if (letter.way == 1) return;
  letter.until = now_ + (hit(Trouble::stale) ? seconds(20) : milliseconds(1500));
  line.queue.push_back(std::move(letter));
}

void World::hand_over(Line& line, Letter letter, Party& to) {
  Address from = line.at;
  if (letter.way == 0) from = Address{listeners_.at(line.endpoint).door, line.codec, letter.peer, line.envelope};
  Incoming incoming = Gone{};
  if (auto* fault = std::get_if<Fault>(&letter.body)) incoming = Garbled{from, std::move(*fault)};
  else incoming = Received{from, std::get<Message>(std::move(letter.body)), std::move(letter.payload)};
  auto act = [this, &to, sent = letter.sent, event = std::make_shared<Incoming>(std::move(incoming))] {
    age_ = now_ - sent;
    to.arrive(std::move(*event));
  };
  if (to.paused_until_ > now_) push(now_, &to, act);
  else turn(&to, act);
}

// ---------------------------------------------------------------------------------------------------
// Trouble

// A partition. If it swallows what is sent, a faithful network breaks the connections in the end: no connection goes on
// after a gap.
void World::part(Party& a, Party* b, bool both, Duration delay, Duration duration) {
  std::erase_if(partings_, [this](const Parting& p) { return p.until <= now_; });
  const bool drops = chance_.hit(0.5);
  partings_.push_back({&a, b, both, drops, now_ + delay, now_ + delay + duration});
  if (!drops || profile_.network == Network::hostile) return;
  later(delay + duration, [this, &a, b] {
    if (!calm_) break_between(a, b);  // quiet() did
  });
}

void World::break_between(const Party& a, const Party* b) {
  for (auto& [id, line] : lines_) {
    const Party* other = acceptor(line);
    const bool of_a = line.dialler == &a || other == &a;
    if (of_a && (!b || line.dialler == b || other == b)) break_line(line);
  }
}

void World::bridge(Duration duration) {
  partings_.push_back({nullptr, nullptr, true, profile_.network == Network::hostile && chance_.hit(0.5), now_, now_ + duration});
}

// Until when nothing of `from` comes to `to`.
Instant World::held_up(const Party& from, const Party& to, bool& drops) const {
  Instant until{};
  for (const auto& p : partings_) {
    if (p.until <= now_ || p.from > now_) continue;
    if (!p.a) {
      const bool apart = (from.role() == Role::client && to.role() == Role::worker) ||
                         (from.role() == Role::worker && to.role() == Role::client);
      if (!apart) continue;
    } else {
      const bool there = p.a == &from && (!p.b || p.b == &to);
      const bool back = p.a == &to && (!p.b || p.b == &from);
      if (!there && !(back && p.both)) continue;
    }
    until = std::max(until, p.until);
    drops = drops || p.drops;
  }
  return until;
}

void World::hold(Party& party, const Address& at, Instant until) {
  const auto found = party.dialled_.find({at.door, at.peer});
  if (found == party.dialled_.end()) return;
  auto& clear = lines_.at(found->second).clear[0];
  clear = std::max(clear, until);
}

void World::break_line(Line& line) {
  ++line.broken;
  for (auto& until : line.survive) until = now_ + (line.chance.hit(0.5) ? Duration(0) : line.chance.around(profile_.delay));
  const auto old = line.peer;
  accepted_.erase(old);
  line.peer = ++last_peer_;
  accepted_[line.peer] = line.id;
  tell_gone(line, old, milliseconds(200));
}

World::Line* World::some_line() {
  if (lines_.empty()) return nullptr;
  auto at = lines_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(chance_.below(lines_.size())));
  return &at->second;
}

void World::reset_one() {
  if (Line* line = some_line()) break_line(*line);
}

void World::reset_all() {
  for (auto& [id, line] : lines_) break_line(line);
}

void World::darken(Line& line, Duration duration) { line.dark = std::max(line.dark, now_ + duration); }

// Both ends think that they are connected, and neither hears the other, until one of them finds out.
void World::half_open_one() {
  Line* line = some_line();
  if (!line) return;
  const auto duration = line->chance.between(seconds(1), seconds(20));
  darken(*line, duration);
  later(duration, [this, id = line->id] {
    if (calm_) return;  // quiet() did
    if (const auto found = lines_.find(id); found != lines_.end()) break_line(found->second);
  });
}

void World::burst_one() {
  if (Line* line = some_line()) darken(*line, line->chance.between(milliseconds(50), milliseconds(2000)));
}

void World::slow_one() {
  Line* line = some_line();
  Party* other = line ? acceptor(*line) : nullptr;
  if (!other || !other->up() || !line->dialler->up()) return;
  ++line->broken;
  line->survive = {now_, now_};
  if (line->chance.hit(0.5)) {
    later(*other, Duration(0), [other, door = listeners_.at(line->endpoint).door, peer = line->peer] {
      other->arrive(Gone{door, peer});
    });
  } else {
    later(*line->dialler, Duration(0), [to = line->dialler, at = line->at] { to->arrive(Gone{at.door, at.peer}); });
  }
}

void World::quiet() {
  calm_ = true;
  for (const Parting& p : partings_)
    if (p.a && p.drops && p.from <= now_ && p.until > now_ && profile_.network != Network::hostile) break_between(*p.a, p.b);
  partings_.clear();
  wake_all();
  for (auto& [id, line] : lines_) {
    if (line.dark <= now_) continue;
    line.dark = {};
    break_line(line);
  }
}

}  // namespace pointsman::sim
