// Puts stand-ins in the place of keys and tickets, and back.

#include "test/scenarios/standins.hpp"

#include <utility>
#include <vector>

#include "test/scenarios/fields.hpp"
#include "protocol/base64.hpp"
#include "protocol/notation.hpp"

namespace pointsman::scenarios {
namespace {

Bytes ticket_of(const std::string& words) {
  Fields fields(words);
  Ticket ticket;
  ticket.epoch = fields.number("epoch", 1);
  ticket.session = fields.number("session");
  ticket.lease = fields.number("lease");
  ticket.holder = holder_of(fields.text("client"));
  ticket.service = service_of(fields.text("service"));
  ticket.issued_ms = std::chrono::duration_cast<Milliseconds>(opening.time_since_epoch()) +
                     fields.milliseconds("issued");
  ticket.ttl_ms = fields.milliseconds("ttl", Milliseconds(5000));
  ticket.term_ms = fields.milliseconds("term", Milliseconds(30000));
  if (fields.has("by")) ticket.key = key_named(fields.text("by"));
  auto sealed = seal(ticket, ticket_key(master(), fields.number("key", ticket.lease)));
  if (fields.has("flip")) {
    const auto at = fields.number("flip");
    if (at >= sealed.data.size()) throw ScenarioError("a ticket has no byte " + std::to_string(at));
    sealed.data[at] = static_cast<char>(sealed.data[at] ^ 1);
  }
  fields.done();
  return sealed;
}

// 2 in `key 2`.
std::uint64_t lease_in(const std::string& words) {
  if (!words.starts_with("key ")) throw ScenarioError("write <key 2> for the key of lease 2");
  return Fields("lease=" + words.substr(4)).number("lease");
}

// What stands in `<…>` behind `key=`, cut out of the line and replaced by bytes that the notation takes.
std::string cut(std::string& line, std::string_view key) {
  const auto start = line.find(std::string(key) + "=<");
  if (start == std::string::npos) return {};
  const auto open = start + key.size() + 1;
  const auto end = line.find('>', open);
  if (end == std::string::npos) throw ScenarioError("'<' without '>'");
  const auto words = line.substr(open + 1, end - open - 1);
  line.replace(open, end - open + 1, "b64\"AA==\"");
  return words;
}

void put(std::string& line, std::string_view key, const std::string& words) {
  const auto start = line.find(" " + std::string(key) + "=b64\"");
  if (start == std::string::npos) return;
  const auto open = start + key.size() + 2;
  const auto end = line.find('"', line.find('"', open) + 1);
  line.replace(open, end - open + 1, words);
}

// The name in a key_named().
std::string name_of(const PublicKey& key) {
  const std::string text(key.bytes.begin(), key.bytes.end());
  return text.substr(0, text.find('.'));
}

// Clients' keys in rows of sessions, said as bytes.
void name_keys(std::string& line) {
  constexpr std::string_view mark = " key=b64\"";
  for (auto start = line.find(mark); start != std::string::npos; start = line.find(mark, start + 1)) {
    const auto open = start + mark.size();
    const auto end = line.find('"', open);
    const auto bytes = from_base64(line.substr(open, end - open));
    if (!bytes) continue;
    const auto key = key_of({*bytes});
    const auto name = name_of(key);
    if (!key.none() && key == key_named(name)) line.replace(open - 4, end - open + 5, "<" + name + ">");
  }
}

// The same, told.
void put_keys(std::string& line) {
  constexpr std::string_view mark = "key=<";
  for (auto start = line.find(mark); start != std::string::npos; start = line.find(mark, start + 1)) {
    const auto open = start + mark.size();
    const auto name = line.substr(open, line.find('>', open) - open);
    if (name.starts_with("key ")) continue;
    line.replace(open - 1, name.size() + 2, "b64\"" + to_base64(bytes_of(key_named(name)).data) + "\"");
  }
}

// For whom a grant's ticket is, if it says what the grant says.
std::string holder_in(const Granted& granted, const std::set<std::string>& clients) {
  const auto lease = lease_of(granted.ticket);
  const auto ticket = lease ? unseal(granted.ticket, ticket_key(master(), *lease)) : std::nullopt;
  if (!ticket || ticket->session != granted.session || ticket->service != service_of(granted.service) ||
      ticket->ttl_ms < granted.ttl_ms || ticket->term_ms != granted.term_ms)
    return {};
  for (const auto& client : clients)
    if (ticket->holder == holder_of(client)) {
      return (client.empty() ? "nobody" : client) + (ticket->key.none() ? "" : " by " + name_of(ticket->key));
    }
  return {};
}

}  // namespace

PublicKey key_named(std::string_view name) {
  PublicKey key;
  key.bytes.fill('.');
  for (std::size_t i = 0; i < name.size() && i < key.bytes.size(); ++i) key.bytes[i] = static_cast<std::uint8_t>(name[i]);
  return key;
}

const Bytes& master() {
  static const Bytes secret{std::string(32, 'm')};
  return secret;
}

Message message_of(std::string_view text, Payload& payload) {
  std::string line(text);
  put_keys(line);
  const auto key = cut(line, "key");
  const auto ticket = cut(line, "ticket");
  if (!key.empty()) line.replace(line.find("key=b64\"AA==\"") + 4, 9, "b64\"" + std::string(43, 'A') + "=\"");
  auto read = from_line(line, payload);
  if (const auto* fault = std::get_if<Fault>(&read)) throw ScenarioError(fault->reason);
  auto message = std::get<Message>(std::move(read));
  std::visit(
      [&](auto& m) {
        if constexpr (requires { m.ticket.data; })
          if (!ticket.empty()) m.ticket = ticket_of(ticket);
        if constexpr (requires { m.key.data; })
          if (!key.empty()) m.key = ticket_key(master(), lease_in(key));
      },
      message);
  return message;
}

std::string masked_line(const Message& message, const Payload& payload, const std::set<std::string>& clients) {
  auto line = to_line(message, payload);
  if (const auto* registered = std::get_if<Registered>(&message))
    if (registered->key == ticket_key(master(), registered->lease))
      put(line, "key", "<key " + std::to_string(registered->lease) + ">");
  if (const auto* granted = std::get_if<Granted>(&message))
    if (const auto holder = holder_in(*granted, clients); !holder.empty())
      put(line, "ticket", "<" + holder + " " + std::to_string(granted->session) + ">");
  name_keys(line);
  return line;
}

}  // namespace pointsman::scenarios
