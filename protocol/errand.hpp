// Errands: work that may block, done by a thread each, which belongs to nobody; what came of it is told in the
// transport's turn().
//
// For what cannot be ended from outside, like the look-up of a name. Used by whoever uses the transport, which outlives it.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "protocol/transport.hpp"

namespace pointsman {

class Errands {
 public:
  explicit Errands(Transport& transport) : transport_(transport) {}
  ~Errands();  // waits for nobody: whose work is not done then is told nothing
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;

  // `work` may use only what it owns. `told` is called when it is done. False if no descriptor is left.
  bool run(std::function<void()> work, std::function<void()> told);

 private:
  struct Task;
  Transport& transport_;
  std::vector<std::shared_ptr<Task>> tasks_;
};

}  // namespace pointsman
