// Starting the server, and finding out when it is there.
#include "workers/server.hpp"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace pointsman::workers {

namespace {

constexpr Duration patience{std::chrono::seconds(30)};  // for a command that was started to accept connections
constexpr Duration between{std::chrono::milliseconds(50)};

struct Place {
  std::string scheme;  // with ://
  std::string host;    // or the path of an ipc socket
  std::string port;
};

Place place_of(const std::string& endpoint) {
  const auto colons = endpoint.find("://");
  Place place{.scheme = endpoint.substr(0, colons == std::string::npos ? 0 : colons + 3)};
  std::string rest = endpoint.substr(place.scheme.size());
  if (place.scheme == "ipc://") {
    place.host = rest;
    return place;
  }
  rest = rest.substr(0, rest.find('/'));
  const auto colon = rest.rfind(':');
  place.host = rest.substr(0, colon);
  place.port = colon == std::string::npos ? (place.scheme == "https://" ? "443" : "80") : rest.substr(colon + 1);
  if (place.host.starts_with('[') && place.host.ends_with(']')) place.host = place.host.substr(1, place.host.size() - 2);
  return place;
}

struct Addresses {
  addrinfo* first = nullptr;
  Addresses(const Place& place, bool passive) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = passive ? AI_PASSIVE : 0;
    if (getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &first) != 0) first = nullptr;
  }
  ~Addresses() {
    if (first) freeaddrinfo(first);
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;
};

// A port that was free a moment ago. Somebody else may take it before the command does; then the command ends,
// and is started again with another.
std::string with_free_port(const std::string& endpoint) {
  Place place = place_of(endpoint);
  if (place.port != "*" && place.port != "0") return endpoint;
  place.port = "0";
  const Addresses addresses(place, true);
  if (!addresses.first) throw TransportError("cannot bind " + endpoint + ": the host is not known");
  const int probe = socket(addresses.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  const bool done = probe >= 0 && bind(probe, addresses.first->ai_addr, addresses.first->ai_addrlen) == 0 &&
                    getsockname(probe, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  const int error = errno;
  if (probe >= 0) close(probe);
  if (!done) throw TransportError("cannot bind " + endpoint + ": " + std::strerror(error));
  char port[NI_MAXSERV] = "";
  getnameinfo(reinterpret_cast<sockaddr*>(&bound), size, nullptr, 0, port, sizeof port, NI_NUMERICSERV);
  return endpoint.substr(0, endpoint.rfind(':') + 1) + port;
}

// Begins to connect: the socket, or -1.
int begin_to_connect(const std::string& endpoint) {
  const Place place = place_of(endpoint);
  if (place.scheme == "ipc://") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (place.host.size() >= sizeof address.sun_path) return -1;
    std::memcpy(address.sun_path, place.host.c_str(), place.host.size());
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor >= 0 && connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      close(descriptor);
      return -1;
    }
    return descriptor;
  }
  const Addresses addresses(place, false);
  if (!addresses.first) return -1;
  const int descriptor = socket(addresses.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  if (connect(descriptor, addresses.first->ai_addr, addresses.first->ai_addrlen) != 0 && errno != EINPROGRESS) {
    close(descriptor);
    return -1;
  }
  return descriptor;
}

}  // namespace

Server::Server(Workshop& shop) : shop_(shop), endpoint_(shop.options.endpoint) {
  if (shop.options.command.empty()) stage_ = Stage::up;
}

Server::~Server() { close_probe(); }

void Server::start() {
  bind_ = with_free_port(shop_.options.bind);
  endpoint_ = !shop_.options.advertise.empty() ? shop_.options.advertise
              : !shop_.options.endpoint.empty() ? shop_.options.endpoint
                                                : bind_;
  std::string services;
  for (const Offer& offer : shop_.options.services) services += (services.empty() ? "" : ",") + offer.service;
  try {
    child_ = shop_.processes.start(shop_.options.command,
                                   {{"POINTSMAN_BIND", bind_},
                                    {"POINTSMAN_SERVICE", services},
                                    {"POINTSMAN_WORKER", shop_.name}},
                                   false, [this](int status) { ended(status); });
  } catch (const std::system_error& error) {
    shop_.say(std::string("cannot start the command: ") + error.what());
    next_ = now() + backoff_.pause(now());
    return;
  }
  backoff_.started(now());
  stage_ = Stage::starting;
  next_ = now();
  give_up_ = now() + patience;
}

void Server::ended(int status) {
  child_.pid = -1;
  stage_ = Stage::down;
  close_probe();
  const int exit = exit_code_of(status);
  const std::string how = exit > 128 ? "was ended by signal " + std::to_string(exit - 128)
                                     : "ended with exit code " + std::to_string(exit);
  if (stopping_) return;
  const Duration pause = backoff_.pause(now());
  next_ = now() + pause;
  shop_.say("the server " + how + "; it is started again in " +
            std::to_string(pause / std::chrono::milliseconds(1)) + " ms");
}

void Server::close_probe() { close_pipe(probe_); }

void Server::probe() {
  if (probe_ < 0) probe_ = begin_to_connect(bind_);
  if (probe_ < 0) return;
  pollfd waits{.fd = probe_, .events = POLLOUT, .revents = 0};
  if (poll(&waits, 1, 0) <= 0) return;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(probe_, SOL_SOCKET, SO_ERROR, &error, &size);
  close_probe();
  if (error == 0) stage_ = Stage::up;
}

Instant Server::tick(Instant now) {
  if (shop_.options.command.empty() || stage_ == Stage::up) return never;
  if (now < next_) return next_;
  if (stage_ == Stage::down) {
    if (stopping_) return never;
    start();
    return next_;
  }
  probe();
  if (stage_ == Stage::up) return never;
  if (now >= give_up_) {
    shop_.say("the server did not accept connections at " + bind_ + " in time");
    kill();
    give_up_ = never;
  }
  next_ = now + between;
  return next_;
}

void Server::stop() {
  stopping_ = true;
  if (child_.pid >= 0) shop_.processes.signal(child_.pid, SIGTERM);
}

void Server::kill() {
  if (child_.pid >= 0) shop_.processes.signal(child_.pid, SIGKILL);
}

}  // namespace pointsman::workers
