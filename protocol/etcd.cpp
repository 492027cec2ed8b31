// Questions written by hand, since nothing in them needs to be escaped; answers read from the tree that all bodies become.
#include "protocol/etcd.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "protocol/base64.hpp"
#include "protocol/bodies.hpp"
#include "protocol/finding.hpp"
#include "protocol/http.hpp"
#include "protocol/json_text.hpp"
#include "protocol/names.hpp"
#include "protocol/reading.hpp"
#include "protocol/system.hpp"

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

// The body of an answer, if it is one.
Or<std::string> body_of(HttpAnswer&& answer) {
  if (!answer.problem.empty()) return Trouble{std::move(answer.problem)};
  if (answer.status == 200) return std::move(answer.body);
  Tree tree;
  const bool told = parse_json(answer.body, tree).empty();
  const std::string why = told ? Value(tree, 0)["error"].text() : std::string();
  const bool nobody = why.find("user name is empty") != std::string::npos;
  return Trouble{"it answers with status " + std::to_string(answer.status) +
                 (why.empty() ? "" : ": " + why.substr(0, limits::text)) +
                 (nobody ? "; set POINTSMAN_ETCD_USER=NAME:PASSWORD" : "")};
}

// What each etcd gave for the user of this process.
class Tokens {
 public:
  // Empty if there is no user, or this etcd lets in anybody. `refused`: the one that did not do any more.
  Or<std::string> token(const std::string& url, const std::string& refused, Instant until) {
    const char* set = std::getenv((std::string(environment_prefix) + "ETCD_USER").c_str());
    if (set == nullptr || *set == '\0') return std::string();
    if (auto known = find(url); !known.empty() && known != refused) return known;
    const auto user = read_user(set);
    if (const auto* trouble = std::get_if<Trouble>(&user)) return *trouble;
    const Question question = authenticate(std::get<User>(user));
    HttpAnswer answer = post(url + question.path, question.body, until - now(), limits::etcd_answer);
    if (answer.body.find("authentication is not enabled") != std::string::npos) return std::string();
    const auto body = body_of(std::move(answer));
    if (const auto* trouble = std::get_if<Trouble>(&body)) return *trouble;
    auto token = read_token(std::get<std::string>(body));
    if (const auto* text = std::get_if<std::string>(&token)) keep(url, *text);
    return token;
  }

 private:
  std::string find(const std::string& url) {
    const std::lock_guard lock(mutex_);
    const auto known = by_url_.find(url);
    return known == by_url_.end() ? std::string() : known->second;
  }
  void keep(const std::string& url, const std::string& token) {
    const std::lock_guard lock(mutex_);
    if (by_url_.size() >= limits::etcd_members) by_url_.clear();
    by_url_[url] = token;
  }

  std::mutex mutex_;
  std::map<std::string, std::string> by_url_;  // at most limits::etcd_members
};

}  // namespace

Or<std::string> ask(const std::string& url, const Question& question, Duration patience) {
  static Tokens tokens;
  const Instant until = now() + patience;
  std::string refused;
  for (;;) {
    auto given = tokens.token(url, refused, until);
    if (std::holds_alternative<Trouble>(given)) return given;
    const std::string& token = std::get<std::string>(given);
    HttpAnswer answer = post(url + question.path, question.body, until - now(), limits::etcd_answer, token);
    // Of a token that it has forgotten, or that is older than a change of what users may do, it says so with any of several codes.
    const bool again = answer.status >= 400 && !token.empty() && refused.empty();
    if (!again) return body_of(std::move(answer));
    refused = token;
  }
}

Or<User> read_user(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos) return Trouble{"POINTSMAN_ETCD_USER is not of the form NAME:PASSWORD"};
  return User{.name = std::string(text.substr(0, colon)), .password = std::string(text.substr(colon + 1))};
}

Question authenticate(const User& user) {
  return {"/v3/auth/authenticate", R"({"name":)" + json_quote(user.name) + R"(,"password":)" + json_quote(user.password) + "}"};
}

Or<std::string> read_token(std::string_view answer) {
  Tree tree;
  if (!parse_json(answer, tree).empty()) return senseless();
  std::string token = Value(tree, 0)["token"].text();
  if (token.empty()) return senseless();
  return token;
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
