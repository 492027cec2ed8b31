// Connections: how many each key has open at one listener, for its quota.
//
// libzmq tells three things, and none of them whole: that a key was let in, but not on which descriptor; that
// a descriptor was opened or closed, but not whose it is; and with a message both. So a connection counts for
// its key from when it was let in, is tied to its descriptor by its first message, and ends with it. One that
// says nothing is counted, too; when a silent descriptor is closed and fewer are left than keys that were let
// in and never heard, the oldest of these is taken for the one that is gone. Thread safe.

#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "protocol/key.hpp"

namespace pointsman {

class Connections {
 public:
  // In the order of libzmq's events.
  void opened(int descriptor);
  void closed(int descriptor);

  void let_in(const PublicKey& key);
  void heard(int descriptor, const PublicKey& key);

  // Open now.
  std::size_t of(const PublicKey& key) const;

 private:
  struct Seat {
    bool open = false;
    PublicKey key;  // none: silent so far
  };

  Seat& seat(int descriptor);
  void leave(const PublicKey& key);

  mutable std::mutex mutex_;
  std::vector<Seat> seats_;            // by descriptor
  std::size_t silent_ = 0;             // open seats without a key
  std::deque<PublicKey> silent_keys_;  // let in and not heard, oldest first
  std::unordered_map<PublicKey, std::size_t> open_;
};

}  // namespace pointsman
