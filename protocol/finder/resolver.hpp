// Resolver: the addresses of a name, found by a thread of their own, since that may take long.
//
// Used by whoever uses its transport.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/transport.hpp"

namespace pointsman::finder {

class Resolver {
 public:
  // The endpoints tcp://ADDRESS:PORT, in order; with a problem none.
  using Answer = std::function<void(std::vector<std::string> endpoints, std::string problem)>;

  explicit Resolver(Transport& transport) : transport_(transport) {}
  ~Resolver();  // waits for nobody
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `answer` is called in the transport's turn().
  void resolve(const std::string& name, std::uint16_t port, Answer answer);

 private:
  struct Task;
  Transport& transport_;
  std::vector<std::shared_ptr<Task>> tasks_;
};

}  // namespace pointsman::finder
