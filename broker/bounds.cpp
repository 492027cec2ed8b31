// The list, and the sum.
#include "broker/bounds.hpp"

#include <cstdio>
#include <iterator>

#include "broker/core/deeds.hpp"
#include "broker/core/principals.hpp"

namespace pointsman::broker {

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t node = 64;    // what a container keeps beside a record, about
constexpr std::uint64_t text = 32;    // what a text keeps beside its bytes

// The largest answer: a page of a listing ends with the row that passes page_bytes, and that has at most so much.
constexpr std::uint64_t row_bytes = 16 * kib;

constexpr std::uint64_t texts(std::uint64_t count) { return count * (limits::name + text); }

// What the rows of a line that is empty keep for the next requests, and their sums.
constexpr std::uint64_t line_bytes = (limits::priority + 1) * Row::places_kept * (sizeof(void*) + 1);

std::uint64_t attribute_bytes() {
  return 2 * limits::attributes_bytes + limits::attributes * (sizeof(Attribute) + text);
}

std::uint64_t condition_bytes() { return 3 * limits::condition + 2 * limits::condition_terms * 3 * node; }

// What a worker says of itself, and a class of its own in each of its services.
std::uint64_t profile_bytes() {
  return attribute_bytes() + limits::attributes_bytes + condition_bytes() + limits::services * (sizeof(Class) + 3 * node);
}

std::uint64_t worker_bytes() {
  const std::uint64_t seat = sizeof(Seat) + 2 * node;
  return sizeof(Worker) + 6 * node + texts(2) + limits::endpoint + limits::key + limits::key_bytes + limits::envelope_bytes +
         limits::services * seat + profile_bytes();
}

// A demand has its texts four times as they were written, once as they are read; and the classes that meet it.
std::uint64_t demand_bytes(const Options& core) {
  const std::uint64_t liked = sizeof(Demand::Liked) + limits::wishes * sizeof(double) + text;
  return sizeof(Demand) + line_bytes + 12 * node + 6 * (2 * limits::condition + limits::attributes_bytes) +
         2 * limits::wishes * condition_bytes() + attribute_bytes() + core.classes_max * (liked + 1);
}

std::uint64_t request_bytes() {
  return sizeof(Asked) + sizeof(Aside) + sizeof(Client) + 6 * node + texts(6 + limits::exclude) +
         limits::endpoint + limits::key + 4 * limits::name + limits::envelope_bytes;
}

std::uint64_t records_of(const ShellOptions& options) {
  const Options& core = options.core;
  const std::uint64_t session = sizeof(Session) + 4 * node + texts(2);
  const std::uint64_t service = sizeof(Service) + line_bytes + 6 * node + texts(2);
  const std::uint64_t watcher = 256 + limits::envelope_bytes + texts(1);
  // Of a record: with the broker, with the thread that reads it, and on the way between. And what workers say themselves.
  const std::uint64_t known = 3 * (sizeof(Known) + 2 * node + texts(2) + limits::attribute_text + attribute_bytes() +
                                   2 * limits::allowed_patterns * (limits::name + 2 * text));
  const std::uint64_t past = sizeof(Deeds) + 2 * node + texts(4);  // that could not be written yet
  const std::uint64_t database = options.database.empty() ? 0 : core.known_max * known + core.workers_max * attribute_bytes() +
                                                                  options.history_max * past;
  const std::uint64_t key = sizeof(Principal) + 2 * sizeof(Allowance) + 6 * node + texts(4);
  return core.workers_max * worker_bytes() + core.services_max * service + core.sessions_max * session + core.demands_max * demand_bytes(core) +
         (core.sessions_max + core.waiting_max + core.remembered_max) * request_bytes() + core.watchers_max * watcher +
         core.remembered_max * (4 * node + texts(1)) +
         (options.allowed.empty() ? 0 : limits::allowed_keys * key) + database;
}

}  // namespace

TransportLimits links_of(const ShellOptions& options) {
  TransportLimits link;
  link.message_bytes = options.message_bytes;
  link.receive_queue = static_cast<int>(options.receive_queue);
  link.send_queue = static_cast<int>(options.send_queue);
  link.outbox_bytes = options.outbox_bytes;
  return link;
}

std::vector<Bound> bounds_of(const ShellOptions& options) {
  const Options& core = options.core;
  const TransportLimits link = links_of(options);
  return {
      {"connections_max", false, options.connections_max, "connections",
       "to both listeners; and nine tenths of the descriptors that the process may open",
       "cannot connect until there are a tenth fewer; who is connected notices nothing"},
      {"handshake_ms", true, static_cast<std::uint64_t>(link.handshake_ms), "ms", "to say that one speaks ZMTP",
       "its connection is closed"},
      {"message_bytes", false, link.message_bytes, "bytes", "one frame", "its connection is closed"},
      {"body_bytes", true, link.body_bytes, "bytes", "one message's body", "`refused limit-reached`"},
      {"envelope_bytes", true, limits::envelope_bytes, "bytes", "a return envelope", "`refused limit-reached`"},
      {"receive_queue", false, static_cast<std::uint64_t>(link.receive_queue), "messages",
       "of one connection that libzmq keeps until the broker reads them", "its messages wait in its own socket"},
      {"send_queue", false, static_cast<std::uint64_t>(link.send_queue), "messages",
       "that libzmq keeps for one connection", "further ones wait in its outbox"},
      {"outbox", true, link.outbox, "messages", "that wait for one connection",
       "all that waits for it is dropped; `watch` and `updates` end"},
      {"outbox_bytes", false, link.outbox_bytes, "bytes", "that wait for one connection; one message may always wait",
       "all that waits for it is dropped; `watch` and `updates` end"},
      {"page_bytes", false, core.page_bytes, "bytes", "of rows in one `listing`, about", "`next` leads to the others"},
      {"rows", true, limits::rows, "rows", "in one `listing`", "`next` leads to the others"},
      {"workers_max", false, core.workers_max, "workers", "registered", "`refused limit-reached`"},
      {"services_max", false, core.services_max, "services", "known", "`refused limit-reached`"},
      {"offers_max", false, core.service.offers_max, "workers", "that offer one service (a setting of the service)",
       "`refused limit-reached`"},
      {"services", true, limits::services, "services", "of one worker", "`refused bad-message`"},
      {"slots", true, limits::slots, "sessions", "of one worker", "`refused bad-message`"},
      {"sessions_max", false, core.sessions_max, "sessions", "reserved and open", "`refused limit-reached`"},
      {"waiting_max", false, core.waiting_max, "requests", "that wait, over all services", "`refused queue-full`"},
      {"queue_max", false, core.service.queue_max, "requests", "that wait for one service (a setting of the service)",
       "`refused queue-full`"},
      {"remembered_max", false, core.remembered_max, "requests", "ended ones whose ids are known, and as many sessions released while no worker held them",
       "the oldest are forgotten; repeating one asks anew"},
      {"classes_max", false, core.classes_max, "classes", "of workers of one service that differ in attributes or `accepts`",
       "`refused limit-reached`"},
      {"demands_max", false, core.demands_max, "demands",
       "of requests that differ in condition, preference or attributes, over all services",
       "the one used longest ago is forgotten; `refused limit-reached` if requests wait by all"},
      {"known_max", false, core.known_max, "records", "of the database, which count", "further ones do not count; `status` has how many"},
      {"history_max", false, options.history_max, "rows", "of the history of workers in the database, one an instance of a worker",
       "those noted last longest ago leave"},
      {"watchers_max", false, core.watchers_max, "connections", "that watch", "`refused limit-reached`"},
      {"watchers_per_key", false, core.watchers_per_key, "connections", "that watch, of a key that is no admin's",
       "`refused over-quota`"},
      {"allowed_keys", true, limits::allowed_keys, "keys", "in the file of allowed keys", "the file is not taken"},
      {"audit_bytes", false, options.audit_bytes, "bytes", "in the audit file, and as many in the one before it", "-"},
      {"memory_max", false, options.memory_max, "bytes", "of memory of the process; 0: no limit",
       "newcomers are `refused overloaded`; at twice as much the broker stops"},
  };
}

MemoryBound memory_bound(const ShellOptions& options) {
  const TransportLimits link = links_of(options);
  const std::uint64_t in = static_cast<std::uint64_t>(link.receive_queue) * link.message_bytes;
  const std::uint64_t out = static_cast<std::uint64_t>(link.send_queue) * (options.core.page_bytes + row_bytes);
  return {.program = 64 * kib * kib,
          .records = records_of(options),
          .links = options.connections_max * (in + out + link.outbox_bytes + 32 * kib),
          .stop = 2 * options.memory_max};
}

std::string in_bytes(std::uint64_t bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  char shown[32];
  std::snprintf(shown, sizeof shown, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return shown;
}

}  // namespace pointsman::broker
