// The micro benchmarks: `pointsman_bench --benchmark_filter=REGEX`. The times are those of the machine.
#include <benchmark/benchmark.h>
#include <sodium.h>

int main(int argc, char** argv) {
  // As in a broker: libsodium takes what this processor does best.
  if (sodium_init() < 0) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
