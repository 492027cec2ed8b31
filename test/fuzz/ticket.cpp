// Fuzzes tickets: any bytes, and true tickets of which something was altered. Only what was sealed is taken.

#include "protocol/ticket.hpp"

#include "protocol/must.hpp"
#include "test/fuzz/input.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

namespace {

const Bytes& key() {
  static const Bytes key = ticket_key({std::string(32, 'm')}, 7);
  return key;
}

Ticket ticket_of(Input& input) {
  Ticket ticket{.epoch = input.number(8), .session = input.number(8), .lease = input.number(8), .holder = input.number(8),
                .service = input.number(8)};
  ticket.issued_ms = Milliseconds(static_cast<std::int64_t>(input.number(8)));
  ticket.ttl_ms = Milliseconds(static_cast<std::int64_t>(input.number(8)));
  ticket.term_ms = Milliseconds(static_cast<std::int64_t>(input.number(8)));
  for (std::uint8_t& byte : ticket.key.bytes) byte = input.byte();
  return ticket;
}

}  // namespace

void run_ticket(std::string_view bytes) {
  // Nobody without the key makes one.
  const Bytes foreign{std::string(bytes)};
  if (const auto taken = unseal(foreign, key())) MUST(seal(*taken, key()) == foreign);
  (void)lease_of(foreign);

  Input input(bytes);
  const Ticket ticket = ticket_of(input);
  const Bytes sealed = seal(ticket, key());
  MUST(sealed.data.size() <= limits::ticket);
  MUST(lease_of(sealed) == ticket.lease);
  MUST(unseal(sealed, key()) == ticket);
  MUST(!unseal(sealed, ticket_key({std::string(32, 'n')}, 7)));
  MUST(!unseal(sealed, ticket_key({std::string(32, 'm')}, 8)));
  MUST(!unseal(sealed, {std::string(input.take(input.byte()))}));

  Bytes altered = sealed;
  const std::uint8_t how = input.byte();
  if (how == 0) altered.data.resize(input.number(2) % 300);
  if (how == 1) altered.data.insert(input.below(altered.data.size()), input.take(input.byte() + std::size_t{1}));
  if (how == 2) altered.data.erase(input.below(altered.data.size()), input.byte() + std::size_t{1});
  while (how > 2 && !input.empty()) {
    char& byte = altered.data[input.below(altered.data.size())];
    byte = static_cast<char>(byte ^ static_cast<char>(input.byte()));
  }
  if (altered != sealed) MUST(!unseal(altered, key()));
}

std::vector<std::string> ticket_seeds() {
  const Bytes sealed = seal({.epoch = 1, .session = 2, .lease = 7}, key());
  std::vector<std::string> seeds{"", sealed.data, std::string(96, '\1')};
  for (const char how : {'\0', '\1', '\2', '\3'}) {
    for (const char at : {'\0', '\5', '\x20', '\x70'}) seeds.push_back(std::string(97, '\1') + how + at + "\4ab");
  }
  return seeds;
}

}  // namespace pointsman::fuzz
