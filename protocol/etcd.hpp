// Etcd: the few questions that are put to etcd here, and its answers, in the JSON of its gateway (etcd 3.4 and newer).
//
// Brokers that share a list are keys PREFIX/brokers/NAME, each under a lease of its broker's. Keys and values are base64
// there, numbers are texts, and what is zero is left out. Pure functions, thread safe; only ask() talks.
//
// Where etcd lets in none but its users, $POINTSMAN_ETCD_USER says NAME:PASSWORD. For these it gives a token, which is kept until it
// does not do any more (etcd forgets it after five minutes without a question).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/inspection.hpp"
#include "protocol/machine.hpp"

namespace pointsman::etcd {

// What is asked: a path below its address, and a body.
struct Question {
  std::string path;
  std::string body;
};

// Why there is no answer that makes sense, for people.
struct Trouble {
  std::string text;
};
template <class Answer>
using Or = std::variant<Answer, Trouble>;

// Puts a question to the etcd at http://HOST:PORT: the body of its answer, of limits::etcd_answer bytes at most. Blocks for
// no longer than `patience`, the question for a token included.
Or<std::string> ask(const std::string& url, const Question& question, Duration patience);

// A token for a user.
struct User {
  std::string name;
  std::string password;
};
Or<User> read_user(std::string_view text);
Question authenticate(const User& user);
Or<std::string> read_token(std::string_view answer);

// A lease that ends by itself. Etcd may give a longer term than was asked for.
struct Lease {
  std::string id;
  Duration term{0};
};
Question grant_lease(Duration term);
Or<Lease> read_lease(std::string_view answer);

// Its term from now on; none if it has ended.
Question keep_alive(const std::string& lease);
Or<Duration> read_kept(std::string_view answer);

// With it go its keys.
struct Gone {};
Question revoke(const std::string& lease);
Or<Gone> read_revoked(std::string_view answer);

// A broker in the list.
struct Member {
  BrokerRow row;
  std::string lease;
  std::uint64_t revision =
      0;  // in which its key was made: of two brokers that had one name, the later one's is greater
};

// Enters a broker by the name of its row, unless somebody is there by this name: who is there then, itself if all is well.
Question join(const std::string& prefix, const BrokerRow& row, const std::string& lease);
Or<Member> read_joined(std::string_view answer);

// All brokers, in the order of their names, limits::brokers at most. What is not the entry of a broker is left out.
Question list(const std::string& prefix);
Or<std::vector<Member>> read_list(std::string_view answer);

}  // namespace pointsman::etcd
