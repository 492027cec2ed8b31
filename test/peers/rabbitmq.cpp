// RabbitMQ: AMQP 0-9-1, a queue of jobs without acknowledgements, results by direct reply-to.
#include "test/peers/jobs.hpp"

namespace pointsman::peers {
namespace {

enum : unsigned char { method_frame = 1, header_frame = 2, body_frame = 3 };
constexpr unsigned reply_to_flag = 1U << 9;

void number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t number_at(std::string_view bytes, std::size_t from, std::size_t size) {
  std::uint64_t value = 0;
  for (const char c : bytes.substr(from, size)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string text(std::string_view value) {
  std::string out;
  number(out, value.size(), 1);
  return out + std::string(value);
}

std::string frame(unsigned char type, unsigned channel, std::string_view payload) {
  std::string out;
  number(out, type, 1);
  number(out, channel, 2);
  number(out, payload.size(), 4);
  out += payload;
  return out + '\xce';
}

std::string method(unsigned channel, unsigned of_class, unsigned id, std::string_view arguments) {
  std::string out;
  number(out, of_class, 2);
  number(out, id, 2);
  return frame(method_frame, channel, out + std::string(arguments));
}

// A message to a queue, with the address of its sender if it has one.
std::string publish(std::string_view queue, std::string_view reply_to, std::string_view body) {
  std::string header;
  number(header, 60, 2);
  number(header, 0, 2);
  number(header, body.size(), 8);
  number(header, reply_to.empty() ? 0 : reply_to_flag, 2);
  if (!reply_to.empty()) header += text(reply_to);
  return method(1, 60, 40, std::string(2, '\0') + text("") + text(queue) + std::string(1, '\0')) +
         frame(header_frame, 1, header) + frame(body_frame, 1, body);
}

// A connection with one channel that consumes from a queue; which is declared if it is not the one of replies.
class Peer : public LinkParty {
 public:
  Peer(Jobs& jobs, std::uint16_t port, std::string queue)
      : LinkParty(jobs.loop(), connect_to(port)), jobs_(jobs), queue_(std::move(queue)) {
    put(std::string("AMQP\0\0\x09\x01", 8));
  }

 protected:
  virtual void received(const std::string& reply_to, std::string_view body) = 0;
  std::size_t take(std::string_view bytes) final {
    std::size_t used = 0;
    while (bytes.size() - used >= 8) {
      const std::size_t size = number_at(bytes, used + 3, 4);
      if (bytes.size() - used < size + 8) break;
      const std::string_view payload = bytes.substr(used + 7, size);
      const auto type = static_cast<unsigned char>(bytes[used]);
      used += size + 8;
      if (type == method_frame) {
        progress(number_at(payload, 0, 2) * 100 + number_at(payload, 2, 2), payload);
      } else if (type == header_frame) {
        const bool has_sender = (number_at(payload, 12, 2) & reply_to_flag) != 0;
        reply_to_ = has_sender ? payload.substr(15, number_at(payload, 14, 1)) : std::string_view();
      } else if (type == body_frame) {
        received(reply_to_, payload);
      }
    }
    return used;
  }
  Jobs& jobs_;

 private:
  // `step`: class * 100 + method.
  void progress(std::uint64_t step, std::string_view payload) {
    const std::string none(4, '\0');  // an empty table
    std::string out;
    switch (step) {
      case 1010:  // start
        out = none + text("PLAIN");
        number(out, 12, 4);
        put(method(0, 10, 11, out + std::string("\0guest\0guest", 12) + text("en_US")));
        break;
      case 1030:  // tune: as the server likes, but no heartbeats
        put(method(0, 10, 31, std::string(payload.substr(4, 6)) + std::string(2, '\0')));
        put(method(0, 10, 40, text("/") + text("") + std::string(1, '\0')));
        break;
      case 1041: put(method(1, 20, 10, text(""))); break;
      case 2011:  // a channel
        if (queue_ == "work") {
          put(method(1, 50, 10, std::string(2, '\0') + text(queue_) + std::string(1, '\0') + none));
        } else {
          consume();
        }
        break;
      case 5011: consume(); break;
      case 6021: usable = true; break;
      case 6060: break;  // a delivery; its body follows
      default: throw Broken("rabbitmq: unexpected method " + std::to_string(step));
    }
  }
  void consume() {
    constexpr char no_ack = 2;
    put(method(1, 60, 20, std::string(2, '\0') + text(queue_) + text("") + no_ack + std::string(4, '\0')));
  }

  std::string queue_, reply_to_;
};

class RabbitClient : public Peer {
 public:
  RabbitClient(Jobs& jobs, std::uint16_t port) : Peer(jobs, port, "amq.rabbitmq.reply-to") {}
  void ask() override {
    began_ = jobs_.asks(*this);
    put(job_);
  }

 protected:
  void received(const std::string&, std::string_view body) override {
    if (body != job_payload) throw Broken("rabbitmq: another answer");
    jobs_.answered(*this, began_);
  }

 private:
  const std::string job_ = publish("work", "amq.rabbitmq.reply-to", job_payload);
  std::uint64_t began_ = 0;
};

class RabbitWorker : public Peer {
 public:
  RabbitWorker(Jobs& jobs, std::uint16_t port) : Peer(jobs, port, "work") {}

 protected:
  void received(const std::string& reply_to, std::string_view body) override {
    jobs_.served();
    put(publish(reply_to, {}, body));
  }
};

class RabbitMq : public Rival {
 public:
  std::string name() const override { return "RabbitMQ"; }
  std::string package() const override { return "rabbitmq-server"; }
  // The one in the path changes the user, which needs a home.
  std::string program() const override { return "/usr/lib/rabbitmq/bin/rabbitmq-server"; }
  bool slow() const override { return true; }
  void start(Server& server, std::uint16_t port) override {
    // Its name server, which it would else leave behind.
    const std::string names = std::to_string(free_port());
    names_.start({find_program("epmd"), "-address", "127.0.0.1", "-port", names});
    names_.wait_for(port_of(names));
    const std::string& at = server.folder();
    server.start({program()},
                 {"HOME=" + at, "RABBITMQ_NODENAME=peers@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
                  "RABBITMQ_NODE_PORT=" + std::to_string(port),
                  "RABBITMQ_DIST_PORT=" + std::to_string(free_port()), "RABBITMQ_MNESIA_BASE=" + at,
                  "RABBITMQ_LOG_BASE=" + at, "RABBITMQ_ENABLED_PLUGINS_FILE=" + at + "/none",
                  "RABBITMQ_PID_FILE=" + at + "/pid", "ERL_EPMD_PORT=" + names, "ERL_EPMD_ADDRESS=127.0.0.1",
                  "RABBITMQ_CONF_ENV_FILE=" + at + "/none", "RABBITMQ_CONFIG_FILE=" + at + "/none",
                  "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"});
    server.wait_for(port);
  }
  std::unique_ptr<Party> client(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<RabbitClient>(jobs, port);
  }
  std::unique_ptr<Party> worker(Jobs& jobs, unsigned, std::uint16_t port) override {
    return std::make_unique<RabbitWorker>(jobs, port);
  }
  std::string waiting_job() override { return publish("work", {}, job_payload); }

 private:
  Server names_;
};

}  // namespace

std::shared_ptr<Rival> rabbitmq() { return std::make_shared<RabbitMq>(); }

}  // namespace pointsman::peers
