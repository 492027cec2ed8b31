// Below: asks the broker below for its workers, over and over (clients/program/uplink/core/look.hpp).
//
// Used by one thread, that of its transport, which outlives it.

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "clients/engine.hpp"
#include "clients/program/signals.hpp"
#include "clients/program/uplink/core/look.hpp"
#include "protocol/transport.hpp"

namespace pointsman::uplink {

class Below {
 public:
  // As the client library asks; `endpoint` is where clients from above are sent. `seen` gets all workers each time, `lost` why there
  // has been no answer for `patience`, again and again. Throws Error if what is named can never be a broker.
  Below(Transport& transport, const ClientOptions& options, std::string endpoint, Duration every,
        std::function<void(const Census&)> seen, std::function<void(const Error&)> lost);
  ~Below();
  Below(const Below&) = delete;
  Below& operator=(const Below&) = delete;

  // For whoever turns the transport: when tend() is due.
  Instant deadline() const { return look_.deadline(); }
  void tend();

  std::uint64_t epoch() const { return look_.epoch(); }  // of its present life; 0: it has not said yet

 private:
  void ask(const Message& question);
  void hear(const Message& answer);

  Transport& transport_;
  const std::function<void(const Census&)> seen_;
  const std::function<void(const Error&)> lost_;
  Look look_;
  program::Mailbox<Message> answers_;
  clients::Engine engine_;  // last: until it is gone, it may tell
};

}  // namespace pointsman::uplink
