// The cores on a scenario's stage.

#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/scenarios/fields.hpp"
#include "protocol/codec.hpp"
#include "protocol/notation.hpp"
#include "test/scenarios/script.hpp"
#include "test/scenarios/standins.hpp"

namespace pointsman::scenarios {

std::unique_ptr<Stage> broker_stage(Fields& options);
std::unique_ptr<Stage> worker_stage(Fields& options);
std::unique_ptr<Stage> client_stage(Fields& options);
std::unique_ptr<Stage> supervisor_stage(Fields& options);

// Who speaks from which address: a name is one connection.
class Names {
 public:
  const Address& meet(const std::string& name, Door door);
  void rename(const std::string& name, const Address& address);
  const Address* find(const std::string& name) const;
  std::string of(const Address& address) const;

  // The key of that name, kept for later lines; or the one that was kept.
  PublicKey key(const std::string& who, const std::string& key);

 private:
  std::map<std::string, Address> addresses_;
  std::map<std::string, PublicKey> keys_;
  std::uint64_t last_ = 0;
};

// What `ann bytes …` brings: the text as the codec reads it.
template <class Event>
Event event_of_bytes(Address from, std::string_view bytes, const PublicKey& key = {}) {
  auto read = decode(bytes, from.codec);
  if (auto* fault = std::get_if<Fault>(&read)) return Garbled{from, std::move(*fault), key};
  return Received{from, std::get<Message>(std::move(read)), {}, key};
}

// A message in the notation, its payload behind ` | `.
template <class Event>
Event event_of_message(const Address& from, std::string_view rest, const PublicKey& key = {}) {
  Payload payload;
  auto message = message_of(rest, payload);
  return Received{from, std::move(message), std::move(payload), key};
}

// Steps a core, checks it, and turns what it does into lines.
template <class Actions, class Core, class Event, class Line>
std::vector<std::string> step(Core& core, Instant now, Event event, const Line& line) {
  Actions actions;
  core.step(now, std::move(event), actions);
  core.check();
  std::vector<std::string> lines;
  for (const auto& action : actions) lines.push_back(std::visit(line, action));
  return lines;
}

}  // namespace pointsman::scenarios
