// Inquiry: questions to all brokers of a group on the local networks, and which answers count.
//
// Each question has a nonce of its own by chance, and only answers to the last few count: what is repeated later, or was
// never asked, is refused. Used by whoever uses its transport, which outlives it.

#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/beacon.hpp"
#include "protocol/multicast.hpp"

namespace pointsman::finder {

// What came back, or why it does not count.
struct Answered {
  Answer answer;
  std::string from;  // the address that it really came from
  NetAddress at;     // ours, that asked
  std::optional<std::string> problem;
};

// For a trace: an address of ours with its interface, and what became of a question there.
std::string place_of(const NetAddress& at);
std::string asked_at(const std::pair<NetAddress, std::string>& sent);

// For a trace: what was heard there, from whom, and why it does not count if it does not. `why` is the reason; empty: it does.
std::string heard_at(const Answered& answered, const std::string& why);

// Who it is that answered, by whatever address.
std::string identity(const Answer& answer);

// Whether an endpoint that was answered is one, and to be reached from where it was heard.
bool may_lead_to(const std::string& endpoint, const NetAddress& at);

// The endpoint with the address that the answer really came from; empty if that is nothing new.
std::string as_seen(const std::string& endpoint, const Answered& answered);

class Inquiry {
 public:
  // To whom, as in a Question; its nonce is of no matter. `realm`: empty or 32 bytes. `told` is called in turn().
  Inquiry(Transport& transport, Question question, Bytes realm, std::function<void(const Answered&)> told);
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;

  // What became of the question at each address of this machine; an empty text: it left.
  std::vector<std::pair<NetAddress, std::string>> ask();

 private:
  void hear(const Datagram& datagram, const NetAddress& at);
  std::optional<std::string> judge(const Answer& answer) const;

  Question question_;  // the last one
  const Bytes realm_;
  const std::function<void(const Answered&)> told_;
  std::deque<Nonce> asked_;
  Asker asker_;
};

}  // namespace pointsman::finder
