// pointsman explain: why a request waits, where a session is, what keeps a worker or service from being used.

#include "clients/program/commands.hpp"
#include "clients/program/listing.hpp"
#include "clients/program/output.hpp"

namespace pointsman::program {
namespace {

constexpr std::uint64_t looked_at = 10'000;  // rows, in search of a request's client

// The client of a request that is only known by its id. Empty: not found.
std::string client_of(Client& client, const Context& context, const std::string& id) {
  for (const Subject subject : {Subject::waiting, Subject::sessions}) {
    const auto gathered = gather(client, context, List{.of = subject}, looked_at);
    const auto* listing = std::get_if<Listing>(&gathered);
    if (listing == nullptr) return {};
    for (const auto& row : listing->waiting) {
      if (row.id == id) return row.client;
    }
    for (const auto& row : listing->sessions) {
      if (row.id == id) return row.client;
    }
  }
  return {};
}

void print(const Explained& explained) {
  std::string text = explained.subject + ": " + explained.verdict + "\n";
  for (const auto& because : explained.because) text += "  " + because + "\n";
  if (!explained.remedy.empty()) text += "  try: " + explained.remedy + "\n";
  write_out(printable_lines(text));
  if (explained.candidates.empty()) return;
  Table table({{"WORKER"}, {"FREE"}, {"WHY"}, {"TRY"}});
  for (const auto& row : explained.candidates) {
    table.add({row.worker, row.free ? Cell("yes", Tint::good) : Cell("no", Tint::warn), row.why, row.remedy});
  }
  write_out("\n" + table.text(screen()));
  if (explained.more > 0) write_out("and " + std::to_string(explained.more) + " more\n");
}

}  // namespace

int explain_command(const ExplainCommand& command, const Context& context) {
  const int asked = (command.id.empty() ? 0 : 1) + (command.session == 0 ? 0 : 1) + (command.worker.empty() ? 0 : 1) +
                    (command.service.empty() ? 0 : 1);
  if (asked != 1) {
    return complain(usage("explain one thing at a time", "give a request's ID, --session, --worker or --service"),
                    context.json);
  }
  Client client(client_options(context));
  Explain question{.id = command.id,
                   .client = command.client,
                   .session = command.session,
                   .worker = command.worker,
                   .service = command.service};
  if (!command.id.empty() && command.client.empty()) question.client = client_of(client, context, command.id);
  const auto explained = ask<Explained>(client, question);
  if (context.json) {
    print_json(explained);
  } else {
    print(explained);
  }
  return status(Exit::done);
}

}  // namespace pointsman::program
