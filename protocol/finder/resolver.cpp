// An errand for each question: getaddrinfo() cannot be ended.
#include "protocol/finder/resolver.hpp"

#include <netdb.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

namespace pointsman::finder {

namespace {

std::string endpoint_of(const addrinfo& info, std::uint16_t port) {
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(info.ai_addr, info.ai_addrlen, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return {};
  const std::string text(host.data());
  return "tcp://" + (info.ai_family == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

struct Found {
  std::vector<std::string> endpoints;
  std::string problem;
};

Found look_up(const std::string& name, std::uint16_t port) {
  addrinfo wish{};
  wish.ai_socktype = SOCK_STREAM;
  wish.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &wish, &list);
  if (error != 0) return {{}, error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)};
  std::set<std::string> found;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) found.insert(endpoint_of(*at, port));
  found.erase(std::string());
  freeaddrinfo(list);
  return {{found.begin(), found.end()}, {}};
}

}  // namespace

void Resolver::resolve(const std::string& name, std::uint16_t port, const Answer& answer) {
  const auto found = std::make_shared<Found>();
  if (!errands_.run([found, name, port] { *found = look_up(name, port); },
                    [found, answer] { answer(found->endpoints, found->problem); }))
    answer({}, "no descriptor is left");
}

}  // namespace pointsman::finder
