// Finder: the brokers that there are at this moment, from all sources at once.
//
// A pure machine (protocol/machine.hpp). It says when a source is to be looked at, is told what was found
// there, and keeps the list: endpoints that were written down stay, what a file or a name says is replaced by
// what it says next, and a source that fails keeps what it said before. Looked at anew: a file often, since that
// is cheap; a name now and then, those below a broker more often; a network until somebody has answered, and then before what was answered runs out; all
// of them whenever somebody needs a broker or lost one.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/finder/core/sources.hpp"
#include "protocol/machine.hpp"
#include "protocol/rendezvous.hpp"

namespace pointsman::finder {

// Where a broker may be.
struct Place {
  std::string endpoint;
  std::string key;       // its public key, Z85; empty: not said
  std::string broker{};  // who it is, by whatever address; empty: nobody but its endpoint says
  std::string name{};    // by which services have their order of brokers; empty: its endpoint says

  // Whether a connection to the one is a connection to the other.
  bool same_door(const Place& other) const { return endpoint == other.endpoint && key == other.key; }
  std::string_view known_as() const { return name.empty() ? unnamed_broker(endpoint) : std::string_view(name); }
  bool same_broker(const Place& other) const { return !broker.empty() && broker == other.broker; }
  friend bool operator==(const Place&, const Place&) = default;
};

// ---------------------------------------------------------------------------------------------------
// Events

// Somebody needs a broker, or lost the one at an endpoint: if it is known by another address too, that one is its place now.
struct Wanted {
  std::string lost{};
};

// Somebody goes by the list of places. Networks where brokers have answered are asked again for as long as that happens.
struct Used {};

// What a source says now. With `problem` it could not be asked, or made no sense; `places` is empty then.
struct Said {
  std::size_t source = 0;  // its number in the list
  std::vector<Place> places;
  std::string problem;
};

// Somebody has answered to a question to all, and says how long that holds. Counts beside what others answered; a broker
// that answers by several addresses is there once, by the first one that holds.
struct Found {
  std::size_t source = 0;
  Place place;
  Duration lease{0};
};

using Event = std::variant<Elapsed, Wanted, Used, Said, Found>;

// ---------------------------------------------------------------------------------------------------
// Actions

// Look at a source, and say what it says; not at all if it is a file that did not change.
struct Look {
  std::size_t source = 0;
};

// places() is another list now.
struct Changed {};

using Action = std::variant<Look, Changed>;
using Actions = std::vector<Action>;

class Finder {
 public:
  explicit Finder(Sources sources);

  void step(Instant now, const Event& event, Actions& out);
  Instant deadline() const;
  void check() const;

  // In the order of the sources, no endpoint and no broker twice, at most limits::brokers.
  const std::vector<Place>& places() const { return places_; }
  const Sources& sources() const { return sources_; }

  // What was wrong at the last look, a sentence a source; empty: nothing.
  std::string problems() const;

 private:
  struct State {
    std::vector<Place> places;
    std::vector<Instant> until;  // of a network: how long each of them holds; several may be of one broker
    std::string problem;
    int unheard = 0;         // of a network: looks since the last answer
    Instant due = never;     // the next look
    Instant looked = never;  // the last one; never: none
  };

  void look(std::size_t source, Actions& out);
  void hear(const Found& found);
  void forget(State& state) const;
  void want(std::size_t source);
  static void put_last(State& state, const std::string& lost);
  void gather(Actions& out);

  const Sources sources_;
  std::vector<State> states_;
  std::vector<Place> places_;
  Instant now_{};
  Instant used_{};  // last
};

}  // namespace pointsman::finder
