// When to look, and what the looks come to.
#include "protocol/finder/core/finder.hpp"

#include <algorithm>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::finder {

namespace {

constexpr Duration file_every = std::chrono::seconds(1);
constexpr Duration name_every = std::chrono::minutes(1);  // and a list in etcd
constexpr Duration name_pause = std::chrono::seconds(2);  // however much it is wanted; also of look-ups
constexpr Duration lookup_every = std::chrono::seconds(5);

constexpr Duration network_first =
    std::chrono::milliseconds(200);                         // between questions nobody has answered, then
constexpr Duration network_last = std::chrono::seconds(5);  // twice as long each time, up to this
constexpr Duration network_least = std::chrono::milliseconds(500);  // between others
constexpr Duration network_rest = std::chrono::minutes(1);          // not used for so long: not asked

template <class State>
auto where(State& state, const std::string& endpoint) {
  return std::find_if(state.places.begin(), state.places.end(),
                      [&](const Place& place) { return place.endpoint == endpoint; });
}

// However much it is wanted.
Duration pause(Source::Kind kind) {
  if (kind == Source::Kind::file) return Duration{0};
  return kind == Source::Kind::network ? network_first : name_pause;
}

}  // namespace

Finder::Finder(Sources sources) : sources_(std::move(sources)), states_(sources_.size()) {
  MUST(sources_.size() <= limits::brokers);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].kind == Source::Kind::endpoint)
      states_[i].places = {{sources_[i].what, sources_[i].key, {}, sources_[i].name}};
    else
      states_[i].due = Instant{};
  }
  Actions nobody_listens;
  gather(nobody_listens);
}

void Finder::step(Instant now, const Event& event, Actions& out) {
  now_ = std::max(now_, now);
  if (const auto* said = std::get_if<Said>(&event)) {
    MUST(said->source < states_.size());
    State& state = states_[said->source];
    state.problem = said->problem;
    if (said->problem.empty()) state.places = said->places;
    if (state.places.empty()) state.due = std::min(state.due, now_ + name_pause);
  }
  const auto* wanted = std::get_if<Wanted>(&event);
  const bool used = std::holds_alternative<Used>(event);
  if (wanted != nullptr || used) used_ = now_;
  if (const auto* found = std::get_if<Found>(&event)) hear(*found);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    forget(state);
    if (wanted != nullptr) put_last(state, wanted->lost);
    if (wanted != nullptr || (used && state.due == never)) want(i);
    if (state.due <= now_) look(i, out);
  }
  gather(out);
}

void Finder::want(std::size_t source) {
  if (sources_[source].kind == Source::Kind::endpoint) return;
  State& state = states_[source];
  const Duration least = pause(sources_[source].kind);
  const bool seldom = state.looked != never && now_ - state.looked < least;
  state.due = std::min(state.due, seldom ? state.looked + least : now_);
  state.unheard = 0;
}

// Other addresses of the same broker are better than one that was lost.
void Finder::put_last(State& state, const std::string& lost) {
  const auto at = static_cast<std::ptrdiff_t>(where(state, lost) - state.places.begin());
  if (state.until.empty() || at == std::ssize(state.places)) return;
  std::rotate(state.places.begin() + at, state.places.begin() + at + 1, state.places.end());
  std::rotate(state.until.begin() + at, state.until.begin() + at + 1, state.until.end());
}

void Finder::look(std::size_t source, Actions& out) {
  State& state = states_[source];
  state.looked = now_;
  switch (sources_[source].kind) {
    case Source::Kind::endpoint: break;
    case Source::Kind::file: state.due = now_ + file_every; break;
    case Source::Kind::name:
    case Source::Kind::etcd: state.due = now_ + name_every; break;
    case Source::Kind::lookup: state.due = now_ + lookup_every; break;
    case Source::Kind::network: {
      Duration wait = network_first;
      for (int i = 0; i < state.unheard && wait < network_last; ++i) wait *= 2;
      ++state.unheard;
      state.due = now_ + std::min(wait, network_last);
    }
  }
  out.emplace_back(Look{source});
}

// The next question is due when half of the shortest time is over; not before somebody asks for it, if nobody has for long.
void Finder::hear(const Found& found) {
  MUST(found.source < states_.size() && sources_[found.source].kind == Source::Kind::network);
  State& state = states_[found.source];
  const auto known = where(state, found.place.endpoint);
  const auto at = static_cast<std::size_t>(known - state.places.begin());
  if (known == state.places.end()) {
    const auto others = std::count_if(state.places.begin(), state.places.end(),
                                      [&](const Place& place) { return place.same_broker(found.place); });
    if (state.places.size() == limits::brokers * limits::addresses ||
        others == static_cast<std::ptrdiff_t>(limits::addresses))
      return;
    state.places.push_back(found.place);
    state.until.push_back(now_);
  }
  state.places[at] = found.place;
  state.until[at] = now_ + found.lease;
  state.unheard = 0;
  const Instant first = *std::min_element(state.until.begin(), state.until.end());
  const bool rests = now_ - used_ >= network_rest;
  state.due = rests ? never : now_ + std::max(network_least, (first - now_) / 2);
}

// What nobody has said again runs out.
void Finder::forget(State& state) const {
  for (std::size_t i = state.until.size(); i-- > 0;) {
    if (state.until[i] > now_) continue;
    state.places.erase(state.places.begin() + static_cast<std::ptrdiff_t>(i));
    state.until.erase(state.until.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

Instant Finder::deadline() const {
  Instant next = never;
  for (const State& state : states_) {
    next = std::min(next, state.due);
    for (const Instant until : state.until) next = std::min(next, until);
  }
  return next;
}

// A broker that several sources name is there once, as the first one says.
void Finder::gather(Actions& out) {
  std::vector<Place> all;
  for (const State& state : states_) {
    for (const Place& place : state.places) {
      const bool known = std::any_of(all.begin(), all.end(), [&](const Place& p) {
        return p.endpoint == place.endpoint || p.same_broker(place);
      });
      if (!known && all.size() < limits::brokers) all.push_back(place);
    }
  }
  if (all == places_) return;
  places_ = std::move(all);
  out.emplace_back(Changed{});
}

std::string Finder::problems() const {
  std::string text;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].problem.empty()) continue;
    text += (text.empty() ? "" : "; ") + to_text(sources_[i]) + ": " + states_[i].problem;
  }
  return text;
}

void Finder::check() const {
  MUST(places_.size() <= limits::brokers);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const Source::Kind kind = sources_[i].kind;
    MUST(states_[i].due == never || kind != Source::Kind::endpoint);
    MUST(states_[i].due != never || kind == Source::Kind::endpoint || kind == Source::Kind::network);
    MUST(states_[i].until.size() == (kind == Source::Kind::network ? states_[i].places.size() : 0));
  }
}

}  // namespace pointsman::finder
