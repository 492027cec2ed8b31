// The Majordomo pattern of the ØMQ guide (RFC 7): clients and workers that speak it. Its broker is a floor: a loop
// over bare libzmq.
#include "test/peers/jobs.hpp"
#include "test/peers/zmtp.hpp"

namespace pointsman::peers {
namespace {

const std::string client_word = "MDPC01", worker_word = "MDPW01";
const std::string is_ready = "\x01", is_request = "\x02", is_reply = "\x03";

// A connection that gathers the frames of a message.
class Peer : public Party, public Zmtp {
 public:
  Peer(Jobs& jobs, std::uint16_t port) : Zmtp(jobs.loop(), connect_to(port), "DEALER"), jobs_(jobs) {}

 protected:
  virtual void whole(const std::vector<std::string>& frames) = 0;
  void received(std::string_view part, bool more) final {
    frames_.emplace_back(part);
    if (more) return;
    whole(frames_);
    frames_.clear();
  }
  void say(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) frame(frames[i], i + 1 < frames.size());
  }
  Jobs& jobs_;

 private:
  std::vector<std::string> frames_;
};

class MajordomoClient : public Peer {
 public:
  using Peer::Peer;
  void ask() override {
    began_ = jobs_.asks(*this);
    say(job_);
  }

 protected:
  void opened() override { usable = true; }
  void whole(const std::vector<std::string>& frames) override {
    if (frames.size() != 4 || frames[3] != job_payload) throw Broken("majordomo: another answer");
    jobs_.answered(*this, began_);
  }

 private:
  const std::vector<std::string> job_{"", client_word, "work", job_payload};
  std::uint64_t began_ = 0;
};

class MajordomoWorker : public Peer {
 public:
  using Peer::Peer;

 protected:
  void opened() override {
    say({"", worker_word, is_ready, "work"});
    usable = true;
  }
  void whole(const std::vector<std::string>& frames) override {
    // "", MDPW01, request, client, "", body
    if (frames.size() != 6 || frames[2] != is_request) throw Broken("majordomo: unexpected message");
    jobs_.served();
    say({"", worker_word, is_reply, frames[3], "", frames[5]});
  }
};

class Majordomo : public Rival {
 public:
  std::string name() const override { return "Majordomo pattern"; }
  std::string package() const override { return ""; }
  std::string program() const override { return self(); }
  void start(Server& server, std::uint16_t port) override {
    server.start({self(), "floor", "majordomo", std::to_string(port)});
    server.ready_line();
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<MajordomoClient>(jobs, port);
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<MajordomoWorker>(jobs, port);
  }
};

}  // namespace

std::shared_ptr<Rival> majordomo() { return std::make_shared<Majordomo>(); }

}  // namespace pointsman::peers
