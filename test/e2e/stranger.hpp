// Strangers: a broker in a process of its own, and peers that know ZeroMQ but nothing of Pointsman.

#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <sstream>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "protocol/codec.hpp"
#include "test/e2e/process.hpp"

namespace pointsman {

// `pointsman broker`, ready when constructed.
struct BrokerProcess {
  explicit BrokerProcess(std::vector<std::string> arguments = {"--clients", "tcp://127.0.0.1:*", "--workers",
                                                               "tcp://127.0.0.1:*"}) {
    arguments.insert(arguments.begin(), {pointsman_program(), "broker"});
    process.emplace(arguments);
    std::string line;
    REQUIRE(process->wait_for_line("ready ", std::chrono::seconds(20), &line));
    std::istringstream words(line);
    std::string ready;
    words >> ready >> clients >> workers;
    clients.erase(0, std::string("clients=").size());
    workers.erase(0, std::string("workers=").size());
  }

  std::optional<Process> process;
  std::string clients;
  std::string workers;
};

// A bare DEALER. Questions and answers are frames; answers come within ten seconds or are empty.
class Stranger {
 public:
  explicit Stranger(const std::string& endpoint) : socket_(context_, zmq::socket_type::dealer) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, 10'000);
    socket_.set(zmq::sockopt::sndtimeo, 10'000);
    socket_.connect(endpoint);
  }

  void send(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const bool more = i + 1 < frames.size();
      socket_.send(zmq::buffer(frames[i]), more ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }

  // The same without waiting: what does not fit is not sent.
  void try_send(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      static_cast<void>(socket_.send(zmq::buffer(frames[i]), more | zmq::send_flags::dontwait));
    }
  }

  std::vector<std::string> receive() {
    std::vector<std::string> frames;
    zmq::message_t frame;
    do {
      if (!socket_.recv(frame)) return {};
      frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
  }

  // The answer to one body; `none` if there is none that can be read.
  std::optional<Message> ask(const std::vector<std::string>& frames) {
    send(frames);
    const auto answer = receive();
    if (answer.empty()) return {};
    Codec codec{};
    auto read = decode(answer.back(), codec);
    if (auto* message = std::get_if<Message>(&read)) return *message;
    return {};
  }

  // The code with which a question is refused; Code::none if it is not.
  Code refusal(const std::vector<std::string>& frames) {
    const auto answer = ask(frames);
    const auto* refused = answer ? std::get_if<Refused>(&*answer) : nullptr;
    return refused != nullptr ? refused->code : Code::none;
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
};

}  // namespace pointsman
