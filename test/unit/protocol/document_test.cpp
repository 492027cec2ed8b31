// Shows that PROTOCOL.md is true: its tables are those of the vocabulary, its examples are what the code reads and
// writes. With POINTSMAN_REWRITE=1 in the environment the tables and examples are written anew instead.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "broker/bounds.hpp"
#include "broker/core/rights.hpp"
#include "protocol/codec.hpp"
#include "protocol/condition.hpp"
#include "protocol/digest.hpp"
#include "protocol/finding.hpp"
#include "protocol/notation.hpp"
#include "protocol/ticket.hpp"
#include "test/unit/protocol/tables.hpp"

using namespace pointsman;

namespace {

const std::string path = std::string(POINTSMAN_SOURCE_DIR) + "/protocol/PROTOCOL.md";

using Lines = std::vector<std::string>;

Lines read_lines(const std::string& file) {
  std::ifstream in(file);
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  REQUIRE_MESSAGE(!lines.empty(), file);
  return lines;
}

// Compares, or rewrites.
void settle(const Lines& before, const Lines& after) {
  if (std::getenv("POINTSMAN_REWRITE") != nullptr) {
    std::ofstream out(path);
    for (const std::string& line : after) out << line << '\n';
    return;
  }
  REQUIRE(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK_MESSAGE(before[i] == after[i], "PROTOCOL.md:" << i + 1 << ": run the unit tests with POINTSMAN_REWRITE=1");
  }
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// The cells of a Markdown row.
Lines cells(const std::string& line) {
  Lines out;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) out.push_back(trimmed(cell));
  return out;
}

std::string row(const Lines& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + cell + " |";
  return line;
}

Table limits_table() {
  Table table{{"bound", "value", "unit", "of"}, 1, {}};
  const auto add = [&](const char* name, std::uint64_t value, const char* unit) {
    table.rows.push_back({std::string("`") + name + "`", std::to_string(value), unit});
  };
  add("body_bytes", limits::body_bytes, "bytes");
  add("payload_bytes", limits::payload_bytes, "bytes");
  add("envelope_bytes", limits::envelope_bytes, "bytes");
  add("name", limits::name, "bytes");
  add("endpoint", limits::endpoint, "bytes");
  add("text", limits::text, "bytes");
  add("detail", limits::detail, "bytes");
  add("ticket", limits::ticket, "bytes");
  add("key", limits::key, "bytes");
  add("key_bytes", limits::key_bytes, "bytes");
  add("attribute_text", limits::attribute_text, "bytes");
  add("attributes_bytes", limits::attributes_bytes, "bytes");
  add("condition", limits::condition, "bytes");
  add("payload_frames", limits::payload_frames, "frames");
  add("envelope_frames", limits::envelope_frames, "frames");
  add("depth", limits::depth, "levels");
  add("nodes", limits::nodes, "values");
  add("services", limits::services, "items");
  add("slots", limits::slots, "items");
  add("weight", limits::weight, "-");
  add("exclude", limits::exclude, "items");
  add("linked", limits::linked, "items");
  add("events", limits::events, "items");
  add("rows", limits::rows, "items");
  add("processes", limits::processes, "items");
  add("names_of_process", limits::names_of_process, "items");
  add("priority", limits::priority, "-");
  add("brokers", limits::brokers, "items");
  add("question_condition", limits::question_condition, "bytes");
  add("brokers_below", limits::brokers_below, "items");
  add("broker_file", limits::broker_file, "bytes");
  add("etcd_members", limits::etcd_members, "items");
  add("etcd_answer", limits::etcd_answer, "bytes");
  add("addresses", limits::addresses, "items");
  add("datagram", limits::datagram, "bytes");
  add("tiers", limits::tiers, "brokers");
  add("nonce", limits::nonce, "bytes");
  add("questions", limits::questions, "items");
  add("answers", limits::answers, "items");
  add("answers_at_once", limits::answers_at_once, "items");
  add("interfaces", limits::interfaces, "items");
  add("attributes", limits::attributes, "items");
  add("attribute_set", limits::attribute_set, "items");
  add("condition_terms", limits::condition_terms, "items");
  add("condition_depth", limits::condition_depth, "levels");
  add("wishes", limits::wishes, "items");
  add("number", limits::number, "-");
  add("minute_ms", limits::minute_ms, "ms");
  add("day_ms", limits::day_ms, "ms");
  add("year_ms", limits::year_ms, "ms");
  return table;
}

Table rights_table() {
  Table table{{"message", "listener for", "client", "worker", "peer", "admin", "taken", "metered"}, 0, {}};
  const auto scope = [](broker::Scope s) { return s == broker::Scope::none ? "-" : s == broker::Scope::own ? "own" : "all"; };
  for (const broker::Right& right : broker::rights) {
    table.rows.push_back({"`" + std::string(right.op) + "`",
                          !right.workers ? "clients" : right.clients ? "both" : "workers", scope(right.client),
                          scope(right.worker), scope(right.peer), scope(right.admin),
                          right.when == broker::When::always    ? "always"
                          : right.when == broker::When::serving ? "while it serves"
                                                                : "under a lease",
                          right.metered ? "yes" : "-"});
  }
  return table;
}

Table bounds_table() {
  Table table{{"bound", "unless configured", "unit", "of", "when it is reached"}, 0, {}};
  for (const broker::Bound& bound : broker::bounds_of({})) {
    table.rows.push_back({"`" + std::string(bound.name) + "`" + (bound.fixed ? " (fixed)" : ""),
                          std::to_string(bound.value), std::string(bound.unit), std::string(bound.of),
                          std::string(bound.reached)});
  }
  return table;
}

std::map<std::string, Table> tables() {
  std::map<std::string, Table> all;
  add_messages(static_cast<const Message*>(nullptr), all);
  add_rows<ServiceRow, WorkerRow, SessionRow, WaitingRow, BrokerRow, CandidateRow, Counter, Offer, Held, RefusedTickets,
           SessionEvent, Assignment, ProcessRow>(all);
  add_words<Policy, Direct, Ending, DrainMode, Subject, State, Happening, ProcessKind, ProcessState>(all);
  all["words of code"] = words_of<Code>({"code", "cause", "remedy"});
  all["bounds"] = limits_table();
  all["rights"] = rights_table();
  all["bounds of a broker"] = bounds_table();
  Table& digests = all["digests"] = {{"session", "digest"}, 0, {}};
  for (const std::uint64_t session : {1ULL, 2ULL, 9ULL, 1'700'000'000'000'001ULL}) {
    digests.rows.push_back({std::to_string(session), std::to_string(digest_of(session))});
  }
  Table& fingerprints = all["fingerprints"] = {{"name", "of a client", "of a service"}, 0, {}};
  for (const char* name : {"ann", "zip"}) {
    fingerprints.rows.push_back({name, std::to_string(holder_of(name)), std::to_string(service_of(name))});
  }
  return all;
}

// The table's lines; what is written by hand is taken from `old`.
Lines render(const Table& table, const Lines& old) {
  std::map<std::string, Lines> kept;
  for (const std::string& line : old) {
    const Lines all = cells(line);
    if (all.size() > table.kept) kept[all[0]] = Lines(all.end() - static_cast<std::ptrdiff_t>(table.kept), all.end());
  }
  Lines out{row(table.columns), "|" + [&] {
              std::string rule;
              for (std::size_t i = 0; i < table.columns.size(); ++i) rule += "---|";
              return rule;
            }()};
  for (Lines line : table.rows) {
    Lines by_hand = kept[line[0]];
    by_hand.resize(table.kept);
    for (const std::string& cell : by_hand) CHECK_MESSAGE(!cell.empty(), "say in PROTOCOL.md what " << line[0] << " is");
    line.insert(line.end(), by_hand.begin(), by_hand.end());
    out.push_back(row(line));
  }
  return out;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (!out.empty()) out += ' ';
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  std::istringstream in{std::string(text)};
  for (std::string byte; in >> byte;) out += static_cast<char>(std::stoi(byte, nullptr, 16));
  return out;
}

Message read_line(const std::string& line) {
  Payload payload;
  const auto result = from_line(line, payload);
  const auto* fault = std::get_if<Fault>(&result);
  REQUIRE_MESSAGE(fault == nullptr, line << ": " << fault->reason);
  return std::get<Message>(result);
}

// Calls `block` with the lines of each fence of that language, for it to change.
template <class Block>
void each_fence(Lines& lines, const std::string& language, Block&& block) {
  int found = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] != "```" + language) continue;
    const std::size_t first = i + 1;
    while (lines.at(i + 1) != "```") ++i;
    Lines inside(lines.begin() + static_cast<std::ptrdiff_t>(first), lines.begin() + static_cast<std::ptrdiff_t>(i + 1));
    block(inside);
    const auto at = lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(first),
                                lines.begin() + static_cast<std::ptrdiff_t>(i + 1));
    lines.insert(at, inside.begin(), inside.end());
    i = first + inside.size();
    ++found;
  }
  CHECK_MESSAGE(found > 0, language);
}

}  // namespace

TEST_CASE("the tables of PROTOCOL.md are those of the vocabulary") {
  const Lines before = read_lines(path);
  std::map<std::string, Table> missing = tables();
  Lines after;
  for (std::size_t i = 0; i < before.size(); ++i) {
    after.push_back(before[i]);
    const std::string mark = "<!-- table: ";
    if (!before[i].starts_with(mark)) continue;
    const std::string name = before[i].substr(mark.size(), before[i].find(" -->") - mark.size());
    const auto table = missing.find(name);
    REQUIRE_MESSAGE(table != missing.end(), "a table of nothing, or twice: " << name);
    Lines old;
    while (before.at(i + 1) != "<!-- end -->") old.push_back(before[++i]);
    for (const std::string& line : render(table->second, old)) after.push_back(line);
    missing.erase(table);
  }
  for (const auto& [name, table] : missing) FAIL_CHECK("PROTOCOL.md lacks <!-- table: " << name << " -->");
  settle(before, after);
}

TEST_CASE("the byte examples of PROTOCOL.md are what the codec reads and writes") {
  const Lines before = read_lines(path);
  Lines after = before;
  int examples = 0;
  each_fence(after, "example", [&](Lines& block) {
    REQUIRE(!block.empty());
    REQUIRE(block[0].starts_with("line     "));
    const Message message = read_line(block[0].substr(9));
    block = {"line     " + to_line(message), "json     " + encode(message, Codec::json),
             "msgpack  " + hex(encode(message, Codec::msgpack))};
    ++examples;
  });
  CHECK(examples >= 12);
  settle(before, after);
  each_fence(after, "example", [&](const Lines& block) {
    Codec seen{};
    const std::variant<Message, Fault> expected = read_line(block[0].substr(9));
    CHECK(decode(block[1].substr(9), seen) == expected);
    CHECK(decode(unhex(block[2].substr(9)), seen) == expected);
  });
}

TEST_CASE("the conditions of PROTOCOL.md are true of what it says and false of what it says") {
  const Lines before = read_lines(path);
  Lines after = before;
  each_fence(after, "condition", [&](Lines& block) {
    REQUIRE(block.size() > 2);
    const auto parsed = Condition::parse(block[0].substr(9));
    REQUIRE_MESSAGE(std::holds_alternative<Condition>(parsed), block[0]);
    const auto& condition = std::get<Condition>(parsed);
    block[1] = "same     " + condition.text();
    for (std::size_t i = 2; i < block.size(); ++i) {
      Attributes attributes;
      REQUIRE(add_attributes(block[i].substr(9), attributes) == "");
      block[i] = (condition.holds(attributes) ? "true     " : "false    ") + block[i].substr(9);
    }
  });
  settle(before, after);
}

TEST_CASE("the bodies that PROTOCOL.md says are refused are refused with those reasons") {
  const Lines before = read_lines(path);
  Lines after = before;
  each_fence(after, "refused", [&](Lines& block) {
    REQUIRE(!block.empty());
    Codec seen{};
    const bool binary = block[0].starts_with("msgpack  ");
    const auto result = decode(binary ? unhex(block[0].substr(9)) : block[0].substr(9), seen);
    REQUIRE(std::holds_alternative<Fault>(result));
    const Fault& fault = std::get<Fault>(result);
    block = {block[0], "code     " + std::string(word(fault.code)), "reason   " + fault.reason};
  });
  settle(before, after);
}

TEST_CASE("the ticket of PROTOCOL.md opens with its key") {
  const Lines before = read_lines(path);
  Lines after = before;
  each_fence(after, "ticket", [&](Lines& block) {
    const Bytes key{std::string("an example key of 32 bytes (256)")};
    const Ticket ticket{.epoch = 1'700'000'000'000'000,
                        .session = 1'700'000'000'000'002,
                        .lease = 1'700'000'000'000'001,
                        .holder = holder_of("ann"),
                        .service = service_of("zip"),
                        .issued_ms = Milliseconds(90'000),
                        .ttl_ms = Milliseconds(5'000),
                        .term_ms = Milliseconds(30'000),
                        .key = {{0xa1, 0xa2, 0xa3, 0xa4}}};
    const std::string sealed = seal(ticket, key).data;
    block = {"key      " + hex(key.data), "head     " + hex(sealed.substr(0, 2))};
    const char* names[] = {"epoch", "session", "lease", "holder", "service", "issued", "ttl", "term"};
    for (std::size_t i = 0; i < 8; ++i) {
      block.push_back(std::string(names[i]) + std::string(9 - std::string(names[i]).size(), ' ') +
                      hex(sealed.substr(2 + 8 * i, 8)));
    }
    block.push_back("client   " + hex(sealed.substr(66, 32)));
    block.push_back("tag      " + hex(sealed.substr(98)));
  });
  settle(before, after);
}

TEST_CASE("every line of the conversations in PROTOCOL.md is a message") {
  Lines lines = read_lines(path);
  each_fence(lines, "conversation", [&](const Lines& block) {
    for (const std::string& line : block) {
      if (line.empty() || line.starts_with('#')) continue;
      const auto arrow = line.find(" > ");
      REQUIRE_MESSAGE(arrow != std::string::npos, line);
      const auto receiver = line.find_first_not_of(' ', arrow + 3);
      const auto message = line.find_first_not_of(' ', line.find(' ', receiver));
      REQUIRE_MESSAGE(message != std::string::npos, line);
      read_line(line.substr(message));
    }
  });
}
