// Fuzzes the configuration file, from memory. Conditions in it do not exist yet; when they do, they get a target.

#include "clients/program/config.hpp"

#include "protocol/must.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

void run_config(std::string_view input) {
  program::Settings settings;
  const auto problem = program::read_config_text("file.toml", std::string(input), settings);
  if (problem) {
    MUST(!problem->message.empty());
    return;
  }
  (void)program::contradiction(settings);
  // What was taken is within its bounds: it can be shown, and read again as the same.
  for (const auto& key : program::setting_keys()) {
    const std::string text = program::shown(key.slot(settings));
    program::Settings other;
    if (text == program::shown(key.slot(other))) continue;  // a default may say that there is none
    MUST(!program::assign(key.slot(other), text, key.min, key.max, key.endless));
    MUST(program::shown(key.slot(other)) == text);
  }
}

std::vector<std::string> config_seeds() {
  std::string all;
  std::string section;
  program::Settings settings;
  for (const auto& key : program::setting_keys()) {
    const auto dot = key.name.find('.');
    if (section != key.name.substr(0, dot)) all += "[" + (section = key.name.substr(0, dot)) + "]\n";
    const auto slot = key.slot(settings);
    const bool bare = std::holds_alternative<std::uint64_t*>(slot) || std::holds_alternative<double*>(slot) ||
                      std::holds_alternative<bool*>(slot);
    const std::string quote = bare ? "" : "\"";
    all += std::string(key.name.substr(dot + 1)) + " = " + quote + program::shown(slot) + quote + "\n";
  }
  return {all, "[[service]]\nname = \"zip\"\npolicy = \"least-busy\"\nqueue_max = 10\naging = \"5s\"\n\n[[service]]\nname = \"*\"\n",
          "[broker]\nlease = \"forever\"\nworkers_max = -1 # no\n", "[client]\ntimeout = \"1.5s\"\nbroker = 'tcp://h:1'\n",
          "broker = 3\n[[broker]]\n", "[broker.x]\n\"a\\u00e9\" = [1, 2.5e3, 1979-05-27T07:32:00Z, {a = true}]\n",
          "[worker]\nbroker = \"\"\"\nlong\n\"\"\"\n"};
}

}  // namespace pointsman::fuzz
