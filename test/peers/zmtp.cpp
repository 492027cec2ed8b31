// Greeting, handshake and frames of ZMTP 3; CurveZMQ as a client.
#include "test/peers/zmtp.hpp"

#include <sodium.h>

#include <cstring>

#include "protocol/must.hpp"

namespace pointsman::peers {
namespace {

constexpr std::size_t greeting_size = 64;
constexpr unsigned char more_flag = 1, long_flag = 2, command_flag = 4;

void big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void append_header(std::string& out, std::size_t size, unsigned char flags) {
  if (size < 256) {
    out += static_cast<char>(flags);
    out += static_cast<char>(size);
  } else {
    out += static_cast<char>(flags | long_flag);
    big_endian(out, size, 8);
  }
}

unsigned char* raw(std::string& text) { return static_cast<unsigned char*>(static_cast<void*>(text.data())); }
const unsigned char* raw(std::string_view text) {
  return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}
std::string_view text_of(const CurveKey& key) {
  return {static_cast<const char*>(static_cast<const void*>(key.data())), key.size()};
}

}  // namespace

// What CurveZMQ adds: the client's side of RFC 26.
class Zmtp::Curve {
 public:
  explicit Curve(const CurveKeys& keys) : keys_(keys) {
    crypto_box_keypair(transient_.data(), transient_secret_.data());
  }

  std::string hello() {
    std::string out("\x05HELLO\x01\x00", 8);
    out.append(72, '\0');
    out += text_of(transient_);
    const std::string nonce = number();
    out += nonce + box(std::string(64, '\0'), "CurveZMQHELLO---" + nonce, keys_.server, transient_secret_);
    return out;
  }

  std::string initiate(std::string_view welcome, const std::string& properties) {
    if (welcome.size() != 168 || !welcome.starts_with("\x07WELCOME")) throw Broken("no WELCOME");
    const std::string opened = unbox(welcome.substr(24), "WELCOME-" + std::string(welcome.substr(8, 16)));
    std::memcpy(server_transient_.data(), opened.data(), 32);
    const std::string cookie = opened.substr(32);
    MUST(crypto_box_beforenm(shared_.data(), server_transient_.data(), transient_secret_.data()) == 0);
    std::string vouch_nonce(16, '\0');
    randombytes_buf(vouch_nonce.data(), 16);
    const std::string vouch = box(std::string(text_of(transient_)) + std::string(text_of(keys_.server)),
                                  "VOUCH---" + vouch_nonce, server_transient_, keys_.secret);
    const std::string nonce = number();
    const std::string plain = std::string(text_of(keys_.key)) + vouch_nonce + vouch + properties;
    return "\x08INITIATE" + cookie + nonce +
           box(plain, "CurveZMQINITIATE" + nonce, server_transient_, transient_secret_);
  }

  // A message frame, sealed at the end of `out`.
  void seal(std::string& out, std::string_view body, bool more) {
    append_header(out, 8 + 8 + 16 + 1 + body.size(), 0);
    out += "\x07MESSAGE";
    const std::string nonce = number();
    out += nonce;
    plain_.assign(1, more ? '\x01' : '\x00');
    plain_ += body;
    const std::size_t at = out.size();
    out.resize(at + 16 + plain_.size());
    const std::string whole = "CurveZMQMESSAGEC" + nonce;
    crypto_box_easy_afternm(raw(out) + at, raw(plain_), plain_.size(), raw(whole), shared_.data());
  }

  // What is in a message frame, its flags in front; valid until the next one.
  std::string_view open(std::string_view body) {
    if (body.size() < 33 || !body.starts_with("\x07MESSAGE")) throw Broken("no MESSAGE");
    const std::string whole = "CurveZMQMESSAGES" + std::string(body.substr(8, 8));
    body.remove_prefix(16);
    plain_.resize(body.size() - 16);
    if (crypto_box_open_easy_afternm(raw(plain_), raw(body), body.size(), raw(whole), shared_.data()) != 0) {
      throw Broken("a MESSAGE that cannot be opened");
    }
    return plain_;
  }

 private:
  std::string number() {
    std::string out;
    big_endian(out, ++nonce_, 8);
    return out;
  }
  static std::string box(std::string plain, const std::string& nonce, const CurveKey& to,
                         const CurveKey& from) {
    std::string out(plain.size() + 16, '\0');
    MUST(crypto_box_easy(raw(out), raw(plain), plain.size(), raw(nonce), to.data(), from.data()) == 0);
    return out;
  }
  std::string unbox(std::string_view sealed, const std::string& nonce) const {
    std::string out(sealed.size() - 16, '\0');
    if (crypto_box_open_easy(raw(out), raw(sealed), sealed.size(), raw(nonce), keys_.server.data(),
                             transient_secret_.data()) != 0) {
      throw Broken("a box that cannot be opened");
    }
    return out;
  }

  CurveKeys keys_;
  CurveKey transient_{}, transient_secret_{}, server_transient_{}, shared_{};
  std::uint64_t nonce_ = 0;
  std::string plain_;
};

Zmtp::Zmtp(Loop& loop, int socket, std::string_view socket_type, const CurveKeys* curve)
    : Link(loop, socket),
      type_(socket_type),
      curve_(curve != nullptr ? std::make_unique<Curve>(*curve) : nullptr) {
  std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0", 12);
  greeting += curve_ ? "CURVE" : "NULL";
  greeting.resize(greeting_size);
  put(greeting);
}

Zmtp::~Zmtp() = default;

std::string Zmtp::properties() const {
  std::string out = "\x0bSocket-Type";
  big_endian(out, type_.size(), 4);
  out += type_;
  if (type_ == "DEALER") out += std::string("\x08Identity\0\0\0\0", 13);
  return out;
}

void Zmtp::greet() {
  const std::string body = curve_ ? curve_->hello() : "\x05READY" + properties();
  append_header(out(), body.size(), command_flag);
  put(body);
  state_ = curve_ ? State::welcome : State::handshake;
}

void Zmtp::command(std::string_view body) {
  if (body.starts_with("\x05"
                       "ERROR"))
    throw Broken("refused: " + std::string(body.substr(6)));
  if (state_ == State::welcome) {
    const std::string initiate = curve_->initiate(body, properties());
    append_header(out(), initiate.size(), command_flag);
    put(initiate);
    state_ = State::handshake;
  } else if (state_ == State::handshake) {
    if (!body.starts_with("\x05READY")) throw Broken("no READY");
    state_ = State::open;
    opened();
  }
}

std::size_t Zmtp::take(std::string_view bytes) {
  std::size_t used = 0;
  if (state_ == State::greeting) {
    if (bytes.size() < greeting_size) return 0;
    used = greeting_size;
    greet();
  }
  while (bytes.size() - used >= 2) {
    const auto flags = static_cast<unsigned char>(bytes[used]);
    std::uint64_t size = static_cast<unsigned char>(bytes[used + 1]);
    std::size_t header = 2;
    if ((flags & long_flag) != 0) {
      header = 9;
      if (bytes.size() - used < header) break;
      size = 0;
      for (std::size_t i = 1; i < 9; ++i) size = size << 8 | static_cast<unsigned char>(bytes[used + i]);
    }
    if (bytes.size() - used - header < size) break;
    const std::string_view body = bytes.substr(used + header, size);
    used += header + size;
    if ((flags & command_flag) != 0) {
      command(body);
    } else if (curve_) {
      const std::string_view opened = curve_->open(body);
      received(opened.substr(1), (opened[0] & 1) != 0);
    } else {
      received(body, (flags & more_flag) != 0);
    }
  }
  return used;
}

void Zmtp::frame(std::string_view body, bool more) {
  if (curve_) return curve_->seal(out(), body, more);
  append_header(out(), body.size(), more ? more_flag : 0);
  put(body);
}

}  // namespace pointsman::peers
