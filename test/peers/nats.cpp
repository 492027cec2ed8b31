// nats-server: request and reply over a queue group.
#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

// A connection: greets, subscribes, and takes messages apart.
class Peer : public LinkParty {
 public:
  Peer(Jobs& jobs, std::uint16_t port, const std::string& subscription)
      : LinkParty(jobs.loop(), connect_to(port)), jobs_(jobs) {
    put("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB " + subscription + "\r\nPING\r\n");
  }

 protected:
  virtual void received(std::string_view reply_to, std::string_view payload) = 0;
  std::size_t take(std::string_view bytes) final {
    std::size_t used = 0;
    for (;;) {
      const std::size_t end = bytes.find("\r\n", used);
      if (end == std::string_view::npos) return used;
      const std::string_view line = bytes.substr(used, end - used);
      std::size_t next = end + 2;
      if (line.starts_with("MSG ")) {
        // MSG subject number [reply-to] size
        const std::size_t size = std::stoul(std::string(line.substr(line.rfind(' ') + 1)));
        if (bytes.size() - next < size + 2) return used;
        std::string_view words = line.substr(4, line.rfind(' ') - 4);
        words.remove_prefix(words.find(' ') + 1);
        const std::size_t space = words.find(' ');
        received(space == std::string_view::npos ? std::string_view() : words.substr(space + 1),
                 bytes.substr(next, size));
        next += size + 2;
      } else if (line == "PONG") {
        usable = true;
      } else if (line == "PING") {
        put("PONG\r\n");
      } else if (!line.starts_with("INFO ")) {
        throw Broken("nats: " + std::string(line));
      }
      used = next;
    }
  }
  Jobs& jobs_;
};

class NatsClient : public Peer {
 public:
  NatsClient(Jobs& jobs, unsigned number, std::uint16_t port)
      : Peer(jobs, port, "_INBOX." + std::to_string(number) + " 1"),
        job_("PUB work _INBOX." + std::to_string(number) + " " + std::to_string(job_payload.size()) + "\r\n" +
             job_payload + "\r\n") {}
  void ask() override {
    began_ = jobs_.asks(*this);
    put(job_);
  }

 protected:
  void received(std::string_view, std::string_view payload) override {
    if (payload != job_payload) throw Broken("nats: another answer");
    jobs_.answered(*this, began_);
  }

 private:
  const std::string job_;
  std::uint64_t began_ = 0;
};

class NatsWorker : public Peer {
 public:
  NatsWorker(Jobs& jobs, std::uint16_t port) : Peer(jobs, port, "work workers 1") {}

 protected:
  void received(std::string_view reply_to, std::string_view payload) override {
    jobs_.served();
    put("PUB ");
    put(reply_to);
    put(" " + std::to_string(payload.size()) + "\r\n");
    put(payload);
    put("\r\n");
  }
};

class Nats : public Rival {
 public:
  std::string name() const override { return "nats-server"; }
  std::string package() const override { return "nats-server"; }
  std::string program() const override { return "nats-server"; }
  void start(Server& server, std::uint16_t port) override {
    server.start({find_program(program()), "--addr", "127.0.0.1", "--port", std::to_string(port)});
    server.wait_for(port);
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned number, std::uint16_t port) override {
    return std::make_unique<NatsClient>(jobs, number, port);
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<NatsWorker>(jobs, port);
  }
};

}  // namespace

std::shared_ptr<Rival> nats() { return std::make_shared<Nats>(); }

}  // namespace pointsman::peers
