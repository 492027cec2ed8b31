// Links: the connections to workers, one an endpoint, shared by all sessions there and kept for later ones.
//
// A link is used by holders, which are sessions and farewells. One that nobody holds is kept for a while;
// beyond `links_max` the one that has been unused for longest is closed. Links in use are never closed.

#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "clients/core/events.hpp"
#include "clients/core/settings.hpp"

namespace pointsman::clients {

// Who uses a link: a session by its handle, or a farewell by its number.
struct Holder {
  enum class Kind : std::uint8_t { session, farewell };
  Kind kind = Kind::session;
  std::uint64_t id = 0;
  friend auto operator<=>(const Holder&, const Holder&) = default;
};

class Links {
 public:
  explicit Links(const ClientSettings& settings) : most_(settings.links_max), idle_(settings.link_idle) {}

  // The link to an endpoint, made if there is none, with one more holder.
  std::uint64_t take(const std::string& endpoint, const std::string& key, const Holder& holder, Instant now,
                     Actions& out);

  // One more holder of a link that exists.
  void share(std::uint64_t link, const Holder& holder);

  // One holder less. A link to a worker that is `dead` is not kept.
  void give(std::uint64_t link, const Holder& holder, bool dead, Instant now, Actions& out);

  // The connection broke: replaces it by a new link with the same holders, whose number is returned; 0 if
  // there is no such link or nobody used it.
  std::uint64_t replace(std::uint64_t link, Actions& out);

  // Who uses a link, in order.
  std::vector<Holder> holders(std::uint64_t link) const;

  // Closes what has been unused for too long.
  void tend(Instant now, Actions& out);
  Instant deadline() const;

  bool stands(std::uint64_t link) const { return links_.contains(link); }
  std::size_t size() const { return links_.size(); }
  void check() const;

 private:
  using Name = std::pair<std::string, std::string>;  // endpoint and key
  struct Link {
    Name name;
    std::set<Holder> holders;
    std::list<std::uint64_t>::iterator unused;  // valid while nobody holds it
    Instant until{};                            // then it is closed
  };

  void trim(Instant now, Actions& out);
  void close(std::uint64_t link, Actions& out);

  std::size_t most_;
  Duration idle_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Link> links_;
  std::map<Name, std::uint64_t> by_name_;
  std::list<std::uint64_t> unused_;  // longest unused first
};

}  // namespace pointsman::clients
