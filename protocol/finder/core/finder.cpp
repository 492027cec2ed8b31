// When to look, and what the looks come to.
#include "protocol/finder/core/finder.hpp"

#include <algorithm>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::finder {

namespace {

constexpr Duration file_every = std::chrono::seconds(1);
constexpr Duration name_every = std::chrono::minutes(1);
constexpr Duration name_pause = std::chrono::seconds(2);  // however much it is wanted

Duration every(Source::Kind kind) { return kind == Source::Kind::file ? file_every : name_every; }
Duration pause(Source::Kind kind) { return kind == Source::Kind::file ? Duration{0} : name_pause; }

}  // namespace

Finder::Finder(Sources sources) : sources_(std::move(sources)), states_(sources_.size()) {
  MUST(sources_.size() <= limits::brokers);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].kind == Source::Kind::endpoint)
      states_[i].places = {{sources_[i].what, sources_[i].key}};
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
    gather(out);
  }
  if (std::holds_alternative<Wanted>(event)) {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      State& state = states_[i];
      if (state.due == never) continue;
      const bool seldom = state.looked != never && now_ - state.looked < pause(sources_[i].kind);
      state.due = std::min(state.due, seldom ? state.looked + pause(sources_[i].kind) : now_);
    }
  }
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].due <= now_) look(i, out);
  }
}

void Finder::look(std::size_t source, Actions& out) {
  states_[source].looked = now_;
  states_[source].due = now_ + every(sources_[source].kind);
  out.emplace_back(Look{source});
}

Instant Finder::deadline() const {
  Instant next = never;
  for (const State& state : states_) next = std::min(next, state.due);
  return next;
}

// A broker that several sources name is there once, as the first one says.
void Finder::gather(Actions& out) {
  std::vector<Place> all;
  for (const State& state : states_) {
    for (const Place& place : state.places) {
      const bool known =
          std::any_of(all.begin(), all.end(), [&](const Place& p) { return p.endpoint == place.endpoint; });
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
    MUST((states_[i].due == never) == (sources_[i].kind == Source::Kind::endpoint));
  }
}

}  // namespace pointsman::finder
