// pointsman explain: why a request waits, where a session is, what keeps a worker or service from being used; and, of a request
// that was sent to a broker below, what that one says of it.

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "clients/program/commands.hpp"
#include "clients/program/listing.hpp"
#include "clients/program/output.hpp"
#include "protocol/codec.hpp"
#include "protocol/finding.hpp"
#include "protocol/json_text.hpp"

namespace pointsman::program {
namespace {

constexpr std::uint64_t looked_at = 10'000;  // rows, in search of a request
constexpr std::size_t step_in = 4;           // columns, for what a broker below says

// What one broker says.
struct Part {
  std::string broker;   // of one below: its registration above
  std::string clients;  // where it is; empty: at one of several places
  std::optional<Explained> explained;
  Problem problem;  // why there is nothing
};

// The session with this number or of this request, unless it is over.
std::optional<SessionRow> session_of(Client& client, const Context& context, const Explain& question) {
  auto gathered = gather(client, context, List{.of = Subject::sessions}, looked_at);
  auto* listing = std::get_if<Listing>(&gathered);
  if (listing == nullptr) return std::nullopt;
  for (SessionRow& row : listing->sessions) {
    const bool of_client = question.client.empty() || row.client == question.client;
    const bool meant =
        question.session != 0 ? row.session == question.session : row.id == question.id && of_client;
    if (meant) return std::move(row);
  }
  if (!listing->next.empty()) {
    write_err("only the first " + std::to_string(looked_at) + " sessions were looked at\n");
  }
  return std::nullopt;
}

// The client of a request that is only known by its id. Empty: not found.
std::string client_of(Client& client, const Context& context, const std::string& id) {
  const auto gathered = gather(client, context, List{.of = Subject::waiting}, looked_at);
  const auto* listing = std::get_if<Listing>(&gathered);
  if (listing == nullptr) return {};
  for (const auto& row : listing->waiting) {
    if (row.id == id) return row.client;
  }
  const auto session = session_of(client, context, {.id = id});
  return session ? session->client : std::string();
}

// Where a request was sent, and what to ask there.
struct Pass {
  BrokerRow to;
  Explain question;
};

std::optional<Pass> pass_of(Client& client, const Context& context, const Explain& question) {
  if (question.id.empty() && question.session == 0) return std::nullopt;
  try {
    const auto gathered = gather(client, context, List{.of = Subject::brokers}, looked_at);
    const auto* listing = std::get_if<Listing>(&gathered);
    if (listing == nullptr || listing->brokers.empty()) return std::nullopt;
    const auto session = session_of(client, context, question);
    if (!session || session->id.empty()) return std::nullopt;
    for (const BrokerRow& row : listing->brokers) {
      if (row.broker == session->worker) return Pass{row, {.id = session->id, .client = session->client}};
    }
  } catch (const Error&) {  // it does not tell
  }
  return std::nullopt;
}

Error astray(const std::string& reason) {
  Error error(Code::loop, reason);
  error.remedy = "see with `pointsman ls workers` at each who is registered above whom";
  return error;
}

// From the broker that is asked downwards, as the request went. Throws Error if that one does not answer.
std::vector<Part> ask_down(Explain question, const Context& context) {
  ClientOptions options = client_options(context);
  auto client = std::make_unique<Client>(options);
  if (!question.id.empty() && question.client.empty())
    question.client = client_of(*client, context, question.id);
  std::vector<Part> parts(1);
  if (names_one_broker(options.broker)) parts.front().clients = options.broker;
  parts.front().explained = ask<Explained>(*client, question);
  while (auto pass = pass_of(*client, context, question)) {
    const std::string at = pass->to.clients;
    const bool circle =
        std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.clients == at; });
    const bool deep = parts.size() == limits::tiers;
    Part& part = parts.emplace_back(Part{.broker = pass->to.broker, .clients = at});
    try {
      if (circle) throw astray("brokers lead in a circle");
      if (deep) throw astray("brokers lead through more than " + std::to_string(limits::tiers) + " tiers");
      options.broker = at;
      if (!pass->to.key.empty()) options.broker_key = pass->to.key;
      client = std::make_unique<Client>(options);
      question = std::move(pass->question);
      part.explained = ask<Explained>(*client, question);
    } catch (const Error& error) {
      part.problem = problem_of(error);
      break;
    }
  }
  return parts;
}

std::string text_of(const Explained& explained, const Screen& screen) {
  std::string text = explained.subject + ": " + explained.verdict + "\n";
  for (const auto& because : explained.because) text += "  " + because + "\n";
  if (!explained.remedy.empty()) text += "  try: " + explained.remedy + "\n";
  text = printable_lines(text);
  if (explained.candidates.empty()) return text;
  Table table({{"WORKER"}, {"FREE"}, {"WHY"}, {"TRY"}});
  for (const auto& row : explained.candidates) {
    table.add({row.worker, row.free ? Cell("yes", Tint::good) : Cell("no", Tint::warn), row.why, row.remedy});
  }
  text += "\n" + table.text(screen);
  if (explained.more > 0) text += "and " + std::to_string(explained.more) + " more\n";
  return text;
}

std::string text_of(const Problem& problem) {
  const std::string remedy = problem.remedy.empty() ? "" : "  try: " + problem.remedy + "\n";
  return printable_lines("it cannot be asked: " + problem.message + "\n" + remedy);
}

std::string indented(std::string_view text, std::size_t columns) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n') + 1);
    if (line.size() > 1) out.append(columns, ' ');
    out += line;
    text.remove_prefix(line.size());
  }
  return out;
}

void print(const std::vector<Part>& parts) {
  Screen paper = screen();
  std::size_t in = 0;
  for (const Part& part : parts) {
    if (!part.broker.empty()) {
      write_out(indented(
          printable_lines("  " + part.broker + " is a broker below, at " + part.clients + ":\n"), in));
      in += step_in;
      if (paper.columns > 2 * step_in) paper.columns -= step_in;
    }
    write_out(indented(part.explained ? text_of(*part.explained, paper) : text_of(part.problem), in));
  }
}

// As it came over the wire; what a broker below says is in `below`.
std::string json_of(const std::vector<Part>& parts) {
  std::string text;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    std::string own = part->explained ? encode(*part->explained, Codec::json) : json_of(part->problem);
    if (!text.empty()) own.replace(own.size() - 1, 1, R"(,"below":)" + text + "}");
    text = std::move(own);
    if (part->broker.empty()) continue;
    text = R"({"broker":)" + json_quote(part->broker) + R"(,"clients":)" + json_quote(part->clients) +
           (part->explained ? R"(,"explained":)" : R"(,"error":)") + text + "}";
  }
  return text;
}

}  // namespace

int explain_command(const ExplainCommand& command, const Context& context) {
  const int asked = (command.id.empty() ? 0 : 1) + (command.session == 0 ? 0 : 1) + (command.worker.empty() ? 0 : 1) +
                    (command.service.empty() ? 0 : 1);
  if (asked != 1) {
    return complain(usage("explain one thing at a time", "give a request's ID, --session, --worker or --service"),
                    context.json);
  }
  const auto parts = ask_down({.id = command.id,
                               .client = command.client,
                               .session = command.session,
                               .worker = command.worker,
                               .service = command.service},
                              context);
  if (context.json) {
    write_out(json_of(parts) + "\n");
  } else {
    print(parts);
  }
  return status(Exit::done);
}

}  // namespace pointsman::program
