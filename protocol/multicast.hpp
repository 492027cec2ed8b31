// Multicast: datagrams to everybody near and back, over IPv4 and IPv6, on each interface. The one file that has UDP
// sockets.
//
// Questions go to 239.255.80.77 and ff12::504d:414e, port 5572, no further than the local networks; answers come
// back to whoever asked, from the same port. Used by whoever uses the transport, which outlives these objects.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/transport.hpp"

namespace pointsman {

inline constexpr std::uint16_t beacon_port = 5572;

// An address of this machine by which others can be asked.
struct NetAddress {
  std::string interface;
  unsigned index = 0;   // of the interface
  std::string address;  // without a zone
  bool six = false;     // IPv6
  bool loopback = false;

  friend auto operator<=>(const NetAddress&, const NetAddress&) = default;
};

// Of the interfaces that are up, in order.
std::vector<NetAddress> net_addresses();

// A datagram that came. Its sender is not to be trusted.
struct Datagram {
  std::string bytes;
  std::string from;    // address, with its zone if it has one
  unsigned index = 0;  // of the interface by which it came
  bool six = false;
  bool to_all = false;  // not to an address of ours
  std::string sender;   // for answering; opaque
};

// Of these, by which a question goes: all of IPv4, and one of each interface of IPv6, the one of the local link if there is
// one, since everybody there can answer to that; not the loopback one, which is asked by IPv4 and mostly carries nothing to
// all by IPv6. Of at most limits::interfaces interfaces each; `left_out` counts the others.
std::vector<NetAddress> asking_addresses(const std::vector<NetAddress>& all, std::size_t& left_out);

// Asks by all interfaces at once. Each time they are looked at anew.
class Asker {
 public:
  // `heard` is called in turn(), with the address that asked.
  Asker(Transport& transport, std::function<void(const Datagram&, const NetAddress&)> heard)
      : transport_(transport), heard_(std::move(heard)) {}
  ~Asker() { close(); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  // What became of it at each address; an empty text: it left. An empty address: of those left out.
  std::vector<std::pair<NetAddress, std::string>> ask(std::string_view datagram);

 private:
  std::string send(const NetAddress& from, std::string_view datagram);
  void read(int socket, const NetAddress& at);
  void close();

  Transport& transport_;
  const std::function<void(const Datagram&, const NetAddress&)> heard_;
  std::map<NetAddress, int> sockets_;
};

// Hears what is asked of all; not what is sent to an address of ours, from wherever.
class Listener {
 public:
  // On the loopback interface alone, or on all. Throws TransportError if neither IPv4 nor IPv6 can be listened to.
  Listener(Transport& transport, bool loopback_only, std::function<void(const Datagram&)> heard);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Listens on interfaces that there are now; to be called at first, and now and then. Returns what is wrong and was not
  // before, empty: nothing.
  std::string refresh();

  // To whoever sent `to`; may be lost.
  void answer(const Datagram& to, std::string_view datagram);

 private:
  void read(int socket, bool six);

  Transport& transport_;
  const bool loopback_only_;
  const std::function<void(const Datagram&)> heard_;
  int four_ = -1;
  int six_ = -1;
  std::string problem_;                                      // with one of them; empty: none, or it was said
  std::map<std::pair<unsigned, bool>, std::string> joined_;  // by index and IPv6; a text: it could not be
};

}  // namespace pointsman
