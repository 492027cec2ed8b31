// Resolver: the addresses of a name, found by a thread of their own, since that may take long.
//
// Used by whoever uses its transport.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/errand.hpp"

namespace pointsman::finder {

class Resolver {
 public:
  // The endpoints tcp://ADDRESS:PORT, in order; with a problem none.
  using Answer = std::function<void(std::vector<std::string> endpoints, std::string problem)>;

  // Waits for nobody when it is destroyed.
  explicit Resolver(Transport& transport) : errands_(transport) {}

  // `answer` is called in the transport's turn().
  void resolve(const std::string& name, std::uint16_t port, const Answer& answer);

 private:
  Errands errands_;
};

}  // namespace pointsman::finder
