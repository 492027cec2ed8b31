// Made by the codec, changed in place, and read by a small walk over msgpack.
#include "test/peers/samples.hpp"

#include "protocol/codec.hpp"
#include "protocol/must.hpp"
#include "test/peers/wire.hpp"

namespace pointsman::peers {
namespace {

const std::string sample_id(id_size, 'f');
constexpr const char* endpoint = "tcp://127.0.0.1:45678";

void append_number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void append_uint(std::string& out, std::uint64_t value) {
  if (value < 128) {
    append_number(out, value, 1);
  } else if (value < 1ULL << 32) {
    out += '\xce';
    append_number(out, value, 4);
  } else {
    out += '\xcf';
    append_number(out, value, 8);
  }
}

// A walk over msgpack: maps, lists, numbers that are not negative, text, bytes, flags.
class Walk {
 public:
  explicit Walk(std::string_view rest) : rest_(rest) {}

  std::size_t map() {
    const auto head = next();
    if ((head & 0xf0) == 0x80) return head & 0x0f;
    return head == 0xde ? number(2) : head == 0xdf ? number(4) : stray();
  }
  std::size_t list() {
    const auto head = next();
    if ((head & 0xf0) == 0x90) return head & 0x0f;
    return head == 0xdc ? number(2) : head == 0xdd ? number(4) : stray();
  }
  std::string_view text() {
    const auto head = next();
    if ((head & 0xe0) == 0xa0) return bytes(head & 0x1f);
    if (head == 0xd9 || head == 0xc4) return bytes(number(1));
    if (head == 0xda || head == 0xc5) return bytes(number(2));
    return bytes(stray());
  }
  std::uint64_t uint() {
    const auto head = next();
    if (head < 0x80) return head;
    if (head >= 0xcc && head <= 0xcf) return number(1 << (head - 0xcc));
    return stray();
  }
  void skip() {
    const auto head = static_cast<unsigned char>(rest_.empty() ? '\xc1' : rest_[0]);
    if (head < 0x80 || (head >= 0xcc && head <= 0xcf)) {
      uint();
    } else if ((head & 0xf0) == 0x80 || head == 0xde || head == 0xdf) {
      for (std::size_t n = 2 * map(); n > 0; --n) skip();
    } else if ((head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd) {
      for (std::size_t n = list(); n > 0; --n) skip();
    } else if (head == 0xc0 || head == 0xc2 || head == 0xc3 || head >= 0xe0) {
      next();
    } else if (head >= 0xd0 && head <= 0xd3) {
      next();
      number(1 << (head - 0xd0));
    } else {
      text();
    }
  }

 private:
  static std::size_t stray() { throw Broken("a body that is not understood"); }
  unsigned char next() { return static_cast<unsigned char>(bytes(1)[0]); }
  std::string_view bytes(std::size_t size) {
    if (rest_.size() < size) stray();
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::uint64_t number(int size) {
    std::uint64_t value = 0;
    for (const char c : bytes(static_cast<std::size_t>(size)))
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view rest_;
};

// Stands before the value of a field; false if there is none of this name.
bool find(Walk& walk, std::string_view field) {
  for (std::size_t n = walk.map(); n > 0; --n) {
    if (walk.text() == field) return true;
    walk.skip();
  }
  return false;
}

}  // namespace

Sample::Sample(std::string bytes, std::string_view id, std::uint64_t session) : bytes_(std::move(bytes)) {
  if (!id.empty()) id_ = bytes_.find(id);
  if (session != 0) {
    std::string number;
    append_number(number, session, 8);
    session_ = bytes_.find(number);
  }
  MUST(id_ != std::string::npos && session_ != std::string::npos);
}

void Sample::set_session(std::uint64_t session) {
  for (std::size_t i = 0; i < 8; ++i)
    bytes_[session_ + i] = static_cast<char>(session >> (56 - 8 * i) & 0xff);
}

Sample sample_request(const std::string& client) {
  return {encode(Request{.id = sample_id, .service = "work", .client = client}), sample_id, 0};
}

Sample sample_waiting_request(const std::string& client) {
  return {encode(Request{.id = sample_id,
                         .service = "none",
                         .client = client,
                         .wait_ms = Milliseconds(3'600'000),
                         .absent = true}),
          sample_id, 0};
}

std::string sample_status() { return encode(Status{}); }

Sample sample_granted(const std::string& worker, const std::string& ticket, const std::string& key) {
  return {encode(Granted{.id = sample_id,
                         .session = first_session,
                         .service = "work",
                         .worker = worker,
                         .endpoint = endpoint,
                         .ticket = {ticket},
                         .ttl_ms = Milliseconds(5000),
                         .term_ms = Milliseconds(30000),
                         .key = key}),
          sample_id, first_session};
}

std::string sample_register(const std::string& worker, std::uint64_t slots, const std::string& key) {
  return encode(Register{.worker = worker,
                         .instance = sample_id,
                         .services = {{.service = "work"}},
                         .slots = slots,
                         .endpoint = endpoint,
                         .lease_ms = Milliseconds(-1),
                         .key = key});
}

std::string sample_registered(const std::string& worker, std::uint64_t lease) {
  return encode(Registered{.worker = worker,
                           .lease = lease,
                           .term_ms = Milliseconds(10000),
                           .heartbeat_ms = Milliseconds(3333),
                           .epoch = first_session,
                           .key = {std::string(32, 'k')},
                           .now_ms = Milliseconds(5000)});
}

Sample sample_assign(std::uint64_t lease) {
  return {encode(Assign{.lease = lease,
                        .first = 100000,
                        .sessions = {{.session = first_session,
                                      .service = "work",
                                      .client = "client-000",
                                      .id = sample_id,
                                      .ttl_ms = Milliseconds(5000),
                                      .term_ms = Milliseconds(30000)}},
                        .applied = 100000,
                        .now_ms = Milliseconds(100000)}),
          {},
          first_session};
}

void append_report(std::string& out, std::uint64_t lease, std::uint64_t first_event,
                   const std::vector<std::uint64_t>& closed, std::uint64_t seen) {
  // As a worker does it: that a session was opened is told with its end.
  out += "\x87\xa2op\xa6report\xa5lease";
  append_uint(out, lease);
  out +=
      "\xa5"
      "first";
  append_uint(out, first_event);
  out +=
      "\xa6"
      "events";
  const std::size_t events = 2 * closed.size();
  if (events < 16) {
    out += static_cast<char>(0x90 + events);
  } else {
    out += '\xdc';
    append_number(out, events, 2);
  }
  for (const std::uint64_t session : closed) {
    out += "\x81\xa7session";
    append_uint(out, session);
    out += "\x82\xa7session";
    append_uint(out, session);
    out +=
        "\xa6"
        "closed\xc3";
  }
  out += "\xa4seen";
  append_uint(out, seen);
  out +=
      "\xa9"
      "completed";
  append_uint(out, seen);
  out +=
      "\xa7"
      "busy_ms";
  append_uint(out, 0);
}

Sample sample_call(std::uint64_t number) {
  return {encode(Call{.session = first_session, .number = number}), {}, first_session};
}

Sample sample_reply(std::uint64_t number) {
  return {encode(Reply{.session = first_session, .number = number}), {}, first_session};
}

Sample sample_release(const std::string& client) {
  return {encode(Release{.session = first_session, .client = client}), {}, first_session};
}

Sample sample_released() { return {encode(Released{.session = first_session}), {}, first_session}; }

void append_opening_call(std::string& out, std::uint64_t session, std::string_view ticket,
                         const std::string& client) {
  out +=
      "\x85\xa2op\xa4"
      "call\xa7session";
  append_uint(out, session);
  out += "\xa6number\x01\xa6ticket\xc4";
  append_number(out, ticket.size(), 1);
  out += ticket;
  out +=
      "\xa6"
      "client";
  out += static_cast<char>(0xa0 + client.size());
  out += client;
}

void write_id(std::string& id, std::uint64_t number) {
  static constexpr char digits[] = "0123456789abcdef";
  id.resize(id_size, 'e');
  for (std::size_t i = 0; i < 16; ++i) id[id_size - 1 - i] = digits[number >> (4 * i) & 15];
}

std::string_view op_in(std::string_view body) { return text_in(body, "op"); }

std::uint64_t number_in(std::string_view body, std::string_view field) {
  Walk walk(body);
  return find(walk, field) ? walk.uint() : 0;
}

std::string_view text_in(std::string_view body, std::string_view field) {
  Walk walk(body);
  return find(walk, field) ? walk.text() : std::string_view();
}

void sessions_in(std::string_view body, std::vector<std::uint64_t>& out) {
  Walk walk(body);
  if (!find(walk, "sessions")) return;
  for (std::size_t rows = walk.list(); rows > 0; --rows) {
    for (std::size_t fields = walk.map(); fields > 0; --fields) {
      if (walk.text() == "session")
        out.push_back(walk.uint());
      else
        walk.skip();
    }
  }
}

}  // namespace pointsman::peers
