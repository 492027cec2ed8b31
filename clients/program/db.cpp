// pointsman db: shows and edits the database of what is known of workers, clients and keys, which a running broker
// follows.
//
// Needs no broker. Every edit is one transaction: all of it is done, or nothing.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "broker/database/store.hpp"
#include "clients/program/commands.hpp"
#include "clients/program/output.hpp"
#include "clients/program/table.hpp"
#include "protocol/allowed.hpp"
#include "protocol/json_text.hpp"
#include "protocol/keyfile.hpp"

namespace pointsman::program {
namespace {

using broker::About;
using broker::Columns;
using broker::DatabaseError;
using broker::Deeds;
using broker::Known;
using broker::KnownFault;
using broker::Past;
using broker::Purpose;
using broker::Store;

constexpr std::size_t import_bytes = 256 * 1024 * 1024;

// Does it, or tells why not.
template <class Work>
int with_database(const Context& context, Purpose purpose, const Work& work) {
  const std::string& place = context.settings.broker.database;
  if (place.empty()) {
    return complain(usage("say which database", "add --database PATH, or set `database` in [broker] of the configuration file"),
                    context.json);
  }
  try {
    return work(*broker::open_store(place, purpose));
  } catch (const DatabaseError& error) {
    const bool ours = error.kind() == DatabaseError::Kind::trouble;
    return complain(ours ? wrapper(error.what()) : usage(error.what()), context.json);
  }
}

Problem problem_of(const KnownFault& fault) { return usage(fault.problem, fault.remedy); }

Problem not_there(const std::string& about, const std::string& name) {
  Problem problem = usage("there is no record of " + about + " \"" + name + "\"", "see: pointsman db list");
  problem.exit = Exit::not_found;
  return problem;
}

// Whom a record is about, with a key in Z85 whichever way it was written.
Or<std::string> name_of(const DbCommand& command, const Context& context) {
  if (command.about != word(About::key)) return command.name;
  if (key_from_z85(command.name)) return command.name;
  const std::string& allowed = context.settings.broker.allowed;
  if (!allowed.empty() && ::access(command.name.c_str(), F_OK) != 0) {
    std::stringstream text;
    text << std::ifstream(allowed).rdbuf();
    const auto keys = parse_allowed(text.str());
    if (const auto* all = std::get_if<AllowedKeys>(&keys)) {
      if (const Allowance* one = all->find(command.name)) return to_z85(one->key);
    }
    return usage("\"" + command.name + "\" is no key, no file of one, and no name in " + allowed,
                 "see: pointsman keys list --allowed " + allowed);
  }
  return to_z85(public_key_of(command.name));
}

std::string json_of(const Attribute& value) {
  if (const auto* number = std::get_if<double>(&value)) return plain_number(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return json_quote(*text);
  std::string out = "[";
  for (const std::string& text : std::get<std::vector<std::string>>(value)) out += (out.size() > 1 ? "," : "") + json_quote(text);
  return out + "]";
}

std::string json_of(const std::vector<std::string>& texts) { return json_of(Attribute{texts}); }

std::string json_of(const Known& known) {
  std::string text = R"({"about":)" + json_quote(word(known.about)) + R"(,"name":)" + json_quote(known.name) +
                     R"(,"tenant":)" + json_quote(known.tenant);
  const std::pair<const char*, std::uint64_t> numbers[] = {{"priority", known.priority},
                                                           {"priority_max", known.priority_max},
                                                           {"sessions", known.sessions},
                                                           {"waiting", known.waiting}};
  for (const auto& [name, value] : numbers) text += ",\"" + std::string(name) + "\":" + std::to_string(value);
  text += R"(,"asks":)" + json_of(known.asks) + R"(,"offers":)" + json_of(known.offers) + R"(,"attributes":{)";
  bool first = true;
  for (const auto& [name, value] : known.attributes.list()) {
    text += (first ? "" : ",") + json_quote(name) + ":" + json_of(value);
    first = false;
  }
  return text + "}}";
}

void tell(const Known& known, const Context& context) {
  write_out((context.json ? json_of(known) : to_line(known)) + "\n");
}

// All that are records; what is not is told on stderr.
std::vector<Known> records_in(Store& store) {
  std::vector<Known> records;
  store.each([&](const Columns& row) {
    auto read = broker::known_of(row);
    if (const auto* fault = std::get_if<KnownFault>(&read)) {
      write_err("pointsman db: " + printable(row[0] + " " + row[1]) + " does not count: " + fault->problem + "\n");
    } else {
      records.push_back(std::get<Known>(std::move(read)));
    }
  });
  return records;
}

std::string json_of(const std::vector<Known>& records, const Context& context) {
  std::string out = R"({"database":)" +
                    json_quote(broker::place_without_secrets(context.settings.broker.database)) +
                    R"(,"records":[)";
  for (const Known& known : records) out += (&known == records.data() ? "" : ",") + json_of(known);
  return out + "]}\n";
}

std::string number_or_dash(std::uint64_t number) { return number == 0 ? "-" : std::to_string(number); }

// Writes a file that must not be there.
void write_new(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (file < 0) {
    throw DatabaseError(DatabaseError::Kind::foreign, path + " cannot be made", "name a file that is not there, in a folder that is");
  }
  ::close(file);
  replace_file(path, text, 0640);
}

// The record as it is, one that says nothing, or why it cannot be read.
Or<Known> record_of(Store& store, const std::string& about, const std::string& name) {
  Columns texts;
  texts[0] = about;
  texts[1] = name;
  auto read = broker::known_of(store.find(about, name).value_or(texts));
  if (const auto* fault = std::get_if<KnownFault>(&read)) return problem_of(*fault);
  return std::get<Known>(std::move(read));
}

// Puts it there, or takes it away if it says nothing any more.
int keep(Store& store, const Known& known, const Context& context) {
  if (known.says_nothing()) {
    store.remove(word(known.about), known.name);
  } else {
    store.put(columns_of(known));
  }
  store.commit();
  tell(known, context);
  return status(Exit::done);
}

// The attributes of `all` whose names are not in `names`.
Attributes without(const Attributes& all, const std::vector<std::string>& names) {
  Attributes left;
  for (const auto& [name, value] : all.list()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) static_cast<void>(left.add(name, value));
  }
  return left;
}

std::size_t place_of(std::string_view field) {
  return static_cast<std::size_t>(std::find(broker::known_columns.begin(), broker::known_columns.end(), field) -
                                  broker::known_columns.begin());
}

// What all instances of a worker did.
struct Total {
  std::string worker;
  std::uint64_t instances = 0, jobs = 0, busy_ms = 0, failures = 0, since = 0, seen = 0;
};

std::string seconds_text(std::uint64_t ms) {
  const std::string fraction = std::to_string(ms % 1000);
  return std::to_string(ms / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction + "s";
}

// In UTC.
std::string date_text(std::uint64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string json_of(const Past& past) {
  const Deeds& deeds = past.deeds;
  std::string text =
      R"({"worker":)" + json_quote(deeds.worker) + R"(,"instance":)" + json_quote(deeds.instance);
  const std::pair<const char*, std::uint64_t> numbers[] = {
      {"jobs", deeds.jobs},
      {"busy_ms", static_cast<std::uint64_t>(deeds.busy.count())},
      {"failures", deeds.failures}};
  for (const auto& [name, value] : numbers) text += ",\"" + std::string(name) + "\":" + std::to_string(value);
  return text + R"(,"since":)" + json_quote(date_text(past.since)) + R"(,"seen":)" +
         json_quote(date_text(past.seen)) + "}";
}

}  // namespace

int db_list_command(const DbCommand& command, const Context& context) {
  return with_database(context, Purpose::look, [&](Store& store) {
    std::vector<Known> records = records_in(store);
    std::erase_if(records, [&](const Known& known) { return !command.about.empty() && command.about != word(known.about); });
    if (context.json) {
      write_out(json_of(records, context));
      return status(Exit::done);
    }
    Table table({{"ABOUT"}, {"NAME"}, {"TENANT"}, {"PRIORITY"}, {"SESSIONS", true}, {"WAITING", true}, {"ASKS"}, {"OFFERS"}, {"ATTRIBUTES"}});
    for (const Known& known : records) {
      table.add({std::string(word(known.about)), known.name, known.tenant.empty() ? "-" : known.tenant,
                 std::to_string(known.priority) + ".." + std::to_string(known.priority_max), number_or_dash(known.sessions),
                 number_or_dash(known.waiting), broker::to_text(known.asks), broker::to_text(known.offers),
                 shown(known.attributes)});
    }
    write_out(table.text(screen()));
    return status(Exit::done);
  });
}

// The instances of a worker are one line; the JSON has them all.
int db_history_command(const DbCommand& command, const Context& context) {
  return with_database(context, Purpose::look, [&](Store& store) {
    std::string json;
    std::vector<Total> totals;
    store.each_past([&](const Past& past) {
      if (!command.name.empty() && command.name != past.deeds.worker) return;
      if (context.json) {
        json += (json.empty() ? "" : ",") + json_of(past);
        return;
      }
      if (totals.empty() || totals.back().worker != past.deeds.worker) {
        totals.push_back({.worker = past.deeds.worker, .since = past.since, .seen = past.seen});
      }
      Total& total = totals.back();
      ++total.instances;
      total.jobs += past.deeds.jobs;
      total.busy_ms += static_cast<std::uint64_t>(past.deeds.busy.count());
      total.failures += past.deeds.failures;
      total.seen = std::max(total.seen, past.seen);
    });
    if (context.json) {
      write_out(R"({"database":)" +
                json_quote(broker::place_without_secrets(context.settings.broker.database)) +
                R"(,"history":[)" + json + "]}\n");
      return status(Exit::done);
    }
    Table table({{"WORKER"},
                 {"STARTS", true},
                 {"JOBS", true},
                 {"BUSY", true},
                 {"PER JOB", true},
                 {"FAILURES", true},
                 {"SINCE"},
                 {"SEEN"}});
    for (const Total& total : totals) {
      table.add({printable(total.worker), std::to_string(total.instances), std::to_string(total.jobs),
                 seconds_text(total.busy_ms),
                 total.jobs == 0 ? "-" : seconds_text(total.busy_ms / total.jobs),
                 std::to_string(total.failures), date_text(total.since), date_text(total.seen)});
    }
    write_out(table.text(screen()));
    return status(Exit::done);
  });
}

int db_show_command(const DbCommand& command, const Context& context) {
  const auto name = name_of(command, context);
  if (const auto* problem = std::get_if<Problem>(&name)) return complain(*problem, context.json);
  return with_database(context, Purpose::look, [&](Store& store) {
    const auto known = record_of(store, command.about, std::get<std::string>(name));
    if (const auto* problem = std::get_if<Problem>(&known)) return complain(*problem, context.json);
    if (std::get<Known>(known).says_nothing()) return complain(not_there(command.about, command.name), context.json);
    tell(std::get<Known>(known), context);
    return status(Exit::done);
  });
}

int db_set_command(const DbCommand& command, const Context& context) {
  const auto name = name_of(command, context);
  if (const auto* problem = std::get_if<Problem>(&name)) return complain(*problem, context.json);
  Attributes added;
  std::vector<std::string> names;
  for (const std::string& text : command.attributes) {
    if (const std::string problem = add_attribute(text, added); !problem.empty()) {
      return complain(usage(problem, "an attribute is NAME=NUMBER, NAME=TEXT or NAME={TEXT, TEXT}"), context.json);
    }
  }
  if (added.empty() && command.fields.empty()) {
    return complain(usage("say what to put down", "see: pointsman db set --help"), context.json);
  }
  for (const auto& [attribute, value] : added.list()) names.push_back(attribute);
  return with_database(context, Purpose::edit, [&](Store& store) {
    store.begin();
    auto before = record_of(store, command.about, std::get<std::string>(name));
    if (const auto* problem = std::get_if<Problem>(&before)) return complain(*problem, context.json);
    Known& known = std::get<Known>(before);
    Attributes all = without(known.attributes, names);
    for (const auto& [attribute, value] : added.list()) {
      if (const std::string problem = all.add(attribute, value); !problem.empty())
        return complain(usage(problem), context.json);
    }
    known.attributes = std::move(all);
    Columns texts = columns_of(known);
    for (const auto& [field, value] : command.fields) texts[place_of(field)] = value;
    const auto read = broker::known_of(texts);
    if (const auto* fault = std::get_if<KnownFault>(&read)) return complain(problem_of(*fault), context.json);
    return keep(store, std::get<Known>(read), context);
  });
}

int db_unset_command(const DbCommand& command, const Context& context) {
  const auto name = name_of(command, context);
  if (const auto* problem = std::get_if<Problem>(&name)) return complain(*problem, context.json);
  if (command.attributes.empty() && command.fields.empty()) {
    return complain(usage("say what to forget", "see: pointsman db unset --help; all of it: pointsman db remove"), context.json);
  }
  return with_database(context, Purpose::edit, [&](Store& store) {
    store.begin();
    const std::string& who = std::get<std::string>(name);
    if (!store.find(command.about, who)) return complain(not_there(command.about, command.name), context.json);
    auto before = record_of(store, command.about, who);
    if (const auto* problem = std::get_if<Problem>(&before)) return complain(*problem, context.json);
    Known& known = std::get<Known>(before);
    for (const std::string& attribute : command.attributes) {
      if (known.attributes.find(attribute)) continue;
      Problem problem = usage("the record has no attribute \"" + attribute + "\"", "see: pointsman db show");
      problem.exit = Exit::not_found;
      return complain(problem, context.json);
    }
    known.attributes = without(known.attributes, command.attributes);
    Columns texts = columns_of(known);
    for (const auto& [field, value] : command.fields) texts[place_of(field)].clear();
    const auto read = broker::known_of(texts);
    if (const auto* fault = std::get_if<KnownFault>(&read)) return complain(problem_of(*fault), context.json);
    return keep(store, std::get<Known>(read), context);
  });
}

int db_remove_command(const DbCommand& command, const Context& context) {
  const auto name = name_of(command, context);
  if (const auto* problem = std::get_if<Problem>(&name)) return complain(*problem, context.json);
  return with_database(context, Purpose::edit, [&](Store& store) {
    store.begin();
    if (!store.remove(command.about, std::get<std::string>(name)))
      return complain(not_there(command.about, command.name), context.json);
    store.commit();
    return status(Exit::done);
  });
}

int db_export_command(const DbCommand& command, const Context& context) {
  return with_database(context, Purpose::look, [&](Store& store) {
    const std::vector<Known> records = records_in(store);
    std::string text = context.json ? json_of(records, context) : "# Records of pointsman db, a line each; read by pointsman db import.\n";
    if (!context.json) {
      for (const Known& known : records) text += to_line(known) + "\n";
    }
    if (command.file.empty()) {
      write_out(text);
    } else {
      write_new(command.file, text);
    }
    return status(Exit::done);
  });
}

int db_import_command(const DbCommand& command, const Context& context) {
  std::string text;
  if (command.file == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    std::ifstream file(command.file, std::ios::binary);
    if (!file) return complain(usage("the file " + command.file + " cannot be read"), context.json);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (text.size() > import_bytes) return complain(usage(command.file + " is larger than 256 MiB"), context.json);
  std::vector<Known> records;
  std::size_t number = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos || line.starts_with('#')) continue;
    auto read = broker::parse_known(line);
    if (const auto* fault = std::get_if<KnownFault>(&read)) {
      return complain(usage(command.file + ", line " + std::to_string(number) + ": " + fault->problem + "; nothing was changed",
                            fault->remedy),
                      context.json);
    }
    records.push_back(std::get<Known>(std::move(read)));
  }
  return with_database(context, Purpose::edit, [&](Store& store) {
    store.begin();
    if (command.replace) store.clear();
    for (const Known& known : records) store.put(columns_of(known));
    store.commit();
    write_out(context.json ? R"({"imported":)" + std::to_string(records.size()) + "}\n"
                           : std::to_string(records.size()) + " records are in the database now\n");
    return status(Exit::done);
  });
}

int db_backup_command(const DbCommand& command, const Context& context) {
  return with_database(context, Purpose::look, [&](Store& store) {
    store.back_up(command.file);
    if (context.json) write_out(R"({"file":)" + json_quote(command.file) + "}\n");
    return status(Exit::done);
  });
}

int db_check_command(const DbCommand&, const Context& context) {
  return with_database(context, Purpose::look, [&](Store& store) {
    std::vector<std::string> problems = store.check();
    std::size_t records = 0;
    store.each([&](const Columns& row) {
      const auto read = broker::known_of(row);
      ++records;
      if (const auto* fault = std::get_if<KnownFault>(&read)) problems.push_back(row[0] + " " + row[1] + ": " + fault->problem);
    });
    if (context.json) {
      write_out(R"({"database":)" +
                json_quote(broker::place_without_secrets(context.settings.broker.database)) +
                R"(,"version":)" + std::to_string(broker::database_version) + R"(,"records":)" +
                std::to_string(records) + R"(,"problems":)" + json_of(problems) + "}\n");
    } else {
      for (const std::string& problem : problems) write_out(printable(problem) + "\n");
      if (problems.empty()) write_out("sound: " + std::to_string(records) + " records\n");
    }
    return status(problems.empty() ? Exit::done : Exit::failed);
  });
}

}  // namespace pointsman::program
