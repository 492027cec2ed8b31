// pointsman ls: the rows of one kind, as a table or as the listing that came over the wire.

#include <algorithm>

#include "clients/program/commands.hpp"
#include "clients/program/listing.hpp"
#include "clients/program/nearest.hpp"

namespace pointsman::program {

int list_command(const ListCommand& command, const Context& context) {
  const auto& words = Words<Subject>::list;
  const auto found = std::find(words.begin(), words.end(), command.subject);
  if (found == words.end()) {
    return complain(usage("there are no \"" + command.subject + "\" to list" +
                              did_you_mean(command.subject, {words.begin(), words.end()}),
                          "list services, workers, sessions, waiting or brokers"),
                    context.json);
  }
  Client client(client_options(context));
  const auto gathered = gather(
      client, context, List{.of = static_cast<Subject>(found - words.begin()), .service = command.service},
      command.limit);
  if (const auto* problem = std::get_if<Problem>(&gathered)) return complain(*problem, context.json);
  const auto& listing = std::get<Listing>(gathered);
  if (context.json) {
    print_json(listing);
  } else {
    write_out(table_of(listing).text(screen()));
    if (!listing.next.empty()) write_err("there are more; see --limit\n");
  }
  return status(Exit::done);
}

}  // namespace pointsman::program
