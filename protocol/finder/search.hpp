// Search: drives a finder: reads its files, resolves its names.
//
// Used by whoever uses its transport, which outlives it.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/finder/core/finder.hpp"
#include "protocol/finder/resolver.hpp"
#include "protocol/transport.hpp"

namespace pointsman::finder {

// The port of brokers that are named without one.
inline constexpr std::uint16_t clients_port = 5570;
inline constexpr std::uint16_t workers_port = 5571;

class Search {
 public:
  // Sources as in protocol/finder/core/sources.hpp; `port` is that of names without one. Files are read at once.
  // Later `changed` is called, in turn() and in tick(). Throws TransportError for sources that are none.
  Search(Transport& transport, const std::string& sources, std::uint16_t port, std::function<void()> changed);

  // tick() is due then.
  Instant deadline() const { return finder_.deadline(); }
  void tick() { tell(Elapsed{}); }

  // A broker is needed, or was lost.
  void wanted() { tell(Wanted{}); }

  const std::vector<Place>& places() const { return finder_.places(); }

  // As an error should say it: where it was looked, and what was wrong there.
  std::string explain() const;

 private:
  void tell(const Event& event);
  void look(std::size_t source);
  void read(std::size_t source);

  // What a file looked like when it was read.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };

  Finder finder_;
  Resolver resolver_;
  const std::function<void()> changed_;
  std::map<std::size_t, Mark> marks_;
  bool begun_ = false;
};

}  // namespace pointsman::finder
