// pointsman config: what is set, and where each value comes from.

#include "broker/database/store.hpp"
#include "clients/program/commands.hpp"
#include "clients/program/output.hpp"
#include "clients/program/table.hpp"
#include "protocol/json_text.hpp"

namespace pointsman::program {
namespace {

struct Row {
  std::string name;
  std::string value;
  std::string origin;
};

std::vector<Row> rows_of(Settings settings) {
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const Slot& slot, std::string_view otherwise) {
    const auto origin = settings.origin.find(name);
    const bool place = name == "broker.database";  // may have a password in it
    rows.push_back({name, place ? broker::place_without_secrets(shown(slot)) : shown(slot),
                    std::string(origin == settings.origin.end() ? otherwise : origin->second)});
  };
  for (const auto& key : setting_keys()) add(std::string(key.name), key.slot(settings), "default");
  auto& core = settings.broker.core;
  for (const auto& key : service_keys()) add("service.*." + std::string(key.name), key.slot(core.service), "default");
  for (auto& [name, service] : core.services) {
    for (const auto& key : service_keys()) add("service." + name + "." + std::string(key.name), key.slot(service), "as *");
  }
  return rows;
}

}  // namespace

int config_check_command(const Context& context) {
  const std::string& file = context.settings.file;
  if (context.json) {
    write_out(R"({"file":)" + json_quote(file) + R"(,"good":true})" + "\n");
  } else {
    write_out(printable(file) + ": good\n");
  }
  return status(Exit::done);
}

int config_show_command(const Context& context) {
  const auto rows = rows_of(context.settings);
  if (context.json) {
    std::string text = R"({"file":)" + json_quote(context.settings.file) + R"(,"settings":[)";
    for (const auto& row : rows) {
      text += (&row == rows.data() ? "" : ",");
      text += R"({"name":)" + json_quote(row.name) + R"(,"value":)" + json_quote(row.value) + R"(,"origin":)" +
              json_quote(row.origin) + "}";
    }
    write_out(text + "]}\n");
    return status(Exit::done);
  }
  Table table({{"SETTING"}, {"VALUE"}, {"ORIGIN"}});
  for (const auto& row : rows) table.add({row.name, row.value, row.origin});
  write_out(table.text(screen()));
  return status(Exit::done);
}

}  // namespace pointsman::program
