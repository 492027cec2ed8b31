// Sources out of text: cut at commas or lines, each told by its beginning.
#include "protocol/finder/core/sources.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "protocol/key.hpp"

namespace pointsman::finder {

namespace {

constexpr std::string_view remedy =
    "write tcp://HOST:PORT, ipc://PATH, file:PATH, dns:NAME, lookup:ENDPOINT, etcd://HOST:PORT/PREFIX, auto "
    "or env:VARIABLE, with commas between several";

bool is_endpoint(std::string_view text) { return text.starts_with("tcp://") || text.starts_with("ipc://"); }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const std::size_t from = text.find_first_not_of(blank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blank) - from + 1);
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text.substr(0, limits::endpoint)) + '"';
}

// 1 to 65535; 0: it is no port.
std::uint16_t port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() ? port : std::uint16_t{0};
}

using Parsed = std::variant<Source, SourceFault>;

Parsed parse_endpoint(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::string_view endpoint = text.substr(0, space);
  const std::string_view key =
      space == std::string_view::npos ? std::string_view{} : trimmed(text.substr(space));
  if (endpoint.size() > limits::endpoint)
    return SourceFault{quoted(text) + " is longer than an endpoint may be", ""};
  if (endpoint.starts_with("tcp://")) {
    const std::size_t colon = endpoint.rfind(':');
    if (colon <= 6 || port_of(endpoint.substr(colon + 1)) == 0) {
      return SourceFault{quoted(endpoint) + " is no endpoint: its host or its port is missing",
                         std::string(remedy)};
    }
  } else if (endpoint.size() == std::string_view("ipc://").size()) {
    return SourceFault{quoted(endpoint) + " is no endpoint: its path is missing", std::string(remedy)};
  }
  if (!key.empty() && !key_from_z85(key)) {
    return SourceFault{quoted(text) + ": what stands behind the endpoint is no public key",
                       "write the 40 characters of a .key.pub file, or nothing"};
  }
  return Source{.kind = Source::Kind::endpoint, .what = std::string(endpoint), .key = std::string(key)};
}

Parsed parse_named(std::string_view name, std::string_view text) {
  if (name.empty() || name.size() > limits::name || name.find_first_of(" \t") != std::string_view::npos) {
    return SourceFault{quoted(name) + " is no name of a broker: 1 to 64 bytes without blanks", "write NAME=ENDPOINT"};
  }
  Parsed parsed = parse_endpoint(text);
  if (auto* source = std::get_if<Source>(&parsed)) source->name = name;
  return parsed;
}

Parsed parse_name(std::string_view text, std::uint16_t port) {
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) port = port_of(text.substr(colon + 1));
  const std::string_view name = text.substr(0, colon);
  if (name.empty() || name.size() > 253 || port == 0) {
    return SourceFault{quoted("dns:" + std::string(text)) + " is no name with a port from 1 to 65535",
                       "write dns:NAME or dns:NAME:PORT"};
  }
  return Source{.kind = Source::Kind::name, .what = std::string(name), .port = port};
}

Parsed parse_lookup(std::string_view text) {
  if (!is_endpoint(text)) {
    return SourceFault{quoted("lookup:" + std::string(text)) + " names no broker to ask",
                       "write lookup: and its listener for clients, as in lookup:tcp://HOST:PORT"};
  }
  Parsed parsed = parse_endpoint(text);
  if (auto* source = std::get_if<Source>(&parsed)) source->kind = Source::Kind::lookup;
  return parsed;
}

bool is_etcd(std::string_view text) { return text.starts_with("etcd://") || text.starts_with("etcds://"); }

Parsed parse_list(std::string_view text) {
  const auto list = parse_etcd(text);
  if (const auto* fault = std::get_if<SourceFault>(&list)) return *fault;
  return Source{.kind = Source::Kind::etcd, .what = std::string(text)};
}

Parsed parse_source(std::string_view text, std::uint16_t port) {
  if (text.find('\0') != std::string_view::npos) return SourceFault{"a source has a zero byte", ""};
  if (is_endpoint(text)) return parse_endpoint(text);
  const std::size_t named = text.find('=');
  if (named != std::string_view::npos && is_endpoint(text.substr(named + 1)))
    return parse_named(text.substr(0, named), text.substr(named + 1));
  if (text.starts_with("lookup:")) return parse_lookup(text.substr(7));
  if (is_etcd(text)) return parse_list(text);
  if (text.starts_with("dns:")) return parse_name(text.substr(4), port);
  if (text.starts_with("file:")) {
    if (text.size() == 5) return SourceFault{"file: names no file", "write file:PATH"};
    return Source{.kind = Source::Kind::file, .what = std::string(text.substr(5))};
  }
  if (text == "auto") return Source{.kind = Source::Kind::network, .what = std::string(default_group)};
  if (text.starts_with("auto:")) {
    const std::string_view group = text.substr(5);
    if (group.empty() || group.size() > limits::name) {
      return SourceFault{quoted(text) + " names no group of 1 to 64 bytes", "write auto or auto:GROUP"};
    }
    return Source{.kind = Source::Kind::network, .what = std::string(group)};
  }
  return SourceFault{quoted(text) + " is no place to look for a broker", std::string(remedy)};
}

std::variant<Sources, SourceFault> too_many() {
  return SourceFault{"more than " + std::to_string(limits::brokers) + " sources", "name fewer"};
}

// A variable says no other one, so this comes to an end.
std::variant<Sources, SourceFault> parse_variable(std::string_view text, std::uint16_t port,
                                                  const Variables& variables) {
  const std::string name(text.substr(0, limits::endpoint));
  const char* says = name.empty() ? nullptr : variables(name.c_str());
  if (says == nullptr || *says == '\0') {
    return SourceFault{"the environment variable \"" + name + "\" is not set",
                       "set it to what --broker may say, or leave out env:" + name};
  }
  auto parsed = parse_sources(says, port);
  if (auto* fault = std::get_if<SourceFault>(&parsed)) fault->problem = "in $" + name + ": " + fault->problem;
  return parsed;
}

std::variant<Sources, SourceFault> parse(std::string_view text, char between, std::uint16_t port,
                                         bool in_file, const Variables& variables) {
  Sources sources;
  bool home = false;
  for (std::size_t line = 1; !text.empty(); ++line) {
    // Commas between the members of an etcd cluster are its own.
    const std::string_view rest = trimmed(text);
    const std::size_t hosts = is_etcd(rest) ? text.find('/', text.find("//") + 2) : 0;
    const std::size_t end = text.find(between, hosts);
    std::string_view part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // A comment is a whole line: '#' is a character of keys, too.
    part = trimmed(part);
    if (part.empty() || (in_file && part.front() == '#')) continue;
    if (variables && part.starts_with("env:")) {
      auto said = parse_variable(part.substr(4), port, variables);
      if (std::holds_alternative<SourceFault>(said)) return said;
      for (Source& source : std::get<Sources>(said)) sources.push_back(std::move(source));
      if (sources.size() > limits::brokers) return too_many();
      continue;
    }
    if (!in_file && part == "home") {
      home = true;
      continue;
    }
    Parsed parsed = parse_source(part, port);
    auto* fault = std::get_if<SourceFault>(&parsed);
    if (fault == nullptr && in_file && std::get<Source>(parsed).kind != Source::Kind::endpoint) {
      parsed =
          SourceFault{quoted(part) + " is no endpoint", "write tcp://HOST:PORT or ipc://PATH on each line"};
      fault = std::get_if<SourceFault>(&parsed);
    }
    if (fault != nullptr) {
      if (in_file) fault->problem = "line " + std::to_string(line) + ": " + fault->problem;
      return std::move(*fault);
    }
    if (sources.size() == limits::brokers) return too_many();
    sources.push_back(std::get<Source>(std::move(parsed)));
  }
  for (Source& source : sources) source.home |= home;
  return sources;
}

}  // namespace

std::variant<EtcdList, SourceFault> parse_etcd(std::string_view text) {
  const auto wrong = [&](const std::string& problem) {
    return SourceFault{quoted(text) + " is no list in etcd: " + problem,
                       "write etcd://HOST:PORT/PREFIX, with commas between several HOST:PORT"};
  };
  if (!is_etcd(text)) return wrong("it does not begin with etcd://");
  const bool secure = text.starts_with("etcds://");
  std::string_view rest = text.substr(secure ? 8 : 7);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  EtcdList list{.urls = {}, .prefix = std::string(rest.substr(slash))};
  while (list.prefix.ends_with('/')) list.prefix.pop_back();
  if (list.prefix.empty()) return wrong("what its keys begin with is missing");
  if (list.prefix.size() > limits::endpoint) return wrong("what its keys begin with is too long");
  for (rest = rest.substr(0, slash); !rest.empty();) {
    const std::string_view member = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(member.size() + 1, rest.size()));
    const std::size_t colon = member.rfind(':');
    const bool whole = colon != std::string_view::npos && colon > 0 && port_of(member.substr(colon + 1)) != 0;
    if (!whole || member.size() > limits::endpoint)
      return wrong(quoted(member) + " is no host with a port from 1 to 65535");
    if (list.urls.size() == limits::etcd_members)
      return wrong("it has more than " + std::to_string(limits::etcd_members) + " members");
    list.urls.push_back((secure ? "https://" : "http://") + std::string(member));
  }
  if (list.urls.empty()) return wrong("its host is missing");
  return list;
}

std::variant<Sources, SourceFault> parse_sources(std::string_view text, std::uint16_t port,
                                                 const Variables& variables) {
  auto parsed = parse(text, ',', port, false, variables);
  const auto* sources = std::get_if<Sources>(&parsed);
  if (sources != nullptr && sources->empty()) return SourceFault{"no broker is named", std::string(remedy)};
  return parsed;
}

std::variant<Sources, SourceFault> parse_source_file(std::string_view text) {
  return parse(text, '\n', 1, true, {});
}

std::string to_text(const Source& source) {
  const std::string named = source.name.empty() ? source.what : source.name + "=" + source.what;
  const std::string endpoint = source.key.empty() ? named : named + " " + source.key;
  switch (source.kind) {
    case Source::Kind::endpoint: return endpoint;
    case Source::Kind::etcd: return source.what;
    case Source::Kind::lookup: return "lookup:" + endpoint;
    case Source::Kind::network: return "auto:" + source.what;
    case Source::Kind::file: return "file:" + source.what;
    case Source::Kind::name: return "dns:" + source.what + ":" + std::to_string(source.port);
  }
  return {};
}

bool is_home(const Sources& sources) {
  return std::any_of(sources.begin(), sources.end(), [](const Source& source) { return source.home; });
}

bool is_single(const Sources& sources) {
  return sources.size() == 1 && sources.front().kind == Source::Kind::endpoint;
}

}  // namespace pointsman::finder
