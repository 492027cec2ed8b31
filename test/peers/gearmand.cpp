// gearmand: its binary protocol.
#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

enum : std::uint32_t {
  can_do = 1,
  pre_sleep = 4,
  noop = 6,
  submit_job = 7,
  job_created = 8,
  grab_job = 9,
  no_job = 10,
  job_assign = 11,
  work_complete = 13,
  submit_job_background = 18
};

void number(std::string& out, std::uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

std::string packet(std::uint32_t type, std::string_view data = {}) {
  std::string out("\0REQ", 4);
  number(out, type);
  number(out, data.size());
  out += data;
  return out;
}

const std::string zero(1, '\0');

class Peer : public LinkParty {
 public:
  Peer(Jobs& jobs, std::uint16_t port) : LinkParty(jobs.loop(), connect_to(port)), jobs_(jobs) {}

 protected:
  virtual void received(std::uint32_t type, std::string_view data) = 0;
  std::size_t take(std::string_view bytes) final {
    std::size_t used = 0;
    while (bytes.size() - used >= 12) {
      const auto at = [&](std::size_t from) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i)
          value = value << 8 | static_cast<unsigned char>(bytes[used + from + i]);
        return value;
      };
      const std::size_t size = at(8);
      if (bytes.size() - used - 12 < size) break;
      received(at(4), bytes.substr(used + 12, size));
      used += 12 + size;
    }
    return used;
  }
  Jobs& jobs_;
};

class GearmanClient : public Peer {
 public:
  GearmanClient(Jobs& jobs, std::uint16_t port) : Peer(jobs, port) { usable = true; }
  void ask() override {
    began_ = jobs_.asks(*this);
    put(job_);
  }

 protected:
  void received(std::uint32_t type, std::string_view data) override {
    if (type == job_created) return;
    if (type != work_complete || !data.ends_with(job_payload)) throw Broken("gearmand: unexpected packet");
    jobs_.answered(*this, began_);
  }

 private:
  const std::string job_ = packet(submit_job, "work" + zero + zero + job_payload);
  std::uint64_t began_ = 0;
};

class GearmanWorker : public Peer {
 public:
  GearmanWorker(Jobs& jobs, std::uint16_t port) : Peer(jobs, port) {
    put(packet(can_do, "work") + packet(grab_job));
  }

 protected:
  void received(std::uint32_t type, std::string_view data) override {
    if (type == no_job) {
      put(sleep_);
      usable = true;
    } else if (type == noop) {
      put(grab_);
    } else if (type == job_assign) {
      const std::string handle(data.substr(0, data.find('\0')));
      jobs_.served();
      put(packet(work_complete, handle + zero + job_payload));
      put(grab_);
    } else {
      throw Broken("gearmand: unexpected packet");
    }
  }

 private:
  const std::string grab_ = packet(grab_job), sleep_ = packet(pre_sleep);
};

class Gearmand : public Rival {
 public:
  std::string name() const override { return "gearmand"; }
  std::string package() const override { return "gearman-job-server"; }
  std::string program() const override { return "gearmand"; }
  void start(Server& server, std::uint16_t port) override {
    // One thread for connections beside the one for jobs: more than that have no core here.
    server.start({find_program(program()), "--listen=127.0.0.1", "--port=" + std::to_string(port),
                  "--threads=1", "--log-file=" + server.folder() + "/log",
                  "--pid-file=" + server.folder() + "/pid"});
    server.wait_for(port);
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<GearmanClient>(jobs, port);
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<GearmanWorker>(jobs, port);
  }
  std::string waiting_job() override {
    return packet(submit_job_background, "work" + zero + zero + job_payload);
  }
};

}  // namespace

std::shared_ptr<Rival> gearmand() { return std::make_shared<Gearmand>(); }

}  // namespace pointsman::peers
