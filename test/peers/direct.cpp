// One client with one call outstanding, or one stream after another.
#include "test/peers/direct.hpp"

#include <zmq.h>

#include <cstdio>

#include "clients/client.hpp"
#include "test/folder.hpp"
#include "test/peers/samples.hpp"
#include "test/peers/servers.hpp"
#include "workers/worker.hpp"

namespace pointsman::peers {
namespace {

constexpr std::size_t big = 64 * 1024;          // sizes from here on get shorter queues
constexpr std::size_t stream_bytes = 64 << 20;  // of one stream, about
constexpr std::size_t stream_parts_max = 50'000;

std::size_t parts_of(std::size_t size) {
  return std::clamp<std::size_t>(stream_bytes / size, 16, stream_parts_max);
}

std::string payload_of(std::size_t size) { return std::string(size, 'p'); }

// Does the same again and again; an operation is `each` of what one turn does.
template <class Turn>
Figure again(const Pace& pace, std::size_t each, const std::vector<const Server*>& servers,
             const Turn& turn) {
  const auto cpu = [&] {
    double all = 0;
    for (const Server* server : servers) all += server->cpu();
    return all;
  };
  const auto until = [](double seconds) { return nanoseconds() + static_cast<std::uint64_t>(seconds * 1e9); };
  const std::uint64_t warm = until(pace.warm_up);
  do turn();
  while (nanoseconds() < warm);
  Latencies latencies;
  const double before = cpu();
  const std::uint64_t from = nanoseconds(), end = until(pace.seconds);
  std::uint64_t last = from;
  do {
    turn();
    const std::uint64_t now = nanoseconds();
    latencies.add(now - last);
    last = now;
  } while (last < end);
  const double count = static_cast<double>(latencies.count() * each);
  return {.rate = count * 1e9 / static_cast<double>(last - from),
          .p50 = each == 1 ? latencies.quantile(0.5) : 0,
          .p99 = each == 1 ? latencies.quantile(0.99) : 0,
          .cpu = (cpu() - before) * 1e6 / count,
          .count = latencies.count() * each};
}

// A bare DEALER.
class Bare {
 public:
  Bare(const std::string& endpoint, std::size_t size, std::size_t parts)
      : size_(size), parts_(parts), call_(sample_call(parts).bytes()) {
    const int queue = size >= big ? 32 : 1000, none = 0, patience = 20'000;
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(socket_, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &patience, sizeof patience);
    if (zmq_connect(socket_, endpoint.c_str()) != 0) throw Broken("connect");
    zmq_msg_init_size(&payload_, size);
    zmq_msg_init(&part_);
  }
  ~Bare() {
    zmq_msg_close(&payload_);
    zmq_msg_close(&part_);
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void turn() {
    zmq_send(socket_, "", 0, ZMQ_SNDMORE);
    zmq_send(socket_, call_.data(), call_.size(), ZMQ_SNDMORE);
    zmq_msg_t twin;
    zmq_msg_init(&twin);
    zmq_msg_copy(&twin, &payload_);
    zmq_msg_send(&twin, socket_, 0);
    for (std::size_t i = 0; i < parts_; ++i) {
      for (int frame = 0; frame < 3; ++frame) {
        if (zmq_msg_recv(&part_, socket_, 0) < 0) throw Broken("no answer");
      }
      if (zmq_msg_more(&part_) != 0 || zmq_msg_size(&part_) != size_) throw Broken("another answer");
    }
  }

 private:
  void* context_ = zmq_ctx_new();
  void* socket_ = zmq_socket(context_, ZMQ_DEALER);
  std::size_t size_, parts_;
  std::string call_;
  zmq_msg_t payload_{}, part_{};
};

Figure run_bare(const Pace& pace, std::size_t size, std::size_t parts, bool through_proxy) {
  const std::string kind = size >= big ? "big" : "small";
  Server proxy, worker;
  std::string at;
  std::vector<std::string> command{self(), "floor", "worker", kind};
  if (through_proxy) {
    proxy.start({self(), "floor", "proxy", kind});
    const std::string line = proxy.ready_line();
    at = value_of(line, "clients");
    command.push_back(value_of(line, "workers"));
  }
  worker.start(command);
  const std::string line = worker.ready_line();
  if (!through_proxy) at = value_of(line, "clients");
  Bare bare(at, size, parts);
  std::vector<const Server*> servers{&worker};
  if (through_proxy) servers.push_back(&proxy);
  return again(pace, parts, servers, [&] { bare.turn(); });
}

// A broker, a worker and a client with a session.
class House {
 public:
  explicit House(bool encrypted = false) : keys_(folder_.path()), broker_(encrypted ? &keys_ : nullptr) {
    std::vector<std::string> command{self(), "worker", broker_.workers};
    ClientOptions options{.broker = broker_.clients};
    if (encrypted) {
      options.key = keys_.load_file;
      options.broker_key = keys_.server_file + ".pub";
      command.insert(command.end(), {options.key, options.broker_key});
    }
    worker.start(command);
    worker.ready_line();
    client = std::make_unique<Client>(options);
    session = client->acquire("echo", {.absent = true});
  }

 private:
  TemporaryFolder folder_;
  Keys keys_;
  Broker broker_;

 public:
  Server worker;
  std::unique_ptr<Client> client;
  Session session;
};

Figure run_call(const Pace& pace, std::size_t size) {
  House house;
  const Payload request{payload_of(size)};
  return again(pace, 1, {&house.worker}, [&] {
    const Payload answer = house.session.call(request);
    if (answer.size() != 1 || answer[0].size() != size) throw Broken("another answer");
  });
}

Figure run_stream(const Pace& pace, std::size_t size, std::size_t parts) {
  House house;
  const Payload request{payload_of(size), std::to_string(parts)};
  return again(pace, parts, {&house.worker}, [&] {
    std::size_t got = 0;
    house.session.stream(request, [&](const Payload& part) {
      if (part.empty()) return;
      if (part.size() != 1 || part[0].size() != size) throw Broken("another part");
      ++got;
    });
    if (got != parts) throw Broken("parts are missing: " + std::to_string(got));
  });
}

// The time of a call: on a session that is in use, or the first of a new session with a worker known already.
Figure run_first_call(const Pace& pace, bool repeat, bool encrypted) {
  House house(encrypted);
  const Payload request{payload_of(100)};
  house.session.call(request);
  Latencies latencies;
  const std::uint64_t until = nanoseconds() + static_cast<std::uint64_t>(pace.seconds * 1e9);
  do {
    if (repeat) {
      house.session.release();
      house.session = house.client->acquire("echo");
    }
    const std::uint64_t from = nanoseconds();
    house.session.call(request);
    latencies.add(nanoseconds() - from);
  } while (nanoseconds() < until);
  const double p50 = latencies.quantile(0.5);
  return {
      .rate = 1e6 / p50, .p50 = p50, .p99 = latencies.quantile(0.99), .cpu = 0, .count = latencies.count()};
}

}  // namespace

std::vector<Contest> direct_contests(const Pace& pace) {
  struct Size {
    std::size_t bytes;
    const char* name;
  };
  const std::vector<Size> sizes =
      pace.tiny ? std::vector<Size>{{100, "100 B"}}
                : std::vector<Size>{{100, "100 B"}, {1024, "1 KB"}, {big, "64 KB"}, {1 << 20, "1 MB"}};
  std::vector<Contest> all;
  const std::vector<Goal> goals{{Quantity::rate, 0.97, {"libzmq"}}};
  for (const auto& [bytes, name] : sizes) {
    const std::size_t size = bytes;
    all.push_back({"direct-call",
                   name,
                   {{"libzmq", [=] { return run_bare(pace, size, 1, false); }, {}},
                    {"zmq_proxy", [=] { return run_bare(pace, size, 1, true); }, {}},
                    {ours, [=] { return run_call(pace, size); }, {}}},
                   goals});
  }
  for (const auto& [bytes, name] : sizes) {
    const std::size_t size = bytes, parts = pace.tiny ? 100 : parts_of(bytes);
    all.push_back({"direct-stream",
                   name,
                   {{"libzmq", [=] { return run_bare(pace, size, parts, false); }, {}},
                    {"zmq_proxy", [=] { return run_bare(pace, size, parts, true); }, {}},
                    {ours, [=] { return run_stream(pace, size, parts); }, {}}},
                   goals});
  }
  for (const bool encrypted : {false, true}) {
    all.push_back({"first-call",
                   encrypted ? "CURVE" : "plaintext",
                   {{"standing session", [=] { return run_first_call(pace, false, encrypted); }, {}},
                    {"repeat session", [=] { return run_first_call(pace, true, encrypted); }, {}}},
                   {{Quantity::p50, 1.3, {"standing session"}, "repeat session"}}});
  }
  return all;
}

int run_echo_worker(const std::vector<std::string>& words) {
  WorkerOptions options{.broker = words.at(0), .services = {{.service = "echo"}}, .slots = 4};
  if (words.size() == 3) {
    options.key = words[1];
    options.broker_key = words[2];
  }
  std::puts("ready worker");
  std::fflush(stdout);
  Worker worker(options);
  worker.serve([](Work& work) {
    const Payload& request = work.request();
    if (request.size() < 2) return work.answer(request);
    for (std::size_t parts = std::stoul(request[1].str()); parts > 0; --parts) {
      if (!work.part({request[0]})) return;
    }
  });
  return 0;
}

}  // namespace pointsman::peers
