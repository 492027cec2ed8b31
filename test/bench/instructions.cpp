// A fixed amount of work for callgrind, one function for each figure; instructions.py runs it and compares.
//
// Each work function is called once, after everything that it needs is there and warm. Printed for each: its name, how
// often it did its work, and what it allocated meanwhile.
#include <cstdio>
#include <string>

#include "protocol/codec.hpp"
#include "protocol/must.hpp"
#include "test/bench/examples.hpp"
#include "test/bench/fleet.hpp"
#include "test/bench/ledger.hpp"

// Callgrind counts from here.
extern "C" [[gnu::noinline]] void begin_counting() { asm volatile(""); }

namespace pointsman::bench {

namespace {

constexpr int times = 200;

std::string body;
std::string wire;
Message message;

// Not inlined, so that callgrind knows where a figure begins and ends.
#define WORK(name, ...) [[gnu::noinline]] void work_##name(__VA_ARGS__)

WORK(encode) {
  for (int i = 0; i < times; ++i) encode(message, Codec::msgpack, body);
}
WORK(decode) {
  Codec seen{};
  for (int i = 0; i < times; ++i) MUST(decode(wire, seen).index() == 0);
}
WORK(seal, const Ticket& ticket, const Bytes& key) {
  for (int i = 0; i < times; ++i) MUST(seal(ticket, key).data.size() > 0);
}
WORK(unseal, const Bytes& sealed, const Bytes& key) {
  for (int i = 0; i < times; ++i) MUST(unseal(sealed, key));
}
WORK(hand_off, Fleet& fleet) { fleet.churn(times); }
WORK(line, Fleet& fleet) { fleet.enter_and_cancel(times); }
WORK(renewal, Fleet& fleet) { fleet.renew(times); }

// Runs `work` once to warm up, then counted.
template <class Work>
void figure(const std::string& name, const Work& work) {
  work();
  const std::uint64_t before = ledger().allocations;
  begin_counting();
  work();
  const std::uint64_t allocations = ledger().allocations - before;
  std::printf("%s %d %lu\n", name.c_str(), times, static_cast<unsigned long>(allocations));
}

void run() {
  for (const Message& hot : hot_messages()) {
    message = hot;
    wire = encode(hot);
    figure("encode-" + std::string(op_of(hot)), [] { work_encode(); });
    figure("decode-" + std::string(op_of(hot)), [] { work_decode(); });
  }
  const Bytes key{std::string(32, 'k')};
  const Ticket ticket = example_ticket();
  const Bytes sealed = seal(ticket, key);
  figure("ticket-seal", [&] { work_seal(ticket, key); });
  figure("ticket-check", [&] { work_unseal(sealed, key); });
  for (std::size_t i = 0; i < static_cast<std::size_t>(Policy::count_); ++i) {
    const auto policy = static_cast<Policy>(i);
    Fleet fleet({.policy = policy, .workers = 1000, .weights = 10, .sessions = 4000});
    figure("hand-off-" + std::string(word(policy)), [&] { work_hand_off(fleet); });
    if (i == 0) figure("lease-renewal", [&] { work_renewal(fleet); });
  }
  Fleet through({.workers = 100, .slots = 10, .sessions = 1000, .waiting = 5000, .aside = false});
  figure("hand-off-through-line", [&] { work_hand_off(through); });
  Fleet aside({.workers = 1, .sessions = 0, .waiting = 5000});
  figure("line-enter-and-cancel", [&] { work_line(aside); });
}

}  // namespace

}  // namespace pointsman::bench

int main() { pointsman::bench::run(); }
