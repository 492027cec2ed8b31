// Config: walks the parsed file and holds every key against the list of settings. The one unit that includes
// toml11.

#include "clients/program/config.hpp"

#include <algorithm>
#include <exception>
#include <fstream>
#include <map>
#include <sstream>
#include <toml.hpp>
#include <utility>
#include <vector>

#include "clients/program/nearest.hpp"
#include "protocol/utf8.hpp"

namespace pointsman::program {
namespace {

constexpr std::size_t file_bytes = 1 << 20;
constexpr std::size_t command_bytes = 24 * 1024;  // of a process; and as much for its environment

// Ordered, so that what is found is told in the same order each time.
using Value = toml::basic_value<toml::discard_comments, std::map, std::vector>;

struct Mistake {
  std::size_t line;
  std::string text;
};

const char* kind_of(const Slot& slot) {
  if (std::holds_alternative<std::uint64_t*>(slot)) return "a whole number";
  if (std::holds_alternative<double*>(slot)) return "a number";
  if (std::holds_alternative<bool*>(slot)) return "true or false";
  if (std::holds_alternative<Endpoint>(slot) || std::holds_alternative<Brokers>(slot) ||
      std::holds_alternative<Text>(slot) || std::holds_alternative<ConditionText>(slot) ||
      std::holds_alternative<Attributes*>(slot) || std::holds_alternative<Policy*>(slot))
    return "a text in quotes";
  return "a duration in quotes, like \"5s\"";
}

// The value as assign() reads it; nothing if it is of another type than the slot.
std::optional<std::string> text_for(const Slot& slot, const Value& value) {
  if (std::holds_alternative<std::uint64_t*>(slot)) {
    if (value.is_integer()) return std::to_string(value.as_integer());
  } else if (std::holds_alternative<double*>(slot)) {
    if (value.is_integer()) return std::to_string(value.as_integer());
    if (value.is_floating()) return std::to_string(value.as_floating());
  } else if (std::holds_alternative<bool*>(slot)) {
    if (value.is_boolean()) return value.as_boolean() ? "true" : "false";
  } else if (value.is_string()) {
    return value.as_string().str;
  }
  return std::nullopt;
}

// The library's report without its own names in front, and with the place in front.
std::string report(const std::string& place, std::string_view text) {
  for (const std::string_view prefix : {"[error] ", "toml::"}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix == "toml::" ? text.find(": ") + 2 : prefix.size());
  }
  return place + ": " + std::string(text);
}

// TOML is UTF-8; the library reads beyond its buffer where a text is not (toml11 3.7.1, parse_literal_string).
std::optional<std::size_t> line_that_is_no_text(std::string_view text) {
  if (is_utf8(text)) return std::nullopt;
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return line;
    line += text[at] == '\n';
    at += length;
  }
  return line;
}

class Reader {
 public:
  Reader(const std::string& path, Settings& settings) : path_(path), settings_(settings) {}

  void read(const Value& file) {
    static const std::vector<std::string_view> sections{"broker", "client", "worker", "service",
                                                         "up", "process"};
    for (const auto& [name, value] : file.as_table()) {
      if (name == "service") {
        read_services(value);
      } else if (name == "process") {
        read_processes(value);
      } else if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
        mistake(value, "there is no section \"" + name + "\"" + did_you_mean(name, sections), "not known",
                "the sections are [broker], [[service]], [client], [worker], [up] and [[process]]");
      } else if (!value.is_table()) {
        mistake(value, "\"" + name + "\" is a section", "no section", "write [" + name + "] on a line of its own");
      } else {
        read_section(name + ".", value, setting_keys(), settings_);
      }
    }
    expect_on_demand();
  }

  std::optional<Problem> problem() {
    if (mistakes_.empty()) return std::nullopt;
    std::stable_sort(mistakes_.begin(), mistakes_.end(),
                     [](const Mistake& a, const Mistake& b) { return a.line < b.line; });
    std::string text;
    for (const Mistake& mistake : mistakes_) text += (text.empty() ? "" : "\n") + mistake.text;
    return usage(text);
  }

 private:
  // `prefix` stands in front of the names in the list: "broker." for the key `lease` that is listed as
  // broker.lease.
  template <class Owner>
  void read_section(const std::string& prefix, const Value& table, std::span<const Key<Owner>> keys, Owner& owner,
                    const std::string& origin_prefix = {}) {
    for (const auto& [name, value] : table.as_table()) {
      if (!origin_prefix.empty() && (name == "name" || name == "command" || name == "environment")) continue;
      const std::string full = prefix + name;
      const auto key = std::find_if(keys.begin(), keys.end(), [&](const auto& k) { return k.name == full; });
      if (key == keys.end()) {
        std::vector<std::string_view> besides;
        if (!origin_prefix.empty()) besides = {"name"};
        if (origin_prefix.starts_with("process.")) besides = {"name", "command", "environment"};
        unknown_key(prefix, name, value, keys, besides);
        continue;
      }
      const Slot slot = key->slot(owner);
      const auto text = text_for(slot, value);
      if (!text) {
        mistake(value, "\"" + name + "\" is of the wrong type", "here", std::string("it is ") + kind_of(slot));
      } else if (const auto wrong = assign(slot, *text, key->min, key->max, key->endless)) {
        mistake(value, "\"" + name + "\": " + wrong->what, "here", wrong->remedy);
      } else {
        settings_.origin[(origin_prefix.empty() ? prefix : origin_prefix) + name] = place(value);
      }
    }
  }

  template <class Owner>
  void unknown_key(const std::string& prefix, const std::string& name, const Value& value,
                   std::span<const Key<Owner>> keys, std::vector<std::string_view> known) {
    for (const auto& key : keys) {
      if (key.name.starts_with(prefix)) known.push_back(key.name.substr(prefix.size()));
    }
    std::string all;
    for (const auto word : known) all += (all.empty() ? "" : ", ") + std::string(word);
    mistake(value, "there is no key \"" + name + "\" here" + did_you_mean(name, known), "not known",
            "the keys are " + all);
  }

  void read_services(const Value& value) {
    if (!value.is_array() || value.as_array().empty() || !value.as_array().front().is_table()) {
      mistake(value, "\"service\" is a list of tables", "no list of tables", "write [[service]] on a line of its own");
      return;
    }
    // What is not said of a service is as for "*", wherever in the file that stands.
    for (const bool rest : {true, false}) {
      for (const Value& table : value.as_array()) {
        const auto name = service_name(table, rest);
        if (!name || (*name == "*") != rest) continue;
        auto& services = settings_.broker.core.services;
        if (!rest && !services.try_emplace(*name, settings_.broker.core.service).second) {
          mistake(table, "the service \"" + *name + "\" is there twice", "here again", "put the two together");
          continue;
        }
        read_section("", table, service_keys(), rest ? settings_.broker.core.service : services.at(*name),
                     "service." + *name + ".");
      }
    }
  }

  // The service's name; without one it is told in the first of the two rounds.
  std::optional<std::string> service_name(const Value& table, bool tell) {
    if (!table.contains("name")) {
      if (tell) mistake(table, "this service has no name", "here", "add name = \"…\"");
      return std::nullopt;
    }
    const Value& name = table.at("name");
    if (name.is_string() && !name.as_string().str.empty() && name.as_string().str.size() <= limits::name) {
      return name.as_string().str;
    }
    if (tell) {
      mistake(name, "a service's name is a text of 1 to " + std::to_string(limits::name) + " bytes", "here", "");
    }
    return std::nullopt;
  }

  void read_processes(const Value& value) {
    if (!value.is_array() || value.as_array().empty() || !value.as_array().front().is_table()) {
      mistake(value, "\"process\" is a list of tables", "no list of tables", "write [[process]] on a line of its own");
      return;
    }
    std::uint64_t all = 0;
    for (const Value& table : value.as_array()) {
      ProcessSettings process;
      if (!read_name(table, process) || !read_command(table, process)) continue;
      const bool says = table.contains("notify");
      read_section("", table, process_keys(), process, "process." + process.name + ".");
      read_environment(table, process);
      if (!says) process.notify = is_worker_command(process.command);
      if (process.service.empty()) process.service = service_of_command(process.command);
      if (process.max == 0) process.max = std::max<std::uint64_t>(process.min, 1);
      if (process.max < process.min) {
        mistake(table, "max is " + std::to_string(process.max) + ", but min is " + std::to_string(process.min), "here",
                "change one of the two");
      }
      if (process.max > process.min && process.service.empty()) {
        mistake(table, "nobody knows when more than min of these are needed", "here",
                "say service = \"…\", or leave max out");
      }
      all += process.max;
      settings_.up.processes.push_back(std::move(process));
    }
    // Some room for those that replace others.
    if (all + 2 > limits::processes) {
      mistake(value, std::to_string(all) + " processes are too many", "here",
              "there may be " + std::to_string(limits::processes - 2));
    }
  }

  bool read_name(const Value& table, ProcessSettings& process) {
    constexpr std::size_t name_max = limits::name - 8;  // its processes have a number behind it
    if (!table.contains("name") || !table.at("name").is_string() || table.at("name").as_string().str.empty() ||
        table.at("name").as_string().str.size() > name_max || table.at("name").as_string().str == "broker") {
      mistake(table, "a process has a name", "here",
              "add name = \"…\", of 1 to " + std::to_string(name_max) + " bytes, and not \"broker\"");
      return false;
    }
    process.name = table.at("name").as_string().str;
    const auto& others = settings_.up.processes;
    if (std::none_of(others.begin(), others.end(), [&](const auto& o) { return o.name == process.name; })) return true;
    mistake(table, "the process \"" + process.name + "\" is there twice", "here again", "give it another name");
    return false;
  }

  bool read_command(const Value& table, ProcessSettings& process) {
    const auto wrong = [&](const Value& where) {
      mistake(where, "the command is a list of words", "here", "like this: command = [\"gzip\", \"-c\"]");
      return false;
    };
    if (!table.contains("command")) return wrong(table);
    const Value& words = table.at("command");
    if (!words.is_array() || words.as_array().empty()) return wrong(words);
    std::size_t bytes = 0;
    for (const Value& word : words.as_array()) {
      if (!word.is_string()) return wrong(word);
      process.command.push_back(word.as_string().str);
      bytes += process.command.back().size() + 1;
    }
    if (bytes > command_bytes || process.command.front().empty()) return wrong(words);
    return true;
  }

  void read_environment(const Value& table, ProcessSettings& process) {
    if (!table.contains("environment")) return;
    const Value& variables = table.at("environment");
    if (!variables.is_table()) {
      return mistake(variables, "the environment is a table of texts", "here",
                     "like this: environment = {LANG = \"C\"}");
    }
    std::size_t bytes = 0;
    for (const auto& [name, value] : variables.as_table()) {
      if (!value.is_string()) {
        mistake(value, "\"" + name + "\" is of the wrong type", "here", "it is a text in quotes");
        continue;
      }
      process.environment.emplace_back(name, value.as_string().str);
      bytes += name.size() + value.as_string().str.size() + 2;
    }
    if (bytes > command_bytes) mistake(variables, "the environment is too large", "here", "");
  }

  // Requests for what is started on demand wait for it.
  void expect_on_demand() {
    auto& core = settings_.broker.core;
    for (const auto& process : settings_.up.processes) {
      if (process.service.empty() || process.max == process.min) continue;
      core.services.try_emplace(process.service, core.service).first->second.on_demand = true;
    }
  }

  std::string place(const Value& value) const { return path_ + ":" + std::to_string(value.location().line()); }

  void mistake(const Value& value, const std::string& what, const std::string& caret, const std::string& remedy) {
    const auto location = value.location();
    std::vector<std::string> hints;
    if (!remedy.empty()) hints.push_back(remedy);
    mistakes_.push_back({location.line(), report(place(value) + ":" + std::to_string(location.column()),
                                                 toml::format_error("[error] " + what, value, caret, hints, false))});
  }

  const std::string& path_;
  Settings& settings_;
  std::vector<Mistake> mistakes_;
};

}  // namespace

std::optional<Problem> read_config(const std::string& path, Settings& settings) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(file_bytes + 1, '\0');
  if (!stream) return usage(path + " cannot be read");
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad() || text.empty()) {
    // An empty file says nothing, which is not wrong; a directory cannot be read.
    if (stream.bad()) return usage(path + " cannot be read");
  }
  return read_config_text(path, text, settings);
}

std::optional<Problem> read_config_text(const std::string& path, const std::string& text, Settings& settings) {
  if (text.size() > file_bytes) return usage(path + " is larger than 1 MiB", "is it the configuration file?");
  if (const auto line = line_that_is_no_text(text)) {
    return usage(path + ":" + std::to_string(*line) + ": there are bytes that are not UTF-8", "save the file as UTF-8");
  }
  settings.file = path;
  try {
    std::istringstream source(text);
    const auto file = toml::parse<toml::discard_comments, std::map, std::vector>(source, path);
    Reader reader(path, settings);
    reader.read(file);
    return reader.problem();
  } catch (const toml::exception& error) {
    // Its column is where the broken part starts; the caret in the text is where it breaks.
    return usage(report(path + ":" + std::to_string(error.location().line()), error.what()),
                 "the file has to be TOML");
  } catch (const std::exception& error) {
    return usage(report(path, error.what()), "the file has to be TOML");
  }
}

}  // namespace pointsman::program
