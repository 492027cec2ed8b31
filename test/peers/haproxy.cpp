// HAProxy, leastconn: a TCP connection set up for each job.
#include <unistd.h>

#include <array>
#include <fstream>

#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

// The worker's end of one job's connection; used again for others.
class FarEnd : public Link {
 public:
  FarEnd(Jobs& jobs, int socket) : Link(jobs.loop(), socket), jobs_(jobs) {}
  bool free = false;
  void use(int socket) {
    free = false;
    replace(socket);
  }

 protected:
  std::size_t take(std::string_view bytes) override {
    if (bytes.size() < job_payload.size()) return 0;
    jobs_.served();
    put(bytes);
    return bytes.size();
  }
  void over() override {
    shut();
    free = true;
  }

 private:
  Jobs& jobs_;
};

// A worker: takes connections.
class HaproxyWorker : public LinkParty {
 public:
  HaproxyWorker(Jobs& jobs, int listener) : LinkParty(jobs.loop(), listener), jobs_(jobs) { usable = true; }

 protected:
  void handle(std::uint32_t) override {
    for (int socket = -1; (socket = accept()) >= 0;) {
      FarEnd* end = nullptr;
      for (const auto& some : ends_) {
        if (some->free) end = some.get();
      }
      if (end != nullptr) {
        end->use(socket);
      } else {
        ends_.push_back(std::make_unique<FarEnd>(jobs_, socket));
      }
    }
  }
  std::size_t take(std::string_view bytes) override { return bytes.size(); }

 private:
  Jobs& jobs_;
  std::vector<std::unique_ptr<FarEnd>> ends_;
};

class HaproxyClient : public LinkParty {
 public:
  HaproxyClient(Jobs& jobs, std::uint16_t port)
      : LinkParty(jobs.loop(), connect_to(port)), jobs_(jobs), port_(port) {
    usable = true;
  }
  void ask() override {
    began_ = jobs_.asks(*this);
    replace(connect_to(port_));
    put(job_payload);
  }

 protected:
  std::size_t take(std::string_view bytes) override {
    if (bytes.size() < job_payload.size()) return 0;
    if (bytes != job_payload) throw Broken("haproxy: another answer");
    shut();
    jobs_.answered(*this, began_);
    return bytes.size();
  }

 private:
  Jobs& jobs_;
  std::uint16_t port_;
  std::uint64_t began_ = 0;
};

class Haproxy : public Rival {
 public:
  ~Haproxy() override { close_listeners(); }
  std::string name() const override { return "HAProxy leastconn"; }
  std::string package() const override { return "haproxy"; }
  std::string program() const override { return "haproxy"; }
  bool weighable() const override { return false; }
  void start(Server& server, std::uint16_t port) override {
    // Workers listen before they are known as workers: the configuration has their ports.
    const std::string path = server.folder() + "/haproxy.cfg";
    std::ofstream file(path);
    file << "global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n"
            "  timeout server 30s\nlisten jobs\n  bind 127.0.0.1:"
         << port << "\n  balance leastconn\n";
    close_listeners();
    for (int& listener : listeners_) {
      std::uint16_t at = 0;
      listener = new_listener(at);
      file << "  server w" << at << " 127.0.0.1:" << at << "\n";
    }
    file.close();
    server.start({find_program(program()), "-db", "-f", path});
    server.wait_for(port);
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<HaproxyClient>(jobs, port);
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned number, std::uint16_t) override {
    return std::make_unique<HaproxyWorker>(jobs, std::exchange(listeners_.at(number), -1));
  }

 private:
  void close_listeners() {
    for (int& listener : listeners_) {
      if (listener >= 0) ::close(std::exchange(listener, -1));
    }
  }
  std::array<int, 4> listeners_{-1, -1, -1, -1};  // until a worker takes them
};

}  // namespace

std::shared_ptr<Rival> haproxy() { return std::make_shared<Haproxy>(); }

}  // namespace pointsman::peers
