// Records of the database: their rules, and their text.
#include "broker/core/known.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "protocol/allowed.hpp"
#include "protocol/key.hpp"
#include "protocol/utf8.hpp"

namespace pointsman::broker {

namespace {

enum : std::size_t { about_, name_, tenant_, priority_, priority_max_, sessions_, waiting_, asks_, offers_, attributes_ };

KnownFault wrong(std::string problem, std::string remedy) { return {std::move(problem), std::move(remedy)}; }

std::string quoted(std::string_view text) { return "\"" + fit(text, 80) + "\""; }

// Reads one part after the other, until something is wrong.
class Reader {
 public:
  explicit Reader(const Columns& texts) : texts_(texts) {}

  std::variant<Known, KnownFault> read() {
    for (const std::string& text : texts_) {
      if (text.find('\0') != std::string::npos) return wrong("there is a NUL in it", "leave it out");
    }
    read_whom();
    text(tenant_, out_.tenant, limits::attribute_text);
    number(priority_, out_.priority, limits::priority);
    number(priority_max_, out_.priority_max, limits::priority);
    number(sessions_, out_.sessions, limits::allowance);
    number(waiting_, out_.waiting, limits::allowance);
    patterns(asks_, out_.asks);
    patterns(offers_, out_.offers);
    read_attributes();
    if (!fault_ && out_.priority > out_.priority_max) {
      fault_ = wrong("priority is " + texts_[priority_] + ", above priority_max", "change one of the two");
    }
    if (fault_) return *std::move(fault_);
    return std::move(out_);
  }

 private:
  void read_whom() {
    const auto& words = Words<About>::list;
    const auto found = std::find(words.begin(), words.end(), texts_[about_]);
    if (found == words.end()) {
      fault_ = wrong(quoted(texts_[about_]) + " is nothing to know about", "it is worker, client or key");
      return;
    }
    out_.about = static_cast<About>(found - words.begin());
    out_.name = texts_[name_];
    if (out_.about == About::key) {
      if (!key_from_z85(out_.name)) fault_ = wrong(quoted(out_.name) + " is no public key", "write its 40 characters of Z85");
    } else if (out_.name.empty() || out_.name.size() > limits::name || !is_utf8(out_.name)) {
      fault_ = wrong(quoted(out_.name) + " is no name",
                     "a name is 1 to " + std::to_string(limits::name) + " bytes of UTF-8");
    }
  }

  // What this kind of party has no use for is a mistake, not forgotten.
  bool given(std::size_t part) {
    const std::string& value = texts_[part];
    if (fault_ || value.empty()) return false;
    const bool for_workers = part == offers_;
    const bool for_clients = part == priority_ || part == priority_max_ || part == sessions_ || part == waiting_ || part == asks_;
    const bool in_vain = out_.about == About::worker ? for_clients : out_.about == About::client && for_workers;
    if (!in_vain) return true;
    const std::string ordinary = columns_of(Known{})[part];
    if (value == ordinary) return false;
    fault_ = wrong("a " + texts_[about_] + " has no use for " + std::string(known_columns[part]), "leave it out");
    return false;
  }

  void text(std::size_t part, std::string& into, std::size_t most) {
    if (!given(part)) return;
    if (texts_[part].size() > most || !is_utf8(texts_[part])) {
      fault_ = wrong(std::string(known_columns[part]) + " is longer than " + std::to_string(most) + " bytes of UTF-8", "shorten it");
      return;
    }
    into = texts_[part];
  }

  void number(std::size_t part, std::uint64_t& into, std::uint64_t most) {
    if (!given(part)) return;
    const std::string& value = texts_[part];
    std::uint64_t read = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), read);
    if (error != std::errc{} || end != value.data() + value.size() || read > most) {
      fault_ = wrong(std::string(known_columns[part]) + " cannot be " + quoted(value),
                     "it is a whole number from 0 to " + std::to_string(most));
      return;
    }
    into = read;
  }

  void patterns(std::size_t part, std::vector<std::string>& into) {
    if (!given(part)) return;
    into.clear();
    std::string_view rest = texts_[part];
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      const std::string_view one = rest.substr(0, comma);
      if (more) rest.remove_prefix(comma + 1);
      if (one.empty() || one.find('*') < one.size() - 1 || one.size() > limits::name + 1 || !is_utf8(one)) {
        fault_ = wrong(quoted(one) + " is no name of services", "write names, or beginnings of names with * behind");
        return;
      }
      into.emplace_back(one);
    }
    if (into.size() > limits::allowed_patterns) {
      fault_ = wrong(std::string(known_columns[part]) + " has more than " + std::to_string(limits::allowed_patterns) + " names",
                     "use beginnings of names with * behind");
    }
  }

  void read_attributes() {
    if (fault_) return;
    if (std::string problem = add_attributes(texts_[attributes_], out_.attributes); !problem.empty()) {
      fault_ = wrong(std::move(problem), "attributes are NAME=VALUE, separated by spaces");
    } else if (out_.attributes.find(tenant_name)) {
      fault_ = wrong("tenant is not one of the attributes", "it is a field of its own");
    }
  }

  const Columns& texts_;
  Known out_;
  std::optional<KnownFault> fault_;
};

// The next word of a line, spaces within double quotes included; it is taken off.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  bool inside = false;
  std::size_t end = 0;
  for (; end < line.size() && (inside || line[end] != ' '); ++end) {
    if (inside && line[end] == '\\')
      ++end;
    else if (line[end] == '"')
      inside = !inside;
  }
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end, line.size()));
  return word;
}

// As shown_text() has it, or as it is.
std::string bare(std::string_view word) {
  if (word.size() < 2 || word.front() != '"' || word.back() != '"') return std::string(word);
  std::string out;
  for (std::size_t i = 1; i + 1 < word.size(); ++i) {
    if (word[i] == '\\' && i + 2 < word.size()) ++i;
    out += word[i];
  }
  return out;
}

}  // namespace

bool Known::says_nothing() const { return *this == Known{.about = about, .name = name}; }

std::optional<Attributes> counting(const Attributes& said, const Known* known) {
  const bool knows = known && (!known->attributes.empty() || !known->tenant.empty());
  if (!knows && !said.find(tenant_name)) return std::nullopt;
  Attributes counts;
  // What has no room any more is left out: never what is known.
  const auto add = [&counts](const std::string& name, const Attribute& value) {
    if (!counts.find(name)) static_cast<void>(counts.add(name, value));
  };
  if (known) {
    if (!known->tenant.empty()) add(std::string(tenant_name), known->tenant);
    for (const auto& [name, value] : known->attributes.list()) add(name, value);
  }
  for (const auto& [name, value] : said.list()) {
    if (name != tenant_name) add(name, value);
  }
  if (counts == said) return std::nullopt;
  return counts;
}

std::uint64_t counting(std::uint64_t priority, const Known* known) {
  if (!known) return priority;
  return std::min(priority == 0 ? known->priority : priority, known->priority_max);
}

std::string to_text(const std::vector<std::string>& patterns) {
  std::string text;
  for (const std::string& pattern : patterns) text += (text.empty() ? "" : ",") + pattern;
  return text;
}

Columns columns_of(const Known& known) {
  return {std::string(word(known.about)),
          known.name,
          known.tenant,
          std::to_string(known.priority),
          std::to_string(known.priority_max),
          std::to_string(known.sessions),
          std::to_string(known.waiting),
          to_text(known.asks),
          to_text(known.offers),
          shown(known.attributes)};
}

std::variant<Known, KnownFault> known_of(const Columns& texts) { return Reader(texts).read(); }

std::string to_line(const Known& known) {
  const Columns texts = columns_of(known);
  const Columns ordinary = columns_of({.about = known.about, .name = known.name});
  std::string line = texts[about_] + ' ' + (known.about == About::key ? known.name : shown_text(known.name));
  for (std::size_t part = tenant_; part < attributes_; ++part) {
    if (texts[part] == ordinary[part]) continue;
    line.append(" ").append(known_columns[part]).append("=");
    line += part == tenant_ || texts[part].find(' ') != std::string::npos ? shown_text(texts[part]) : texts[part];
  }
  if (!texts[attributes_].empty()) line.append(" : ").append(texts[attributes_]);
  return line;
}

std::variant<Known, KnownFault> parse_known(std::string_view line) {
  Columns texts;
  texts[about_] = next_word(line);
  texts[name_] = bare(next_word(line));
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (word == ":") {
      texts[attributes_] = line;
      break;
    }
    const std::size_t equals = word.find('=');
    const std::string_view field = word.substr(0, equals);
    const auto found = std::find(known_columns.begin() + tenant_, known_columns.begin() + attributes_, field);
    if (equals == std::string_view::npos || found == known_columns.begin() + attributes_) {
      return wrong(quoted(word) + " is no field of a record",
                   "the fields are tenant, priority, priority_max, sessions, waiting, asks and offers, each with = and a "
                   "value; attributes stand behind a `:`");
    }
    std::string& text = texts[static_cast<std::size_t>(found - known_columns.begin())];
    if (!text.empty()) return wrong(std::string(field) + " is there twice", "leave one of them out");
    text = bare(word.substr(equals + 1));
  }
  return known_of(texts);
}

}  // namespace pointsman::broker
