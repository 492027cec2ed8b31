// A broker and side cars, each a process of its own.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/shell.hpp"
#include "clients/client.hpp"
#include "test/e2e/forked.hpp"
#include "workers/sidecar.hpp"

namespace pointsman::e2e {

class House {
 public:
  explicit House(Duration lease = std::chrono::seconds(10)) {
    broker_ = std::make_unique<Forked>([&] {
      broker::ShellOptions options;
      options.clients = options.workers = "tcp://127.0.0.1:*";
      options.core.lease = lease;
      return broker::run_broker(options);
    });
    const std::string ready = broker_->line();
    REQUIRE(ready.starts_with("ready "));
    clients = value_of(ready, "clients");
    workers = value_of(ready, "workers");
  }

  // A side car that runs a shell command; waits until it is registered.
  std::unique_ptr<Forked> sidecar(const std::string& command, pointsman::workers::SidecarOptions options = {}) const {
    if (!command.empty()) options.command = {"/bin/sh", "-c", command};
    auto forked = start(std::move(options));
    REQUIRE(forked->line().starts_with("ready worker="));
    return forked;
  }
  std::unique_ptr<Forked> start(pointsman::workers::SidecarOptions options) const {
    options.broker = workers;
    options.quiet = true;
    if (options.services.empty()) options.services = {{.service = "work"}};
    return std::make_unique<Forked>([options] { return pointsman::workers::run_sidecar(options); });
  }

  ClientOptions client() const { return {.broker = clients}; }
  Forked& broker() { return *broker_; }

  std::string clients;  // the listeners
  std::string workers;

 private:
  std::unique_ptr<Forked> broker_;
};

inline std::string joined(const Payload& payload) {
  std::string all;
  for (const Frame& frame : payload) all += frame.view();
  return all;
}

}  // namespace pointsman::e2e
