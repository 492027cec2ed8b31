// Search: drives a finder: reads its files, resolves its names, asks its networks, brokers and lists.
//
// Used by whoever uses its transport, which outlives it.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/errand.hpp"
#include "protocol/finder/core/finder.hpp"
#include "protocol/finder/inquiry.hpp"
#include "protocol/finder/lookup.hpp"
#include "protocol/finder/resolver.hpp"
#include "protocol/handshake.hpp"
#include "protocol/transport.hpp"

namespace pointsman::finder {

// Writes a trace to standard error, as comments between messages; null if not `wanted`.
std::function<void(const std::string&)> tracer(bool wanted);

// Who looks, and so which of a broker's listeners is the one.
enum class Seeker : std::uint8_t { client, worker };

class Search {
 public:
  // Sources as in protocol/finder/core/sources.hpp. Files are read at once. Later `changed` is called, in turn() and in
  // tick(). Throws TransportError for sources that are none. `trace` is told, if it is there, what was asked and heard.
  Search(Transport& transport, const std::string& sources, Seeker seeker, const Credentials& credentials,
         std::function<void()> changed, std::function<void(const std::string&)> trace);

  // tick() is due then.
  Instant deadline() const;
  void tick();

  // Of what came by the transport: whether it is an answer to a question of this search; it has been taken then.
  bool took(const Incoming& incoming);

  // A broker is needed in place of this one, or by another address.
  void lost(const Place& place) { tell(Wanted{place.endpoint}); }

  // Somebody goes by places() now. Costs nothing to say for each request.
  void used() {
    if (now() < used_again_ && !places().empty()) return;
    used_again_ = now() + std::chrono::seconds(1);
    tell(Used{});
  }

  const std::vector<Place>& places() const { return finder_.places(); }

  // Whether each service has its order of them.
  bool home() const { return is_home(finder_.sources()); }

  // As an error should say it: where it was looked, and what was wrong there.
  std::string explain() const;

 private:
  void tell(const Event& event);
  void look(std::size_t source);
  void read(std::size_t source);
  void look_up(std::size_t source);
  void ask_etcd(std::size_t source);
  void told_rows(std::size_t source, const std::vector<BrokerRow>& rows, const std::string& problem);
  void heard(std::size_t source, const Answered& answered);
  void trace(std::size_t source, const std::string& text) const;
  const std::string& door_of(const Answer& answer) const;
  std::string unusable(const Answered& answered) const;

  // What a file looked like when it was read.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };

  Transport& transport_;
  const Seeker seeker_;
  const Credentials credentials_;
  Finder finder_;
  Resolver resolver_;
  Errands errands_;
  const std::function<void()> changed_;
  const std::function<void(const std::string&)> trace_;
  std::map<std::size_t, Mark> marks_;
  std::map<std::size_t, Inquiry> inquiries_;
  std::map<std::size_t, Lookup> lookups_;
  std::uint64_t unbelieved_ = 0;  // answers that did not count, and why the last one did not
  std::string unbelieved_why_;
  Instant used_again_{};  // when that is news
  bool begun_ = false;
};

}  // namespace pointsman::finder
