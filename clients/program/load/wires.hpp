// Wires: a generator's own connections to a broker, one thread's, with waits finer than the transport's.

#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "clients/program/load/words.hpp"
#include "protocol/transport.hpp"

namespace pointsman::load {

class Wires {
 public:
  // So many connections to an endpoint. Throws TransportError.
  Wires(std::string endpoint, std::uint64_t count, const Credentials& credentials);
  ~Wires();
  Wires(const Wires&) = delete;
  Wires& operator=(const Wires&) = delete;

  std::size_t size() const { return peers_.size(); }
  void send(std::size_t wire, Message message);

  // Waits until then, or until something came. Each message goes to `heard` with its wire.
  void turn(Nanos until, const std::function<void(std::size_t wire, Message&& message)>& heard);

 private:
  void connect(std::size_t wire);

  std::string endpoint_;
  Credentials credentials_;
  Transport transport_;
  int alarm_;
  std::vector<std::uint64_t> peers_;
  std::unordered_map<std::uint64_t, std::size_t> wires_;  // by peer
  std::vector<std::size_t> broken_;
};

}  // namespace pointsman::load
