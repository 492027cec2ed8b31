// pointsman top: the services and workers, over and over on a terminal, once elsewhere.

#include <poll.h>

#include <algorithm>
#include <numeric>

#include "clients/program/commands.hpp"
#include "clients/program/duration.hpp"
#include "clients/program/listing.hpp"
#include "clients/program/output.hpp"
#include "protocol/codec.hpp"

namespace pointsman::program {
namespace {

constexpr std::chrono::milliseconds pause{1000};

// What was there at one moment.
struct Picture {
  Clock::time_point at;
  Stats stats;
  Listing services;
  Listing workers;
};

Picture look(Client& client) {
  Picture picture;
  picture.stats = ask<Stats>(client, Status{});
  picture.services = ask<Listing>(client, List{.of = Subject::services});
  picture.workers = ask<Listing>(client, List{.of = Subject::workers});
  picture.at = Clock::now();
  return picture;
}

std::uint64_t total(const Picture& picture, std::uint64_t ServiceRow::*figure) {
  const auto& rows = picture.services.services;
  return std::accumulate(rows.begin(), rows.end(), std::uint64_t{0},
                         [&](std::uint64_t sum, const ServiceRow& row) { return sum + row.*figure; });
}

std::string headline(const Picture& now, const Picture* before, const Context& context) {
  std::string text = context.settings.client_broker + ", up " + rough(now.stats.up_ms) + ": ";
  text += std::to_string(total(now, &ServiceRow::used)) + " of " + std::to_string(total(now, &ServiceRow::slots)) +
          " slots used, " + std::to_string(total(now, &ServiceRow::waiting)) + " waiting";
  if (before != nullptr) {
    const double seconds = std::chrono::duration<double>(now.at - before->at).count();
    const auto granted = total(now, &ServiceRow::granted) - std::min(total(now, &ServiceRow::granted),
                                                                     total(*before, &ServiceRow::granted));
    text += ", " + std::to_string(static_cast<std::uint64_t>(static_cast<double>(granted) / seconds + 0.5)) +
            " granted a second";
  }
  return text;
}

// Two tables under a headline, no taller than the screen.
std::string drawn(const Picture& now, const Picture* before, const Context& context, const Screen& screen) {
  std::string text = headline(now, before, context) + "\n\n" + table_of(now.services).text(screen) + "\n" +
                     table_of(now.workers).text(screen);
  if (!now.services.next.empty() || !now.workers.next.empty()) {
    text += "(the first 100 of each; `pointsman ls` has all)\n";
  }
  if (screen.rows < 2) return text;
  std::size_t end = 0;
  for (std::size_t row = 0; row + 1 < screen.rows && end != std::string::npos; ++row) {
    end = text.find('\n', end == 0 ? 0 : end + 1);
  }
  return end == std::string::npos ? text : text.substr(0, end + 1);
}

std::string json(const Picture& picture) {
  const auto body = [](const Message& message) { return encode(message, Codec::json); };
  return R"({"status":)" + body(picture.stats) + R"(,"services":)" + body(picture.services) + R"(,"workers":)" +
         body(picture.workers) + "}\n";
}

}  // namespace

int top_command(const Context& context) {
  Client client(client_options(context));
  Picture now = look(client);
  if (context.json) {
    write_out(json(now));
    return status(Exit::done);
  }
  if (!screen().terminal) {
    write_out(drawn(now, nullptr, context, screen()));
    return status(Exit::done);
  }
  write_out("\033[H\033[2J" + drawn(now, nullptr, context, screen()));
  for (;;) {
    ::poll(nullptr, 0, static_cast<int>(within(context, Milliseconds(pause.count())).count()));
    if (context.elapsed()) return complain(timeout_problem(context), context.json);
    Picture next = look(client);
    write_out("\033[H\033[J" + drawn(next, &now, context, screen()));
    now = std::move(next);
  }
}

}  // namespace pointsman::program
