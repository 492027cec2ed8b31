// beanstalkd: jobs in a tube, and results, if they are wanted, in a tube of each client.
#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

constexpr const char* crlf = "\r\n";

std::string put_command(std::string_view body) {
  return "put 0 0 60 " + std::to_string(body.size()) + crlf + std::string(body) + crlf;
}

// A connection: takes answers apart. `body` is of a reserved job.
class Peer : public LinkParty {
 public:
  Peer(Jobs& jobs, std::uint16_t port) : LinkParty(jobs.loop(), connect_to(port)), jobs_(jobs) {}

 protected:
  virtual void received(std::string_view line, std::string_view body) = 0;
  std::size_t take(std::string_view bytes) final {
    std::size_t used = 0;
    for (;;) {
      const std::size_t end = bytes.find(crlf, used);
      if (end == std::string_view::npos) return used;
      const std::string_view line = bytes.substr(used, end - used);
      std::size_t next = end + 2;
      std::string_view body;
      if (line.starts_with("RESERVED ")) {
        const std::size_t size = std::stoul(std::string(line.substr(line.rfind(' ') + 1)));
        if (bytes.size() - next < size + 2) return used;
        body = bytes.substr(next, size);
        next += size + 2;
      }
      received(line, body);
      used = next;
    }
  }
  static std::string_view id_in(std::string_view line) { return line.substr(9, line.rfind(' ') - 9); }
  Jobs& jobs_;
};

// Its number is in front of the payload, so that the worker knows for whom a job is.
class BeanstalkClient : public Peer {
 public:
  BeanstalkClient(Jobs& jobs, unsigned number, std::uint16_t port, bool with_result)
      : Peer(jobs, port), with_result_(with_result) {
    char tag[8];
    std::snprintf(tag, sizeof tag, "%03u", number);
    job_ = put_command(tag + job_payload.substr(3));
    if (with_result) job_ += std::string("reserve") + crlf;
    put(std::string("use work") + crlf + "watch reply-" + tag + crlf + "ignore default" + crlf);
  }
  void ask() override {
    began_ = jobs_.asks(*this);
    put(job_);
  }
  // Without a result: its job was deleted.
  void gone() { jobs_.answered(*this, began_); }

 protected:
  void received(std::string_view line, std::string_view body) override {
    if (line.starts_with("WATCHING 1")) {
      usable = true;
    } else if (!body.empty() && with_result_) {
      put("delete " + std::string(id_in(line)) + crlf);
      jobs_.answered(*this, began_);
    } else if (!line.starts_with("INSERTED") && line != "DELETED" && !line.starts_with("USING") &&
               !line.starts_with("WATCHING")) {
      throw Broken("beanstalkd: " + std::string(line));
    }
  }

 private:
  const bool with_result_;
  std::string job_;
  std::uint64_t began_ = 0;
};

class BeanstalkWorker : public Peer {
 public:
  BeanstalkWorker(Jobs& jobs, std::uint16_t port, bool with_result,
                  const std::vector<BeanstalkClient*>& clients)
      : Peer(jobs, port), with_result_(with_result), clients_(clients) {
    put(std::string("watch work") + crlf + "ignore default" + crlf + "reserve" + crlf);
  }

 protected:
  void received(std::string_view line, std::string_view body) override {
    if (!body.empty()) {
      jobs_.served();
      whose_ = body.substr(0, 3);
      if (with_result_) put("use reply-" + whose_ + crlf + put_command(body));
      put("delete " + std::string(id_in(line)) + crlf + "reserve" + crlf);
    } else if (line == "DELETED") {
      if (!with_result_) clients_.at(std::stoul(whose_))->gone();
    } else if (line.starts_with("WATCHING 1")) {
      usable = true;
    } else if (!line.starts_with("INSERTED") && !line.starts_with("USING") && !line.starts_with("WATCHING")) {
      throw Broken("beanstalkd: " + std::string(line));
    }
  }

 private:
  const bool with_result_;
  const std::vector<BeanstalkClient*>& clients_;
  std::string whose_;
};

class Beanstalkd : public Rival {
 public:
  explicit Beanstalkd(bool with_result) : with_result_(with_result) {}
  std::string name() const override {
    return with_result_ ? "beanstalkd, reply tube" : "beanstalkd, no result";
  }
  std::string package() const override { return "beanstalkd"; }
  std::string program() const override { return "beanstalkd"; }
  void start(Server& server, std::uint16_t port) override {
    server.start({find_program(program()), "-l", "127.0.0.1", "-p", std::to_string(port)});
    server.wait_for(port);
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned number, std::uint16_t port) override {
    if (number == 0) clients_.clear();
    auto client = std::make_unique<BeanstalkClient>(jobs, number, port, with_result_);
    clients_.push_back(client.get());
    return client;
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<BeanstalkWorker>(jobs, port, with_result_, clients_);
  }
  std::string waiting_job() override { return put_command(job_payload); }
  bool weighable() const override { return with_result_; }

 private:
  const bool with_result_;
  std::vector<BeanstalkClient*> clients_;  // of the newest run
};

}  // namespace

std::shared_ptr<Rival> beanstalkd(bool with_result) { return std::make_shared<Beanstalkd>(with_result); }

}  // namespace pointsman::peers
