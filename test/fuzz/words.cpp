// Fuzzes what people write in one word: durations, sizes, endpoints, base64.

#include <optional>

#include "clients/program/duration.hpp"
#include "protocol/base64.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/limits.hpp"
#include "protocol/must.hpp"
#include "protocol/transport.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

namespace {

void read_endpoints(const std::string& text) {
  try {
    const std::string endpoint = connectable(text);
    MUST(endpoint == text && endpoint.size() <= limits::endpoint && endpoint.find('\0') == std::string::npos);
  } catch (const TransportError& error) {
    MUST(std::string_view(error.what()).size() > 12);
  }
  // Whether a path is free is asked of the file system, which is not to be bothered with any name.
  if (text.starts_with("ipc://") && !text.starts_with("ipc://@")) return;
  for (const bool insecure : {false, true}) {
    try {
      const std::string endpoint = bindable(text, insecure);
      MUST(endpoint.starts_with("tcp://") || endpoint.starts_with("ipc://@"));
      MUST(endpoint.find('\0') == std::string::npos);
    } catch (const TransportError& error) {
      MUST(std::string_view(error.what()).size() > 12);
    }
  }
}

}  // namespace

void run_words(std::string_view input) {
  if (const auto duration = program::parse_duration(input)) {
    MUST(*duration == forever || (duration->count() >= 0 && duration->count() <= static_cast<std::int64_t>(limits::year_ms)));
    MUST(program::parse_duration(program::exact(*duration)) == duration);
    MUST(!program::rough(*duration).empty());
  }
  (void)program::parse_size(input);
  if (const auto bytes = from_base64(input)) MUST(from_base64(to_base64(*bytes)) == bytes);
  MUST(from_base64(to_base64(input)) == std::string(input));
  read_endpoints(std::string(input));
}

std::vector<std::string> words_seeds() {
  return {"250ms",  "1.5s",  "2m",  "1h",  "365d", "0",  "forever", "0.001s", "999999999d", "16M", "512K", "3G", "AAECAw==",
          "AAE",    "tcp://127.0.0.1:5570",  "tcp://[::1]:*", "tcp://localhost:0", "tcp://*:1", "tcp://0.0.0.0:70000",
          "tcp://h:1;g:2", "ipc://@abstract", "ipc://*", "ipc:///run/x", "inproc://x", "udp://h:1", "tcp://:1", "tcp://"};
}

}  // namespace pointsman::fuzz
