// The broker's shell: binds the listeners, drives the core, stops on signals. What `pointsman broker` runs.

#pragma once

#include <string>
#include <vector>

#include "broker/core/options.hpp"

namespace pointsman::broker {

struct ShellOptions {
  std::string clients;  // endpoint to bind
  std::string workers;
  Options core;         // epoch, seed and master key are set by the shell
  Duration drain{std::chrono::seconds(2)};  // after SIGTERM: the queue is answered, then it stops
  bool insecure = false;  // allow plaintext on an address that is not loopback
  std::string key;        // file of the key pair; empty: nothing is encrypted and everybody is let in
  std::string allowed;    // file of the allowed keys, read anew when it changes or SIGHUP comes; goes with `key`
  std::string group;  // answers whoever looks for brokers of this group on the local networks; empty: nobody
  std::string realm;  // file of the key that seals these answers; empty: none does
  std::string
      database;  // of what is known of workers, clients and keys: a path, sqlite:PATH or postgresql://…; empty: none
  std::uint64_t history_max = 100'000;  // rows of the history of workers in it
  // A list of brokers in etcd that this one enters: etcd://HOST:PORT[,HOST:PORT]/PREFIX; empty: none.
  std::string membership;
  std::string name;  // by which it is there; empty: the address of its listener for clients
  std::string endpoint, workers_endpoint;  // of its listeners, as others reach them; empty: as bound
  Duration membership_ttl{std::chrono::seconds(10)};  // of its lease there
  bool grants_alone = false;                          // grants also while it is not in the list
  std::string audit;  // file for one JSON line a record; empty: none
  std::uint64_t audit_bytes = 16 * 1024 * 1024;  // of that file; then it is renamed to FILE.1 and begun anew
  std::uint64_t io_threads = 2;  // of libzmq's, beside the one that decides; 1 to 16
  // Bounds of the links; see broker/bounds.hpp.
  std::uint64_t connections_max = 10'000;  // to both listeners together
  std::uint64_t message_bytes = 2 * limits::body_bytes;
  std::uint64_t receive_queue = 32;
  std::uint64_t send_queue = 32;
  std::uint64_t outbox_bytes = 1024 * 1024;
  std::uint64_t memory_max = 2ULL << 30;  // bytes: newcomers are refused above it, and at twice as much it stops; 0: no limit
  bool trace = false;     // print every message in the notation on stderr
  bool quiet = false;
};

// Prints `ready clients=ENDPOINT workers=ENDPOINT` on stdout when both listeners are bound, unless somebody watches over the
// process, who is told it instead (Notice). Blocks until
// SIGTERM or SIGINT, which it handles. Throws TransportError if it cannot bind, or if a listener that
// encrypts lets a stranger in; KeyError for what is wrong with the files of keys.
int run_broker(const ShellOptions& options);

}  // namespace pointsman::broker
