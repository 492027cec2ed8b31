// UDP sockets: one an address to ask by, two to listen with.
#include "protocol/multicast.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "protocol/finding.hpp"

namespace pointsman {

namespace {

constexpr const char* group_four = "239.255.80.77";
constexpr const char* group_six = "ff12::504d:414e";
constexpr int reads = 64;              // datagrams a turn
constexpr int multicast_all_six = 29;  // IPV6_MULTICAST_ALL: known to the kernel, not to its header

template <class Value>
bool set(int socket, int level, int name, const Value& value) {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

// Bytes of an address of either family.
struct Sock {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Sock sock_of(bool six, const std::string& address, std::uint16_t port, unsigned index) {
  Sock sock;
  if (six) {
    auto& in = reinterpret_cast<sockaddr_in6&>(sock.storage);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    ::inet_pton(AF_INET6, address.c_str(), &in.sin6_addr);
    const bool local = IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr) || IN6_IS_ADDR_MULTICAST(&in.sin6_addr);
    in.sin6_scope_id = local ? index : 0;
    sock.size = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(sock.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &in.sin_addr);
    sock.size = sizeof in;
  }
  return sock;
}

std::string text_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text.data(),
                text.size());
  }
  return text.data();
}

int open_socket(bool six) {
  const int made = ::socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made >= 0 && six) set(made, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return made;
}

// Whether an address as the kernel tells it is the one of all brokers.
template <class Address>
bool is_group(bool six, const Address& address) {
  Address group{};
  ::inet_pton(six ? AF_INET6 : AF_INET, six ? group_six : group_four, &group);
  return std::memcmp(&group, &address, sizeof group) == 0;
}

// The next datagram that is there, and the interface that it came by.
std::optional<Datagram> receive(int socket, bool six) {
  std::array<char, limits::datagram + 1> bytes{};  // one more: so that too long is seen
  alignas(cmsghdr) std::array<char, 256> control{};
  Sock sender;
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_name = &sender.storage;
  message.msg_namelen = sender.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT);
  if (size < 0) return std::nullopt;
  Datagram datagram{
      .bytes = std::string(bytes.data(), static_cast<std::size_t>(size)),
      .from = text_of(sender.raw()),
      .six = six,
      .sender = std::string(reinterpret_cast<const char*>(&sender.storage), message.msg_namelen)};
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(at), sizeof info);
      datagram.index = static_cast<unsigned>(info.ipi_ifindex);
      datagram.to_all = is_group(false, info.ipi_addr);
    }
    if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(at), sizeof info);
      datagram.index = info.ipi6_ifindex;
      datagram.to_all = is_group(true, info.ipi6_addr);
    }
  }
  return datagram;
}

// Begins or ends to hear what is asked on an interface, which may be gone.
bool member(int socket, bool six, unsigned index, bool joins) {
  if (six) {
    ipv6_mreq request{};
    ::inet_pton(AF_INET6, group_six, &request.ipv6mr_multiaddr);
    request.ipv6mr_interface = index;
    return set(socket, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, request);
  }
  ip_mreqn request{};
  ::inet_pton(AF_INET, group_four, &request.imr_multiaddr);
  request.imr_ifindex = static_cast<int>(index);
  return set(socket, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, request);
}

bool is_link_local(const NetAddress& address) { return address.six && address.address.starts_with("fe80:"); }

// Bound to the port, which other brokers of this machine use as well; hears only what it joined.
int open_listener(bool six) {
  const int made = open_socket(six);
  if (made < 0) return -1;
  set(made, SOL_SOCKET, SO_REUSEADDR, 1);
  six ? set(made, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : set(made, IPPROTO_IP, IP_PKTINFO, 1);
  six ? set(made, IPPROTO_IPV6, multicast_all_six, 0) : set(made, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  const Sock any = sock_of(six, six ? "::" : "0.0.0.0", beacon_port, 0);
  if (::bind(made, any.raw(), any.size) == 0) return made;
  const int error = errno;
  ::close(made);
  errno = error;
  return -1;
}

}  // namespace

std::vector<NetAddress> net_addresses() {
  std::set<NetAddress> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
    if (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6) continue;
    found.insert({.interface = at->ifa_name,
                  .index = ::if_nametoindex(at->ifa_name),
                  .address = text_of(at->ifa_addr),
                  .six = at->ifa_addr->sa_family == AF_INET6,
                  .loopback = (at->ifa_flags & IFF_LOOPBACK) != 0});
  }
  ::freeifaddrs(list);
  return {found.begin(), found.end()};
}

std::vector<NetAddress> asking_addresses(const std::vector<NetAddress>& all, std::size_t& left_out) {
  std::set<unsigned> link_local, four, six;  // interfaces
  bool home_by_four = false;                 // of the loopback interface
  for (const NetAddress& address : all) {
    if (is_link_local(address)) link_local.insert(address.index);
    home_by_four |= address.loopback && !address.six;
  }
  std::vector<NetAddress> out;
  left_out = 0;
  for (const NetAddress& address : all) {
    if (address.six && address.loopback && home_by_four) continue;
    if (address.six && !is_link_local(address) && link_local.contains(address.index)) continue;
    std::set<unsigned>& asked = address.six ? six : four;
    if (asked.size() == limits::interfaces && !asked.contains(address.index)) {
      ++left_out;
    } else if (asked.insert(address.index).second || !address.six) {
      out.push_back(address);
    }
  }
  return out;
}

std::vector<std::pair<NetAddress, std::string>> Asker::ask(std::string_view datagram) {
  std::vector<std::pair<NetAddress, std::string>> out;
  std::size_t left_out = 0;
  const auto addresses = asking_addresses(net_addresses(), left_out);
  for (auto at = sockets_.begin(); at != sockets_.end();) {
    if (std::find(addresses.begin(), addresses.end(), at->first) != addresses.end()) {
      ++at;
      continue;
    }
    transport_.unwatch(at->second);
    ::close(at->second);
    at = sockets_.erase(at);
  }
  for (const NetAddress& address : addresses) out.emplace_back(address, send(address, datagram));
  if (left_out > 0) {
    out.emplace_back(NetAddress{}, std::to_string(left_out) + " more, beyond " +
                                       std::to_string(limits::interfaces) + " interfaces");
  }
  return out;
}

std::string Asker::send(const NetAddress& from, std::string_view datagram) {
  const auto found = sockets_.find(from);
  int socket = found == sockets_.end() ? -1 : found->second;
  if (socket < 0) {
    socket = open_socket(from.six);
    if (socket < 0) return std::strerror(errno);
    const Sock own = sock_of(from.six, from.address, 0, from.index);
    bool good = ::bind(socket, own.raw(), own.size) == 0;
    if (from.six) {
      good &= set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(from.index));
      set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    } else {
      ip_mreqn request{};
      request.imr_ifindex = static_cast<int>(from.index);
      good &= set(socket, IPPROTO_IP, IP_MULTICAST_IF, request);
      set(socket, IPPROTO_IP, IP_PKTINFO, 1);
    }
    if (!good) {
      const std::string problem = std::strerror(errno);
      ::close(socket);
      return problem;
    }
    sockets_.emplace(from, socket);
    transport_.watch(socket, [this, socket, from] { read(socket, from); });
  }
  const Sock group = sock_of(from.six, from.six ? group_six : group_four, beacon_port, from.index);
  if (::sendto(socket, datagram.data(), datagram.size(), 0, group.raw(), group.size) >= 0) return {};
  return std::strerror(errno);
}

void Asker::read(int socket, const NetAddress& at) {
  for (int i = 0; i < reads; ++i) {
    const auto datagram = receive(socket, at.six);
    if (!datagram) return;
    heard_(*datagram, at);
    if (!sockets_.contains(at)) return;  // it was closed meanwhile
  }
}

void Asker::close() {
  for (const auto& [address, socket] : sockets_) {
    transport_.unwatch(socket);
    ::close(socket);
  }
  sockets_.clear();
}

Listener::Listener(Transport& transport, bool loopback_only, std::function<void(const Datagram&)> heard)
    : transport_(transport), loopback_only_(loopback_only), heard_(std::move(heard)) {
  for (const bool six : {false, true}) {
    int& socket = six ? six_ : four_;
    socket = open_listener(six);
    if (socket >= 0) {
      transport_.watch(socket, [this, socket, six] { read(socket, six); });
    } else if (errno != EAFNOSUPPORT) {  // there are machines without IPv6
      problem_ = std::string(six ? "IPv6: " : "IPv4: ") + std::strerror(errno);
    }
  }
  if (four_ >= 0 || six_ >= 0) return;
  throw TransportError("cannot listen for questions at UDP port " + std::to_string(beacon_port) + " by " +
                       problem_ + "; let other programs leave it, or do not announce this broker");
}

Listener::~Listener() {
  for (const int socket : {four_, six_}) {
    if (socket < 0) continue;
    transport_.unwatch(socket);
    ::close(socket);
  }
}

// An interface that went is left, since the kernel allows a socket only so many, and may come back with its number.
std::string Listener::refresh() {
  std::map<std::pair<unsigned, bool>, std::string> names;
  for (const NetAddress& address : net_addresses()) {
    const int socket = address.six ? six_ : four_;
    if (socket >= 0 && (address.loopback || !loopback_only_))
      names[{address.index, address.six}] = address.interface;
  }
  std::erase_if(joined_, [&](const auto& entry) {
    const auto& [index, six] = entry.first;
    if (names.contains(entry.first)) return false;
    if (entry.second.empty()) member(six ? six_ : four_, six, index, false);
    return true;
  });
  std::string said = std::exchange(problem_, {});
  std::size_t others = 0;
  for (const auto& [at, name] : names) {
    const auto& [index, six] = at;
    const auto known = joined_.find(at);
    if (known != joined_.end() && known->second.empty()) continue;
    std::string problem;
    if (!member(six ? six_ : four_, six, index, true) && errno != EADDRINUSE) {
      problem = errno == ENOBUFS ? "too many; raise net.ipv4.igmp_max_memberships" : std::strerror(errno);
    }
    if (!problem.empty() && (known == joined_.end() || known->second != problem)) {
      if (said.empty())
        said = name + (six ? " by IPv6: " : " by IPv4: ") + problem;
      else
        ++others;
    }
    joined_[at] = std::move(problem);
  }
  return others == 0 ? said : said + "; and on " + std::to_string(others) + " more";
}

void Listener::read(int socket, bool six) {
  for (int i = 0; i < reads; ++i) {
    const auto datagram = receive(socket, six);
    if (!datagram) return;
    if (datagram->to_all) heard_(*datagram);  // nobody far away can ask
  }
}

void Listener::answer(const Datagram& to, std::string_view datagram) {
  const int socket = to.six ? six_ : four_;
  const auto* address = reinterpret_cast<const sockaddr*>(to.sender.data());
  ::sendto(socket, datagram.data(), datagram.size(), MSG_DONTWAIT, address,
           static_cast<socklen_t>(to.sender.size()));
}

}  // namespace pointsman
