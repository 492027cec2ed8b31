// Processes under measurement: started in a folder of their own on ports of the loopback, asked what they cost, and
// gone when this is, or when the generator is.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "test/e2e/process.hpp"
#include "test/folder.hpp"
#include "test/peers/zmtp.hpp"

namespace pointsman::peers {

class Server {
 public:
  // Starts a command. `folder()` is its own.
  void start(std::vector<std::string> command, const std::vector<std::string>& environment = {});
  // Of the first line of stdout that begins with `ready `; throws Broken if it does not come.
  std::string ready_line();
  // Waits until the port is listened on.
  void wait_for(std::uint16_t port);
  void stop();

  const std::string& folder() const { return folder_.path(); }
  // CPU time of all its threads, in seconds, and resident memory, in bytes. With its children if it has some.
  double cpu() const;
  double memory() const;
  // Once it does not change any more, while `loop` goes on.
  double settled_memory(Loop& loop) const;

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
};

// The value of NAME=… in a line of words.
std::string value_of(const std::string& line, const std::string& name);

// This program.
std::string self();

// Where a program is, on the path or in /usr/sbin; empty if it is not installed.
std::string find_program(const std::string& name);

// Key pairs of a server and of the generator, also as files of the program.
struct Keys {
  explicit Keys(const std::string& folder);
  std::string server_file, load_file, allowed_file;  // `allowed`: the generator may be client and worker
  std::string server_secret;                         // Z85
  std::string load_public;                           // Z85
  CurveKeys curve;                                   // as the generator needs them
};

// A broker of ours, ready.
struct Broker {
  explicit Broker(const Keys* keys = nullptr, std::vector<std::string> options = {});
  Server server;
  std::string clients, workers;  // its listeners
};

}  // namespace pointsman::peers
