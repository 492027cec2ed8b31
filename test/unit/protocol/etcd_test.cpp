// Shows what etcd is asked, by its own answers of version 3.4, and that what makes no sense is trouble.
#include "protocol/etcd.hpp"

#include <doctest/doctest.h>

#include "protocol/base64.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

namespace {

template <class Answer>
bool troubled(const etcd::Or<Answer>& answer) {
  return std::holds_alternative<etcd::Trouble>(answer);
}

const BrokerRow row{.broker = "a", .clients = "tcp://h:1", .workers = "ipc:///\"w\"", .key = "k"};

// The entry as it stands in etcd.
std::string value_of(const etcd::Question& join) {
  const std::string mark = R"("value":")";
  const std::size_t from = join.body.find(mark) + mark.size();
  return join.body.substr(from, join.body.find('"', from) - from);
}

std::string pair_of(const std::string& value) {
  return R"({"key":"L3BtL2Jyb2tlcnMvYQ==","create_revision":"12","mod_revision":"12","version":"1","value":")" +
         value + R"(","lease":"2324035682718273798"})";
}

}  // namespace

TEST_CASE("etcd: users") {
  const auto user = std::get<etcd::User>(etcd::read_user("fleet:a:\"b"));
  CHECK(user.name == "fleet");
  CHECK(user.password == "a:\"b");
  CHECK(etcd::authenticate(user).path == "/v3/auth/authenticate");
  CHECK(etcd::authenticate(user).body == R"({"name":"fleet","password":"a:\"b"})");
  CHECK(troubled(etcd::read_user("fleet")));
  CHECK(troubled(etcd::read_user(":b")));
  const auto token = etcd::read_token(R"({"header":{"revision":"1"},"token":"fTHZcXOvFkAgGlFD.9"})");
  CHECK(std::get<std::string>(token) == "fTHZcXOvFkAgGlFD.9");
  CHECK(troubled(etcd::read_token(R"({"header":{}})")));
  CHECK(troubled(etcd::read_token("{")));
}

TEST_CASE("etcd: leases") {
  CHECK(etcd::grant_lease(1500ms).path == "/v3/lease/grant");
  CHECK(etcd::grant_lease(1500ms).body == R"({"TTL":"2"})");
  const auto lease = etcd::read_lease(R"({"header":{"revision":"1"},"ID":"2324035682718273798","TTL":"2"})");
  CHECK(std::get<etcd::Lease>(lease).id == "2324035682718273798");
  CHECK(std::get<etcd::Lease>(lease).term == 2s);
  CHECK(etcd::keep_alive("77").body == R"({"ID":"77"})");
  CHECK(std::get<Duration>(etcd::read_kept(R"({"result":{"header":{},"ID":"77","TTL":"2"}})")) == 2s);
  CHECK(std::get<Duration>(etcd::read_kept(R"({"result":{"header":{},"ID":"77"}})")) == 0s);
  CHECK(etcd::revoke("77").path == "/v3/lease/revoke");
  for (const char* wrong : {"", "[]", "{}", "{\"ID\":\"1\"}", "{\"ID\":1,\"TTL\":2}", "{\"result\":[]}",
                            "<html>", "{\"ID\":{\"ID\":\"1\"}}"}) {
    CHECK_MESSAGE(troubled(etcd::read_lease(wrong)), wrong);
    CHECK_MESSAGE(troubled(etcd::read_kept(wrong)), wrong);
    CHECK_MESSAGE(troubled(etcd::read_joined(wrong)), wrong);
    CHECK_MESSAGE(troubled(etcd::read_list(wrong)), wrong);
  }
}

TEST_CASE("etcd: an entry is a listing of one broker, made only where there is none") {
  const etcd::Question join = etcd::join("/pm", row, "77");
  CHECK(join.path == "/v3/kv/txn");
  const std::string key = to_base64("/pm/brokers/a");
  CHECK(join.body.starts_with(R"({"compare":[{"key":")" + key +
                              R"(","target":"CREATE","result":"EQUAL","createRevision":"0"}],)"));
  CHECK(
      from_base64(value_of(join)) ==
      R"({"op":"listing","of":"brokers","brokers":[{"broker":"a","clients":"tcp://h:1","workers":"ipc:///\"w\"","key":"k"}]})");
  const std::string range = R"({"response_range":{"header":{"revision":"12"},"kvs":[)" +
                            pair_of(value_of(join)) + R"(],"count":"1"}})";
  for (const std::string& answer :
       {R"({"header":{},"succeeded":true,"responses":[{"response_put":{"header":{}}},)" + range + "]}",
        R"({"header":{},"responses":[)" + range + "]}"}) {
    const auto member = std::get<etcd::Member>(etcd::read_joined(answer));
    CHECK(member.row == row);
    CHECK(member.lease == "2324035682718273798");
    CHECK(member.revision == 12);
  }
}

TEST_CASE("etcd: a list of brokers, without what is none") {
  const etcd::Question list = etcd::list("/pm");
  CHECK(list.body == R"({"key":")" + to_base64("/pm/brokers/") + R"(","range_end":")" +
                         to_base64("/pm/brokers0") + R"(","limit":"64"})");
  CHECK(std::get<0>(etcd::read_list(R"({"header":{"revision":"3"}})")).empty());
  const std::string pairs = pair_of("no base64!") + "," + pair_of(to_base64("{}")) + "," +
                            pair_of(value_of(etcd::join("/pm", row, "1"))) + "," +
                            pair_of(to_base64(R"({"op":"listing","of":"brokers"})")) + ",7,{}";
  const auto members = std::get<0>(etcd::read_list(R"({"header":{},"kvs":[)" + pairs + R"(],"count":"6"})"));
  REQUIRE(members.size() == 1);
  CHECK(members.front().row == row);
}

TEST_CASE("etcd: nobody there is trouble, with a reason") {
  const auto answer = etcd::ask("http://127.0.0.1:1", etcd::list("/pm"), 2s);
  REQUIRE(troubled(answer));
  CHECK_FALSE(std::get<etcd::Trouble>(answer).text.empty());
}
