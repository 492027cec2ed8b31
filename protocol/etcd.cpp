// Questions written by hand, since nothing in them needs to be escaped; answers read from the tree that all bodies become.
#include "protocol/etcd.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "protocol/base64.hpp"
#include "protocol/bodies.hpp"
#include "protocol/finding.hpp"
#include "protocol/http.hpp"
#include "protocol/reading.hpp"

namespace pointsman::etcd {

namespace {

// A value in an answer; also one that is not there.
class Value {
 public:
  Value() = default;
  Value(const Tree& tree, std::size_t at) : tree_(&tree), at_(at) {}

  // Of a map.
  Value operator[](std::string_view key) const {
    if (!is(Kind::map)) return {};
    std::size_t at = at_ + 1;
    for (std::uint32_t i = 0; i < node().children; i += 2) {
      const Node& name = (*tree_)[at];
      at += name.span;
      if (name.text == key) return {*tree_, at};
      at += (*tree_)[at].span;
    }
    return {};
  }

  // Of a list.
  std::vector<Value> items() const {
    std::vector<Value> all;
    if (!is(Kind::list)) return all;
    std::size_t at = at_ + 1;
    for (std::uint32_t i = 0; i < node().children; ++i) {
      all.emplace_back(*tree_, at);
      at += (*tree_)[at].span;
    }
    return all;
  }

  bool there() const { return tree_ != nullptr; }
  std::string text() const { return is(Kind::text) ? std::string(node().text) : std::string(); }
  bool yes() const { return is(Kind::boolean) && node().magnitude == 1; }

  // A text that is a number; what is left out is zero.
  std::uint64_t number() const {
    const std::string digits = text();
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }

 private:
  const Node& node() const { return (*tree_)[at_]; }
  bool is(Kind kind) const { return there() && node().kind == kind; }

  const Tree* tree_ = nullptr;
  std::size_t at_ = 0;
};

Trouble senseless() { return {"its answer makes no sense; is it etcd 3.4 or newer?"}; }

std::string key_of(const std::string& prefix, const std::string& name) { return prefix + "/brokers/" + name; }

std::string quoted64(const std::string& bytes) { return '"' + to_base64(bytes) + '"'; }

// The entry of a broker: a listing with one row.
std::string entry_of(const BrokerRow& row) {
  std::string text;
  write_json(Listing{.of = Subject::brokers, .brokers = {row}}, text);
  return text;
}

std::optional<Member> member_of(const Value& pair) {
  const auto entry = from_base64(pair["value"].text());
  Tree tree;
  if (!entry || !parse_json(*entry, tree).empty()) return std::nullopt;
  auto message = read(tree);
  const auto* read = std::get_if<Message>(&message);
  const auto* listing = read == nullptr ? nullptr : std::get_if<Listing>(read);
  if (listing == nullptr || listing->brokers.size() != 1) return std::nullopt;
  return Member{.row = listing->brokers.front(),
                .lease = pair["lease"].text(),
                .revision = pair["create_revision"].number()};
}

Duration seconds(std::uint64_t count) {
  return std::chrono::seconds(std::min<std::uint64_t>(count, limits::day_ms / 1000));
}

}  // namespace

Or<std::string> ask(const std::string& url, const Question& question, Duration patience) {
  HttpAnswer answer = post(url + question.path, question.body, patience, limits::etcd_answer);
  if (!answer.problem.empty()) return Trouble{std::move(answer.problem)};
  if (answer.status == 200) return std::move(answer.body);
  Tree tree;
  const bool told = parse_json(answer.body, tree).empty();
  const std::string why = told ? Value(tree, 0)["error"].text() : std::string();
  return Trouble{"it answers with status " + std::to_string(answer.status) +
                 (why.empty() ? "" : ": " + why.substr(0, limits::text))};
}

Question grant_lease(Duration term) {
  return {"/v3/lease/grant",
          R"({"TTL":")" + std::to_string(std::chrono::ceil<std::chrono::seconds>(term).count()) + "\"}"};
}

Or<Lease> read_lease(std::string_view answer) {
  Tree tree;
  if (!parse_json(answer, tree).empty()) return senseless();
  const Value all(tree, 0);
  Lease lease{.id = all["ID"].text(), .term = seconds(all["TTL"].number())};
  if (lease.id.empty() || lease.term == Duration{0}) return senseless();
  return lease;
}

Question keep_alive(const std::string& lease) {
  return {"/v3/lease/keepalive", R"({"ID":")" + lease + "\"}"};
}

Or<Duration> read_kept(std::string_view answer) {
  Tree tree;
  if (!parse_json(answer, tree).empty()) return senseless();
  const Value result = Value(tree, 0)["result"];
  if (result["ID"].text().empty()) return senseless();
  return seconds(result["TTL"].number());
}

Question revoke(const std::string& lease) { return {"/v3/lease/revoke", R"({"ID":")" + lease + "\"}"}; }

Or<Gone> read_revoked(std::string_view) { return Gone{}; }

Question join(const std::string& prefix, const BrokerRow& row, const std::string& lease) {
  const std::string key = quoted64(key_of(prefix, row.broker));
  const std::string range = R"({"requestRange":{"key":)" + key + "}}";
  return {"/v3/kv/txn",
          R"({"compare":[{"key":)" + key + R"(,"target":"CREATE","result":"EQUAL","createRevision":"0"}],)" +
              R"("success":[{"requestPut":{"key":)" + key + R"(,"value":)" + quoted64(entry_of(row)) +
              R"(,"lease":")" + lease + R"("}},)" + range + R"(],"failure":[)" + range + "]}"};
}

Or<Member> read_joined(std::string_view answer) {
  Tree tree;
  if (!parse_json(answer, tree).empty()) return senseless();
  const auto responses = Value(tree, 0)["responses"].items();
  if (responses.empty()) return senseless();
  const auto pairs = responses.back()["response_range"]["kvs"].items();
  if (pairs.size() != 1) return senseless();
  auto member = member_of(pairs.front());
  if (!member) return Trouble{"somebody has put what is not the entry of a broker in this one's place"};
  return *std::move(member);
}

// All keys that begin so: up to the first that does not, which ends in the character behind the slash.
Question list(const std::string& prefix) {
  std::string end = key_of(prefix, {});
  ++end.back();
  return {"/v3/kv/range", R"({"key":)" + quoted64(key_of(prefix, {})) + R"(,"range_end":)" + quoted64(end) +
                              R"(,"limit":")" + std::to_string(limits::brokers) + "\"}"};
}

Or<std::vector<Member>> read_list(std::string_view answer) {
  Tree tree;
  if (!parse_json(answer, tree).empty() || !Value(tree, 0)["header"].there()) return senseless();
  std::vector<Member> members;
  for (const Value& pair : Value(tree, 0)["kvs"].items()) {
    if (auto member = member_of(pair)) members.push_back(*std::move(member));
  }
  return members;
}

}  // namespace pointsman::etcd
