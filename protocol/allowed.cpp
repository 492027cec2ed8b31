// One line at a time; the first that is wrong is told and nothing is taken.
#include "protocol/allowed.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "protocol/limits.hpp"
#include "protocol/must.hpp"
#include "protocol/utf8.hpp"

namespace pointsman {

namespace {

constexpr std::string_view example =
    "write: NAME KEY ROLES, for example `alice KEY client,worker`; "
    "`pointsman keys allow` does it for you";
constexpr std::int64_t day_seconds = 86'400;

// Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = year / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

struct Date {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

Date date_of(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = days / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

// The number of exactly these digits.
std::optional<unsigned> digits_of(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && text.front() != '+' && text.front() != '-' ? std::optional(value) : std::nullopt;
}

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= limits::name && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-'; });
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string quoted(std::string_view text) { return "'" + fit(text.substr(0, 80), 80) + "'"; }

// One line, word by word. What is wrong first stays.
class Line {
 public:
  Line(std::string_view text, std::size_t number) : words_(split(text, " \t\r")), number_(number) {}

  std::variant<Allowance, AllowedFault> read() {
    if (words_.size() < 3)
      return AllowedFault{number_, "a key needs a name, its text and its roles", std::string(example)};
    read_name(words_[0]);
    read_key(words_[1]);
    read_roles(words_[2]);
    for (const std::string_view word : std::span(words_).subspan(3)) read_field(word);
    if (out_.rate == 0 && out_.burst != 0)
      wrong("there is a burst, but no rate", "add rate=N, requests a second");
    if (out_.rate != 0 && out_.burst == 0) out_.burst = out_.rate;
    if (fault_) return *std::move(fault_);
    return std::move(out_);
  }

 private:
  void wrong(std::string problem, std::string remedy) {
    if (!fault_) fault_ = AllowedFault{number_, std::move(problem), std::move(remedy)};
  }

  void read_name(std::string_view word) {
    if (!is_name(word)) {
      return wrong(quoted(word) + " is no name",
                   "begin the line with a name of letters, digits and . _ -, at most 64");
    }
    out_.name = word;
  }

  void read_key(std::string_view word) {
    const auto key = key_from_z85(word);
    if (!key) {
      return wrong(quoted(word) + " is no public key",
                   "write the 40 characters that `pointsman keys show FILE` prints, behind the name");
    }
    out_.key = *key;
  }

  void read_roles(std::string_view word) {
    for (const std::string_view name : split(word, ",")) {
      const auto& list = Words<Role>::list;
      const auto found = std::find(list.begin(), list.end(), name);
      if (found == list.end()) {
        return wrong(quoted(name) + " is no role",
                     "write client, worker, peer or admin behind the key, joined by commas");
      }
      out_.roles.add(static_cast<Role>(found - list.begin()));
    }
    if (out_.roles.none()) wrong("there is no role", "write client, worker, peer or admin behind the key");
  }

  void read_field(std::string_view word) {
    const std::size_t sign = word.find('=');
    const std::string_view name = word.substr(0, sign);
    if (!seen_.insert(name).second) return wrong(quoted(name) + " is there twice", "leave one of them out");
    if (word == "revoked") {
      out_.standing = Standing::revoked;
      return;
    }
    if (sign == std::string_view::npos || sign + 1 == word.size()) {
      return wrong(quoted(word) + " has no value", "write FIELD=VALUE without spaces, or `revoked`");
    }
    read_value(name, word.substr(sign + 1));
  }

  void read_value(std::string_view name, std::string_view value) {
    constexpr std::pair<std::string_view, std::uint64_t Allowance::*> quotas[] = {
        {"sessions", &Allowance::sessions}, {"waiting", &Allowance::waiting},
        {"workers", &Allowance::workers},   {"connections", &Allowance::connections},
        {"rate", &Allowance::rate},         {"burst", &Allowance::burst}};
    if (name == "asks") return read_patterns(value, out_.asks);
    if (name == "offers") return read_patterns(value, out_.offers);
    if (name == "until") {
      out_.until = moment_of(value);
      if (out_.until == 0)
        wrong(quoted(value) + " is no day", "write until=2027-01-31, or until=2027-01-31T12:00:00Z (UTC)");
      return;
    }
    for (const auto& [known, member] : quotas) {
      if (name == known) return read_number(name, value, out_.*member);
    }
    wrong("there is no field " + quoted(name),
          "there are asks, offers, until, sessions, waiting, workers, connections, rate, burst and revoked");
  }

  void read_number(std::string_view name, std::string_view value, std::uint64_t& into) {
    const auto number = digits_of(value);
    if (!number || *number > limits::allowance) {
      return wrong(
          quoted(value) + " is no number for " + std::string(name),
          "write a number from 0 to " + std::to_string(limits::allowance) + "; 0: no bound of its own");
    }
    into = *number;
  }

  void read_patterns(std::string_view value, std::vector<std::string>& into) {
    into.clear();
    for (const std::string_view pattern : split(value, ",")) {
      if (pattern.find('*') < pattern.size() - 1 || pattern.size() > limits::name + 1 || !is_utf8(pattern)) {
        return wrong(quoted(pattern) + " is no name of services",
                     "write a service's name, or the beginning of names with a * at its end");
      }
      into.emplace_back(pattern);
    }
    if (into.empty() || into.size() > limits::allowed_patterns) {
      wrong("there are " + std::to_string(into.size()) + " names of services",
            "write 1 to " + std::to_string(limits::allowed_patterns) + " names, joined by commas");
    }
  }

  std::vector<std::string_view> words_;
  std::size_t number_;
  Allowance out_;
  std::set<std::string_view> seen_;
  std::optional<AllowedFault> fault_;
};

bool says_nothing(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  return first == std::string_view::npos || line[first] == '#';
}

// Cuts the next line off.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// "a,b"
std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

}  // namespace

std::string to_text(Roles roles) {
  std::string text;
  for (std::size_t i = 0; i < Words<Role>::list.size(); ++i) {
    if (!roles.has(static_cast<Role>(i))) continue;
    if (!text.empty()) text += ',';
    text += Words<Role>::list[i];
  }
  return text.empty() ? "none" : text;
}

bool fits(const std::vector<std::string>& patterns, std::string_view service) {
  return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
    if (!pattern.ends_with('*')) return pattern == service;
    return service.starts_with(pattern.substr(0, pattern.size() - 1));
  });
}

AllowedKeys::AllowedKeys(std::vector<Allowance> list) : list_(std::move(list)) {
  for (std::size_t i = 0; i < list_.size(); ++i) MUST(places_.emplace(list_[i].key, i).second);
}

const Allowance* AllowedKeys::find(const PublicKey& key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? nullptr : &list_[found->second];
}

const Allowance* AllowedKeys::find(std::string_view name) const {
  const auto found =
      std::find_if(list_.begin(), list_.end(), [&](const Allowance& a) { return a.name == name; });
  return found == list_.end() ? nullptr : &*found;
}

AllowedKeys AllowedKeys::at(std::uint64_t unix_seconds) const {
  AllowedKeys then = *this;
  for (Allowance& allowance : then.list_) {
    if (allowance.standing == Standing::revoked) continue;
    const bool over = allowance.until != 0 && allowance.until <= unix_seconds;
    allowance.standing = over ? Standing::expired : Standing::good;
  }
  return then;
}

std::uint64_t AllowedKeys::next_end(std::uint64_t unix_seconds) const {
  std::uint64_t next = 0;
  for (const Allowance& allowance : list_) {
    if (allowance.standing == Standing::revoked || allowance.until <= unix_seconds) continue;
    if (next == 0 || allowance.until < next) next = allowance.until;
  }
  return next;
}

std::variant<AllowedKeys, AllowedFault> parse_allowed(std::string_view text) {
  std::vector<Allowance> list;
  std::unordered_map<PublicKey, std::size_t> keys;  // to the line where it was
  std::unordered_map<std::string, std::size_t> names;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = next_line(text);
    if (line.size() > limits::allowed_line) {
      return AllowedFault{number,
                          "the line is longer than " + std::to_string(limits::allowed_line) + " bytes",
                          "name services by their beginnings"};
    }
    if (says_nothing(line)) continue;
    if (list.size() == limits::allowed_keys) {
      return AllowedFault{number, "there are more than " + std::to_string(limits::allowed_keys) + " keys",
                          "take out those that were revoked long ago"};
    }
    auto read = Line(line, number).read();
    if (auto* fault = std::get_if<AllowedFault>(&read)) return *std::move(fault);
    auto& allowance = std::get<Allowance>(read);
    if (const auto [other, fresh] = keys.emplace(allowance.key, number); !fresh) {
      return AllowedFault{number, "the key is in line " + std::to_string(other->second) + " already",
                          "give it all its roles in one line, joined by commas"};
    }
    if (const auto [other, fresh] = names.emplace(allowance.name, number); !fresh) {
      return AllowedFault{
          number,
          "the name " + quoted(allowance.name) + " is in line " + std::to_string(other->second) + " already",
          "choose another name"};
    }
    list.push_back(std::move(allowance));
  }
  return AllowedKeys(std::move(list));
}

std::string to_line(const Allowance& allowance) {
  std::string line = allowance.name + ' ' + to_z85(allowance.key) + ' ' + to_text(allowance.roles);
  const std::vector<std::string> all{"*"};
  if (allowance.asks != all) line += " asks=" + joined(allowance.asks);
  if (allowance.offers != all) line += " offers=" + joined(allowance.offers);
  if (allowance.until != 0) line += " until=" + to_moment(allowance.until);
  const auto number = [&](std::string_view name, std::uint64_t value) {
    if (value != 0) line += ' ' + std::string(name) + '=' + std::to_string(value);
  };
  number("sessions", allowance.sessions);
  number("waiting", allowance.waiting);
  number("workers", allowance.workers);
  number("connections", allowance.connections);
  number("rate", allowance.rate);
  if (allowance.burst != allowance.rate) number("burst", allowance.burst);
  if (allowance.standing == Standing::revoked) line += " revoked";
  return line;
}

std::string with_allowance(std::string_view text, const Allowance& allowance) {
  std::string out;
  bool placed = false;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const auto words = split(line, " \t\r");
    const bool same = !says_nothing(line) && words.size() > 1 && words[1] == to_z85(allowance.key);
    if (same && placed) continue;
    out += same ? to_line(allowance) : std::string(line);
    out += '\n';
    placed |= same;
  }
  if (!placed) out += to_line(allowance) + '\n';
  return out;
}

std::uint64_t moment_of(std::string_view text) {
  const bool day_only = text.size() == 10;
  if (!day_only &&
      (text.size() != 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z'))
    return 0;
  if (text[4] != '-' || text[7] != '-') return 0;
  const auto year = digits_of(text.substr(0, 4));
  const auto month = digits_of(text.substr(5, 2));
  const auto day = digits_of(text.substr(8, 2));
  if (!year || !month || !day || *year < 1971 || *month < 1 || *month > 12 || *day < 1) return 0;
  const std::int64_t days = days_of(*year, *month, *day);
  const Date back = date_of(days);
  if (back.month != *month || back.day != *day) return 0;
  if (day_only) return static_cast<std::uint64_t>((days + 1) * day_seconds);
  const auto hour = digits_of(text.substr(11, 2));
  const auto minute = digits_of(text.substr(14, 2));
  const auto second = digits_of(text.substr(17, 2));
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return 0;
  return static_cast<std::uint64_t>(days * day_seconds) + *hour * 3600ULL + *minute * 60ULL + *second;
}

std::string to_moment(std::uint64_t unix_seconds) {
  const auto seconds = static_cast<std::int64_t>(unix_seconds);
  const std::int64_t rest = seconds % day_seconds;
  const Date date = date_of(seconds / day_seconds - (rest == 0 ? 1 : 0));
  char text[64];
  if (rest == 0) {
    std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year), date.month, date.day);
  } else {
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year),
                  date.month, date.day, static_cast<int>(rest / 3600), static_cast<int>(rest / 60 % 60),
                  static_cast<int>(rest % 60));
  }
  return text;
}

}  // namespace pointsman
