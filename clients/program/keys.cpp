// pointsman keys: makes and shows key pairs, and edits the file of allowed keys, which a running broker reads
// anew.
//
// Needs no broker. Secrets are neither printed nor taken from the command line.

#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <fstream>
#include <sstream>

#include "clients/program/commands.hpp"
#include "clients/program/output.hpp"
#include "clients/program/table.hpp"
#include "protocol/allowed.hpp"
#include "protocol/folder_lock.hpp"
#include "protocol/json_text.hpp"
#include "protocol/keyfile.hpp"
#include "protocol/system.hpp"

namespace pointsman::program {
namespace {

std::uint64_t unix_now() { return unix_microseconds() / 1'000'000; }

Problem mistake_in(const std::string& path, const AllowedFault& fault) {
  return usage("file of allowed keys " + path + ", line " + std::to_string(fault.line) + ": " + fault.problem,
               fault.remedy);
}

// The text of the file; empty if there is none.
Or<std::string> text_of(const std::string& path, bool may_be_new) {
  if (path.empty()) {
    return usage("say which file of allowed keys",
                 "add --allowed FILE, or set `allowed` in [broker] of the configuration file");
  }
  if (::access(path.c_str(), F_OK) != 0) {
    if (may_be_new) return std::string();
    return usage("there is no file " + path,
                 "make it by allowing a key: pointsman keys allow --allowed " + path + " NAME KEY");
  }
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file.is_open()) return usage("the file " + path + " cannot be read");
  return std::move(text).str();
}

Or<AllowedKeys> keys_in(const std::string& path, const std::string& text) {
  auto read = parse_allowed(text);
  if (const auto* fault = std::get_if<AllowedFault>(&read)) return mistake_in(path, *fault);
  return std::get<AllowedKeys>(std::move(read)).at(unix_now());
}

std::string_view word_of(Standing standing) {
  return standing == Standing::good ? "good" : standing == Standing::revoked ? "revoked" : "expired";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

std::string list_json(const std::vector<std::string>& parts) {
  std::string text = "[";
  for (const std::string& part : parts) text += (text.size() > 1 ? "," : "") + json_quote(part);
  return text + "]";
}

std::string json_of(const Allowance& a) {
  std::vector<std::string> roles;
  for (std::size_t i = 0; i < Words<Role>::list.size(); ++i) {
    if (a.roles.has(static_cast<Role>(i))) roles.emplace_back(Words<Role>::list[i]);
  }
  std::string text = R"({"name":)" + json_quote(a.name) + R"(,"key":)" + json_quote(to_z85(a.key)) +
                     R"(,"standing":")" + std::string(word_of(a.standing)) + R"(","roles":)" +
                     list_json(roles) + R"(,"asks":)" + list_json(a.asks) + R"(,"offers":)" +
                     list_json(a.offers);
  if (a.until != 0) text += R"(,"until":")" + to_moment(a.until) + '"';
  const std::pair<const char*, std::uint64_t> numbers[] = {
      {"sessions", a.sessions},       {"waiting", a.waiting}, {"workers", a.workers},
      {"connections", a.connections}, {"rate", a.rate},       {"burst", a.burst}};
  for (const auto& [name, value] : numbers) {
    if (value != 0) text += ",\"" + std::string(name) + "\":" + std::to_string(value);
  }
  return text + "}";
}

void tell(const Allowance& allowance, const Context& context) {
  write_out((context.json ? json_of(allowance) : to_line(allowance)) + "\n");
}

// Puts the line into the file, unless that makes it one that cannot be read.
int edit(const std::string& path, const std::string& text, const Allowance& allowance,
         const Context& context) {
  const std::string edited = with_allowance(text, allowance);
  const auto keys = keys_in(path, edited);
  if (const auto* problem = std::get_if<Problem>(&keys)) return complain(*problem, context.json);
  replace_file(path, edited, 0640);
  tell(*std::get<AllowedKeys>(keys).find(allowance.key), context);
  return status(Exit::done);
}

// A line of the file as its words on the command line say, so that both have the same rules and complaints.
std::string line_of(const KeysCommand& command, const PublicKey& key) {
  std::string line =
      command.name + ' ' + to_z85(key) + ' ' + (command.roles.empty() ? "client" : joined(command.roles));
  const auto field = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) line += ' ' + name + '=' + value;
  };
  field("asks", joined(command.asks));
  field("offers", joined(command.offers));
  field("until", command.until);
  for (const auto& [name, value] : command.quotas) field(name, std::to_string(value));
  return line;
}

Problem busy(const std::string& path) {
  return wrapper("the folder of " + path + " is locked by another editor, for longer than " +
                     std::to_string(FolderLock::wait.count()) + " s; nothing was changed",
                 "see who holds the folder: fuser -v on it; and try again");
}

}  // namespace

int keys_make_command(const KeysCommand& command, const Context& context) {
  const auto realm = context.settings.origin.find("client.realm");
  const bool of_realm = realm != context.settings.origin.end() && realm->second == "--realm";
  if (of_realm == !command.file.empty()) {
    return complain(usage("say what to make",
                          "a key pair: pointsman keys make FILE; the key of a realm: pointsman keys "
                          "make --realm FILE"),
                    context.json);
  }
  if (of_realm) {
    const std::string& file = context.settings.client_realm;
    write_realm_key(file);
    if (context.json) write_out(R"({"file":)" + json_quote(file) + "}\n");
    write_err("pointsman keys: " + file +
              " is for all brokers, clients and workers of the realm, and for nobody else\n");
    return status(Exit::done);
  }
  // A key that begins with a sign would look like an option, or like something else, where it is typed.
  SharedKeyPair pair = make_key_pair();
  while (std::isalnum(static_cast<unsigned char>(to_z85(pair->key).front())) == 0) pair = make_key_pair();
  write_key_pair(*pair, command.file);
  const std::string key = to_z85(pair->key);
  if (context.json) {
    write_out(R"({"key":)" + json_quote(key) + R"(,"file":)" + json_quote(command.file) +
              R"(,"public_file":)" + json_quote(command.file + ".pub") + "}\n");
  } else {
    write_out(key + "\n");
    write_err("pointsman keys: " + command.file + " is the key pair, for its owner alone; " + command.file +
              ".pub is for everybody\n");
  }
  return status(Exit::done);
}

int keys_show_command(const KeysCommand& command, const Context& context) {
  const std::string key = to_z85(read_public_key(command.file));
  write_out(context.json ? R"({"key":)" + json_quote(key) + R"(,"file":)" + json_quote(command.file) + "}\n"
                         : key + "\n");
  return status(Exit::done);
}

int keys_allow_command(const KeysCommand& command, const Context& context) {
  const std::string& path = context.settings.broker.allowed;
  const PublicKey key = public_key_of(command.key);
  const FolderLock lock(path);
  if (!lock.held()) return complain(busy(path), context.json);
  const auto text = text_of(path, true);
  if (const auto* problem = std::get_if<Problem>(&text)) return complain(*problem, context.json);
  auto read = parse_allowed(line_of(command, key));
  if (const auto* fault = std::get_if<AllowedFault>(&read)) {
    return complain(usage(fault->problem, fault->remedy), context.json);
  }
  return edit(path, std::get<std::string>(text), std::get<AllowedKeys>(read).list().at(0), context);
}

int keys_revoke_command(const KeysCommand& command, const Context& context) {
  const std::string& path = context.settings.broker.allowed;
  const FolderLock lock(path);
  if (!lock.held()) return complain(busy(path), context.json);
  const auto text = text_of(path, false);
  if (const auto* problem = std::get_if<Problem>(&text)) return complain(*problem, context.json);
  const auto keys = keys_in(path, std::get<std::string>(text));
  if (const auto* problem = std::get_if<Problem>(&keys)) return complain(*problem, context.json);
  const auto key = key_from_z85(command.name);
  const auto& all = std::get<AllowedKeys>(keys);
  const Allowance* known = key ? all.find(*key) : all.find(command.name);
  if (known == nullptr) {
    Problem problem = usage("\"" + command.name + "\" is neither a name nor a key in " + path,
                            "see: pointsman keys list --allowed " + path);
    problem.exit = Exit::not_found;
    return complain(problem, context.json);
  }
  Allowance revoked = *known;
  revoked.standing = Standing::revoked;
  return edit(path, std::get<std::string>(text), revoked, context);
}

int keys_list_command(const KeysCommand&, const Context& context) {
  const std::string& path = context.settings.broker.allowed;
  const auto text = text_of(path, false);
  if (const auto* problem = std::get_if<Problem>(&text)) return complain(*problem, context.json);
  const auto keys = keys_in(path, std::get<std::string>(text));
  if (const auto* problem = std::get_if<Problem>(&keys)) return complain(*problem, context.json);
  const auto& list = std::get<AllowedKeys>(keys).list();
  if (context.json) {
    std::string out = R"({"file":)" + json_quote(path) + R"(,"keys":[)";
    for (const Allowance& allowance : list)
      out += (&allowance == list.data() ? "" : ",") + json_of(allowance);
    write_out(out + "]}\n");
    return status(Exit::done);
  }
  Table table({{"NAME"}, {"KEY"}, {"ROLES"}, {"STANDING"}, {"ASKS"}, {"OFFERS"}, {"UNTIL"}});
  for (const Allowance& a : list) {
    table.add({a.name,
               to_z85(a.key),
               to_text(a.roles),
               {std::string(word_of(a.standing)), a.standing == Standing::good ? Tint::good : Tint::bad},
               joined(a.asks),
               joined(a.offers),
               a.until == 0 ? std::string("-") : to_moment(a.until)});
  }
  write_out(table.text(screen()));
  return status(Exit::done);
}

}  // namespace pointsman::program
