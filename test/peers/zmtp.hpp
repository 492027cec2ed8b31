// ZMTP 3 by hand over a raw connection, NULL or CURVE: a DEALER, or the ROUTER's end of one.
//
// RFC 23, 26 and 27. Only what a load generator needs: no heartbeats, no identities.

#pragma once

#include <array>
#include <memory>

#include "test/peers/wire.hpp"

namespace pointsman::peers {

using CurveKey = std::array<unsigned char, 32>;

// The keys of the connecting side, and the server's public one.
struct CurveKeys {
  CurveKey key{}, secret{}, server{};
};

class Zmtp : public Link {
 public:
  Zmtp(Loop& loop, int socket, std::string_view socket_type, const CurveKeys* curve = nullptr);
  ~Zmtp() override;

  bool ready() const { return state_ == State::open; }

  // Once it is ready.
  void frame(std::string_view body, bool more = false);

 protected:
  virtual void received(std::string_view frame, bool more) = 0;
  virtual void opened() {}  // it is ready

 private:
  enum class State { greeting, welcome, handshake, open };
  class Curve;
  std::size_t take(std::string_view bytes) final;
  void command(std::string_view body);
  void greet();
  std::string properties() const;

  State state_ = State::greeting;
  std::string type_;
  std::unique_ptr<Curve> curve_;
};

}  // namespace pointsman::peers
