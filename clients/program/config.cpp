// Config: walks the parsed file and holds every key against the list of settings. The one unit that includes toml11.

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

namespace pointsman::program {
namespace {

constexpr std::size_t file_bytes = 1 << 20;

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
  if (std::holds_alternative<Endpoint>(slot) || std::holds_alternative<Policy*>(slot)) return "a text in quotes";
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

class Reader {
 public:
  Reader(const std::string& path, Settings& settings) : path_(path), settings_(settings) {}

  void read(const Value& file) {
    static const std::vector<std::string_view> sections{"broker", "client", "worker", "service"};
    for (const auto& [name, value] : file.as_table()) {
      if (name == "service") {
        read_services(value);
      } else if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
        mistake(value, "there is no section \"" + name + "\"" + did_you_mean(name, sections), "not known",
                "the sections are [broker], [[service]], [client] and [worker]");
      } else if (!value.is_table()) {
        mistake(value, "\"" + name + "\" is a section", "no section", "write [" + name + "] on a line of its own");
      } else {
        read_section(name + ".", value, setting_keys(), settings_);
      }
    }
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
  // `prefix` stands in front of the names in the list: "broker." for the key `lease` that is listed as broker.lease.
  template <class Owner>
  void read_section(const std::string& prefix, const Value& table, std::span<const Key<Owner>> keys, Owner& owner,
                    const std::string& origin_prefix = {}) {
    for (const auto& [name, value] : table.as_table()) {
      if (!origin_prefix.empty() && name == "name") continue;
      const std::string full = prefix + name;
      const auto key = std::find_if(keys.begin(), keys.end(), [&](const auto& k) { return k.name == full; });
      if (key == keys.end()) {
        unknown_key(prefix, name, value, keys, origin_prefix.empty() ? "" : "name");
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
                   std::span<const Key<Owner>> keys, std::string_view besides) {
    std::vector<std::string_view> known;
    if (!besides.empty()) known.push_back(besides);
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
  if (text.size() > file_bytes) return usage(path + " is larger than 1 MiB", "is it the configuration file?");
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
