// redis-server: a list of jobs, and a list of each client for results; LPUSH and BRPOP.
#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

std::string command(const std::vector<std::string_view>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto word : words)
    out += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
  return out;
}

// A connection: takes answers apart. Only lists of two, which BRPOP gives, are passed on.
class Peer : public LinkParty {
 public:
  Peer(Jobs& jobs, std::uint16_t port) : LinkParty(jobs.loop(), connect_to(port)), jobs_(jobs) {
    usable = true;
  }

 protected:
  virtual void received(std::string_view value) = 0;
  std::size_t take(std::string_view bytes) final {
    std::size_t used = 0;
    for (;;) {
      std::size_t next = used;
      std::string_view value;
      std::size_t lines = 1;
      bool whole = true;
      while (lines > 0 && whole) {
        const std::size_t end = bytes.find("\r\n", next);
        whole = end != std::string_view::npos;
        if (!whole) break;
        const std::string_view line = bytes.substr(next, end - next);
        next = end + 2;
        --lines;
        if (line[0] == '*') {
          lines += std::stoul(std::string(line.substr(1)));
        } else if (line[0] == '$') {
          const std::size_t size = std::stoul(std::string(line.substr(1)));
          whole = bytes.size() - next >= size + 2;
          if (!whole) break;
          value = bytes.substr(next, size);
          next += size + 2;
        } else if (line[0] != ':') {
          throw Broken("redis: " + std::string(line));
        }
      }
      if (!whole) return used;
      used = next;
      if (!value.empty()) received(value);
    }
  }
  Jobs& jobs_;
};

class RedisClient : public Peer {
 public:
  RedisClient(Jobs& jobs, unsigned number, std::uint16_t port) : Peer(jobs, port) {
    char tag[8];
    std::snprintf(tag, sizeof tag, "%03u", number);
    value_ = tag + job_payload.substr(3);
    job_ = command({"LPUSH", "work", value_}) + command({"BRPOP", std::string("reply-") + tag, "0"});
  }
  void ask() override {
    began_ = jobs_.asks(*this);
    put(job_);
  }

 protected:
  void received(std::string_view value) override {
    if (value != value_) throw Broken("redis: another answer");
    jobs_.answered(*this, began_);
  }

 private:
  std::string value_, job_;
  std::uint64_t began_ = 0;
};

class RedisWorker : public Peer {
 public:
  RedisWorker(Jobs& jobs, std::uint16_t port) : Peer(jobs, port) { put(next_); }

 protected:
  void received(std::string_view value) override {
    jobs_.served();
    put(command({"LPUSH", "reply-" + std::string(value.substr(0, 3)), value}));
    put(next_);
  }

 private:
  const std::string next_ = command({"BRPOP", "work", "0"});
};

class Redis : public Rival {
 public:
  std::string name() const override { return "redis lists"; }
  std::string package() const override { return "redis-server"; }
  std::string program() const override { return "redis-server"; }
  void start(Server& server, std::uint16_t port) override {
    server.start({find_program(program()), "--bind", "127.0.0.1", "--port", std::to_string(port), "--save",
                  "", "--appendonly", "no", "--dir", server.folder()});
    server.wait_for(port);
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned number, std::uint16_t port) override {
    return std::make_unique<RedisClient>(jobs, number, port);
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<RedisWorker>(jobs, port);
  }
  std::string waiting_job() override { return command({"LPUSH", "work", job_payload}); }
};

}  // namespace

std::shared_ptr<Rival> redis() { return std::make_shared<Redis>(); }

}  // namespace pointsman::peers
