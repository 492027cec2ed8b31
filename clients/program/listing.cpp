// Listings: page by page, because no message may be larger than its bound.

#include "clients/program/listing.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "clients/program/duration.hpp"

namespace pointsman::program {
namespace {

constexpr std::uint64_t page_rows = 100;

// Appends rows and says how many. A session that `seen` has is left out: pages may overlap when the session that
// ended the last one is over. Numbers are no order: a broker lists adopted sessions where they arrived.
std::size_t append(Listing& all, Listing& page, std::set<std::uint64_t>& seen) {
  const auto move = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    return from.size();
  };
  std::erase_if(page.sessions, [&](const SessionRow& row) { return !seen.insert(row.session).second; });
  return move(all.services, page.services) + move(all.workers, page.workers) + move(all.sessions, page.sessions) +
         move(all.waiting, page.waiting) + move(all.brokers, page.brokers);
}

std::string count(std::uint64_t number) { return std::to_string(number); }

std::string share(std::uint64_t used, std::uint64_t slots) { return count(used) + "/" + count(slots); }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

Cell state(State state) {
  switch (state) {
    case State::alive:
    case State::open:
      return {std::string(word(state)), Tint::good};
    case State::suspect:
      return {std::string(word(state)), Tint::bad};
    case State::draining:
    case State::reserved:
    case State::count_:
      return {std::string(word(state)), Tint::warn};
  }
  return {""};
}

Table services(const std::vector<ServiceRow>& rows) {
  Table table({{"SERVICE"},
               {"POLICY"},
               {"WORKERS", true},
               {"USED", true},
               {"WAITING", true},
               {"OLDEST", true},
               {"EXPECTED", true},
               {"GRANTED", true},
               {"REFUSED", true}});
  for (const auto& row : rows) {
    const Tint full = row.waiting > 0 ? Tint::warn : Tint::none;
    table.add({row.service, std::string(word(row.policy)), count(row.workers), share(row.used, row.slots),
               {count(row.waiting), full}, rough(row.oldest_ms), rough(row.expected_ms), count(row.granted),
               count(row.refused)});
  }
  return table;
}

Table workers(const std::vector<WorkerRow>& rows) {
  Table table({{"WORKER"},
               {"STATE"},
               {"SERVICES"},
               {"USED", true},
               {"WEIGHT", true},
               {"LEASE", true},
               {"AGE", true},
               {"GRANTED", true},
               {"DONE", true},
               {"ENDPOINT"},
               {"WHY"}});
  for (const auto& row : rows) {
    // The broker waits longer than the term that it told; nobody is to count on that.
    const auto left = std::min(row.left_ms, row.lease_ms);
    const std::string lease = row.lease_ms == forever ? "forever" : rough(left) + " of " + rough(row.lease_ms);
    table.add({row.worker, state(row.state), joined(row.services), share(row.used, row.slots), count(row.weight),
               lease, rough(row.age_ms), count(row.granted), count(row.completed), row.endpoint, row.why});
  }
  return table;
}

Table sessions(const std::vector<SessionRow>& rows) {
  Table table({{"SESSION"}, {"SERVICE"}, {"WORKER"}, {"STATE"}, {"AGE", true}, {"CLIENT"}, {"REQUEST"}});
  for (const auto& row : rows) {
    table.add({count(row.session), row.service, row.worker, state(row.state), rough(row.age_ms), row.client, row.id});
  }
  return table;
}

Table waiting(const std::vector<WaitingRow>& rows) {
  Table table({{"SERVICE"},
               {"POSITION", true},
               {"PRIORITY", true},
               {"WAITED", true},
               {"LEFT", true},
               {"CLIENT"},
               {"REQUEST"}});
  for (const auto& row : rows) {
    table.add({row.service, count(row.position), count(row.priority), rough(row.waited_ms), rough(row.left_ms),
               row.client, row.id});
  }
  return table;
}

Table brokers(const std::vector<BrokerRow>& rows) {
  Table table({{"BROKER"}, {"STATE"}, {"SERVICES"}, {"USED", true}, {"LEASE", true}, {"CLIENTS"}, {"WORKERS"}, {"KEY"}});
  for (const auto& row : rows) {
    table.add({row.broker, state(row.state), joined(row.services), share(row.used, row.slots),
               row.left_ms == forever ? "forever" : rough(row.left_ms), row.clients, row.workers, row.key});
  }
  return table;
}

}  // namespace

Or<Listing> gather(Client& client, const Context& context, List question, std::uint64_t limit) {
  constexpr int idle_max = 10;  // pages without a new row, before what is there has to do
  Listing all{.of = question.of};
  std::set<std::uint64_t> seen;
  std::uint64_t rows = 0;
  int idle = 0;
  for (;;) {
    question.limit = limit == 0 ? page_rows : std::min(page_rows, limit - rows);
    auto page = ask<Listing>(client, question);
    const std::size_t added = append(all, page, seen);
    rows += added;
    idle = added == 0 ? idle + 1 : 0;
    all.next = page.next;
    if (page.next.empty() || (limit != 0 && rows >= limit) || idle == idle_max) return all;
    if (context.elapsed()) return timeout_problem(context);
    question.after = page.next;
  }
}

Table table_of(const Listing& listing) {
  switch (listing.of) {
    case Subject::workers:
      return workers(listing.workers);
    case Subject::sessions:
      return sessions(listing.sessions);
    case Subject::waiting:
      return waiting(listing.waiting);
    case Subject::brokers:
      return brokers(listing.brokers);
    case Subject::services:
    case Subject::count_:
      break;
  }
  return services(listing.services);
}

}  // namespace pointsman::program
