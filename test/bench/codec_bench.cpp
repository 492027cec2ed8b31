// The codec and the tickets: the messages of a hand-off and of a lease, written and read.
#include <benchmark/benchmark.h>

#include <string>

#include "protocol/codec.hpp"
#include "protocol/ticket.hpp"
#include "test/bench/examples.hpp"

namespace pointsman::bench {

namespace {

void encode_one(benchmark::State& state, const Message& message, Codec codec) {
  std::string out;
  for (auto _ : state) {
    encode(message, codec, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}

void decode_one(benchmark::State& state, const Message& message, Codec codec) {
  const std::string body = encode(message, codec);
  Codec seen{};
  for (auto _ : state) benchmark::DoNotOptimize(decode(body, seen));
}

void sealing(benchmark::State& state) {
  const Bytes key{std::string(32, 'k')};
  const Ticket ticket = example_ticket();
  for (auto _ : state) benchmark::DoNotOptimize(seal(ticket, key));
}

void checking(benchmark::State& state) {
  const Bytes key{std::string(32, 'k')};
  const Bytes sealed = seal(example_ticket(), key);
  for (auto _ : state) benchmark::DoNotOptimize(unseal(sealed, key));
}

void fingerprint(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(holder_of("client-00017"));
}

[[maybe_unused]] const bool registered = [] {
  for (const Message& message : hot_messages()) {
    const std::string op(op_of(message));
    for (const auto& [codec, name] :
         {std::pair{Codec::msgpack, "msgpack/"}, std::pair{Codec::json, "json/"}}) {
      benchmark::RegisterBenchmark(("encode/" + std::string(name) + op).c_str(),
                                   [=](benchmark::State& s) { encode_one(s, message, codec); });
      benchmark::RegisterBenchmark(("decode/" + std::string(name) + op).c_str(),
                                   [=](benchmark::State& s) { decode_one(s, message, codec); });
    }
  }
  benchmark::RegisterBenchmark("ticket/seal", sealing);
  benchmark::RegisterBenchmark("ticket/check", checking);
  benchmark::RegisterBenchmark("ticket/fingerprint", fingerprint);
  return true;
}();

}  // namespace

}  // namespace pointsman::bench
