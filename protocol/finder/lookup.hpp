// Lookup: asks one broker which brokers are below it, a page at a time.
//
// It has a connection for as long as a question is open. Used by whoever uses its transport, which outlives it.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/finding.hpp"
#include "protocol/handshake.hpp"
#include "protocol/transport.hpp"

namespace pointsman::finder {

class Lookup {
 public:
  // The rows, or why there are none.
  using Told = std::function<void(std::vector<BrokerRow> rows, std::string problem)>;

  // `told` is called in ask(), tick(), take() or the transport's turn(), once for each ask().
  Lookup(Transport& transport, std::string endpoint, Credentials credentials, Told told);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // Nothing, while a question is open.
  void ask();

  // tick() is due then.
  Instant deadline() const { return until_; }
  void tick();

  // Whether something came for this one; then it is dealt with.
  bool owns(std::uint64_t peer) const { return peer_ != 0 && peer_ == peer; }
  void take(const Incoming& incoming);

 private:
  void ask_page(std::string after);
  void shook_hands(const Handshake& handshake);
  void end(std::string problem);

  Transport& transport_;
  const std::string endpoint_;
  const Credentials credentials_;
  const Told told_;
  std::uint64_t peer_ = 0;  // 0: nothing is asked
  Instant until_ = never;
  std::vector<BrokerRow> rows_;
};

}  // namespace pointsman::finder
