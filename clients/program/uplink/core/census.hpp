// Census: the workers of a broker that get sessions, by class. Workers are of one class if they offer the same services and say the
// same of themselves: a request that one of them matches any of them matches, so one registration above stands for all.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/inspection.hpp"

namespace pointsman::uplink {

struct WorkerClass {
  std::vector<std::string> services;  // in order
  Attributes attributes;
  std::string accepts;
  std::uint64_t slots = 0;  // of all its workers
  std::uint64_t used = 0;   // of these, by clients of any way

  bool plain() const { return attributes.empty() && accepts.empty(); }
};

class Census {
 public:
  // Rows with this endpoint lead back to the broker itself, and are left out.
  explicit Census(std::string own_endpoint = {}) : own_endpoint_(std::move(own_endpoint)) {}

  void add(const WorkerRow& row);

  // By what makes the class; the same text for the same class, always.
  const std::map<std::string, WorkerClass, std::less<>>& classes() const { return classes_; }

 private:
  std::string own_endpoint_;
  std::map<std::string, WorkerClass, std::less<>> classes_;
};

}  // namespace pointsman::uplink
