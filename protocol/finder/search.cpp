// Looks where the finder says, and tells it what is there.
#include "protocol/finder/search.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>
#include <variant>

#include "protocol/etcd.hpp"

namespace pointsman::finder {

namespace {

// Of names without a port.
constexpr std::uint16_t clients_port = 5570;
constexpr std::uint16_t workers_port = 5571;

constexpr Duration etcd_patience = std::chrono::seconds(2);  // with all members of a cluster together

// What one of the members of a cluster says, or the trouble with the last one that was asked.
etcd::Or<std::vector<etcd::Member>> list_of(const EtcdList& list) {
  etcd::Or<std::vector<etcd::Member>> said = etcd::Trouble{};
  for (const std::string& url : list.urls) {
    const auto answer =
        etcd::ask(url, etcd::list(list.prefix), etcd_patience / static_cast<int>(list.urls.size()));
    const auto* text = std::get_if<std::string>(&answer);
    said = text != nullptr ? etcd::read_list(*text) : std::get<etcd::Trouble>(answer);
    auto* trouble = std::get_if<etcd::Trouble>(&said);
    if (trouble == nullptr) break;
    trouble->text = url + ": " + trouble->text;
  }
  return said;
}

Sources sources_of(const std::string& text, std::uint16_t port) {
  auto parsed = parse_sources(text, port, [](const char* name) { return std::getenv(name); });
  if (const auto* fault = std::get_if<SourceFault>(&parsed)) {
    throw TransportError(fault->problem + (fault->remedy.empty() ? "" : "; " + fault->remedy));
  }
  return std::get<Sources>(std::move(parsed));
}

}  // namespace

std::function<void(const std::string&)> tracer(bool wanted) {
  if (!wanted) return {};
  return [](const std::string& text) { std::fprintf(stderr, "# %s\n", text.c_str()); };
}

Search::Search(Transport& transport, const std::string& sources, Seeker seeker,
               const Credentials& credentials, std::function<void()> changed,
               std::function<void(const std::string&)> trace)
    : transport_(transport),
      seeker_(seeker),
      credentials_(credentials),
      finder_(sources_of(sources, seeker == Seeker::client ? clients_port : workers_port)),
      resolver_(transport),
      errands_(transport),
      changed_(std::move(changed)),
      trace_(std::move(trace)) {
  tell(Elapsed{});
  begun_ = true;
}

void Search::trace(std::size_t source, const std::string& text) const {
  if (trace_) trace_(to_text(finder_.sources()[source]) + ": " + text);
}

void Search::tell(const Event& event) {
  if (const auto* said = std::get_if<Said>(&event); said != nullptr && trace_) {
    std::string text = said->problem.empty() ? "says" : said->problem;
    for (const Place& place : said->places) text += " " + place.endpoint;
    trace(said->source, said->problem.empty() && said->places.empty() ? "says nothing" : text);
  }
  Actions actions;
  finder_.step(now(), event, actions);
  for (const Action& action : actions) {
    if (const auto* look_at = std::get_if<Look>(&action))
      look(look_at->source);
    else if (begun_)
      changed_();
  }
}

void Search::look(std::size_t source) {
  const Source& where = finder_.sources()[source];
  if (where.kind == Source::Kind::file) return read(source);
  if (where.kind == Source::Kind::lookup) return look_up(source);
  if (where.kind == Source::Kind::etcd) return ask_etcd(source);
  if (where.kind == Source::Kind::network) {
    const auto told = [this, source](const Answered& answered) { heard(source, answered); };
    Inquiry& inquiry =
        inquiries_.try_emplace(source, transport_, Question{.group = where.what}, credentials_.realm, told)
            .first->second;
    for (const auto& sent : inquiry.ask()) {
      if (trace_) trace(source, asked_at(sent));
    }
    return;
  }
  resolver_.resolve(where.what, where.port,
                    [this, source](std::vector<std::string> endpoints, std::string problem) {
                      Said said{.source = source, .problem = std::move(problem)};
                      for (std::string& endpoint : endpoints)
                        said.places.push_back({std::move(endpoint), {}});
                      tell(said);
                    });
}

void Search::read(std::size_t source) {
  const std::string& path = finder_.sources()[source].what;
  struct stat what {};
  if (::stat(path.c_str(), &what) != 0) {
    marks_.erase(source);
    return tell(Said{.source = source, .problem = std::string("cannot be read: ") + std::strerror(errno)});
  }
  const Mark mark{what.st_ino, what.st_size, what.st_mtim.tv_sec, what.st_mtim.tv_nsec};
  if (const auto known = marks_.find(source); known != marks_.end() && known->second == mark) return;
  marks_[source] = mark;
  if (!S_ISREG(what.st_mode) || what.st_size > static_cast<std::int64_t>(limits::broker_file)) {
    return tell(Said{.source = source, .problem = "it is no file of at most 64 KiB"});
  }
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (what.st_size > 0 && !file) {
    return tell(Said{.source = source, .problem = std::string("cannot be read: ") + std::strerror(errno)});
  }
  auto parsed = parse_source_file(text.str());
  if (const auto* fault = std::get_if<SourceFault>(&parsed)) {
    return tell(Said{.source = source,
                     .problem = fault->problem + (fault->remedy.empty() ? "" : "; " + fault->remedy)});
  }
  Said said{.source = source};
  for (const Source& line : std::get<Sources>(parsed)) said.places.push_back({line.what, line.key, {}, line.name});
  tell(said);
}

void Search::look_up(std::size_t source) {
  auto lookup = lookups_.find(source);
  if (lookup == lookups_.end()) {
    const Source& where = finder_.sources()[source];
    try {
      lookup = lookups_
                   .try_emplace(source, transport_, where.what, credentials_at(credentials_, where.key),
                                [this, source](const std::vector<BrokerRow>& rows, const std::string& problem) {
                                  told_rows(source, rows, problem);
                                })
                   .first;
    } catch (const KeyError& error) {
      return tell(Said{.source = source, .places = {}, .problem = error.what()});
    }
  }
  lookup->second.ask();
}

void Search::ask_etcd(std::size_t source) {
  using List = etcd::Or<std::vector<etcd::Member>>;
  const auto said = std::make_shared<List>();
  auto parsed = parse_etcd(finder_.sources()[source].what);
  const auto work = [said, list = std::get<EtcdList>(std::move(parsed))] { *said = list_of(list); };
  const auto told = [this, said, source] {
    if (const auto* trouble = std::get_if<etcd::Trouble>(said.get()))
      return told_rows(source, {}, trouble->text);
    std::vector<BrokerRow> rows;
    for (etcd::Member& member : std::get<std::vector<etcd::Member>>(*said))
      rows.push_back(std::move(member.row));
    told_rows(source, rows, {});
  };
  if (!errands_.run(work, told)) told_rows(source, {}, "no descriptor is left");
}

// Several registrations may be of one broker, and a broker that is about to go is none to come to.
void Search::told_rows(std::size_t source, const std::vector<BrokerRow>& rows, const std::string& problem) {
  Said said{.source = source, .places = {}, .problem = problem};
  std::size_t silent = 0;
  std::size_t unlike = 0;
  for (const BrokerRow& row : rows) {
    const std::string& endpoint = seeker_ == Seeker::client ? row.clients : row.workers;
    const bool encrypts = !row.key.empty();
    const bool known = std::any_of(said.places.begin(), said.places.end(),
                                   [&](const Place& place) { return place.endpoint == endpoint; });
    if (row.state != State::alive || known) continue;
    if (endpoint.empty())
      ++silent;
    else if (encrypts != (credentials_.own != nullptr))
      ++unlike;
    else if (said.places.size() < limits::brokers)
      said.places.push_back({endpoint, row.key});
  }
  if (problem.empty() && said.places.empty()) {
    const bool below = finder_.sources()[source].kind == Source::Kind::lookup;
    const std::string there = below ? "the brokers below" : "the brokers in it";
    said.problem = unlike > 0   ? there + " do not encrypt as is done here"
                   : silent > 0 ? there + " do not say where workers go; start " +
                                      (below ? "their uplinks" : "them") + " with --workers-endpoint"
                   : below ? "no broker is below"
                           : "no broker is in it";
  }
  tell(said);
}

Instant Search::deadline() const {
  Instant first = finder_.deadline();
  for (const auto& entry : lookups_) first = std::min(first, entry.second.deadline());
  return first;
}

void Search::tick() {
  for (auto& entry : lookups_) entry.second.tick();
  tell(Elapsed{});
}

bool Search::took(const Incoming& incoming) {
  if (lookups_.empty()) return false;
  const std::uint64_t peer = peer_of(incoming);
  const auto found = std::find_if(lookups_.begin(), lookups_.end(),
                                  [&](const auto& entry) { return entry.second.owns(peer); });
  if (found == lookups_.end()) return false;
  found->second.take(incoming);
  return true;
}

const std::string& Search::door_of(const Answer& answer) const {
  return seeker_ == Seeker::client ? answer.clients : answer.workers;
}

// Why an answer is of no use here; empty: it is. Whose key is not known beforehand is believed by the seal of the realm
// alone.
std::string Search::unusable(const Answered& answered) const {
  if (answered.problem) return *answered.problem;
  const Answer& answer = answered.answer;
  const std::string& endpoint = door_of(answer);
  if (endpoint.empty()) return "it has no listener that can be reached from here";
  if (!may_lead_to(endpoint, answered.at)) return "what it tells is no endpoint";
  const bool encrypts = credentials_.own != nullptr;
  if (!encrypts && !answer.key.none()) return "it encrypts, and there is no key here; name it with --key";
  if (!encrypts) return {};
  if (answer.key.none()) return "it does not encrypt, and there is a key here";
  if (credentials_.server.none() && credentials_.realm.data.empty())
    return "its key is not known; name it with --broker-key, or its realm's with --realm";
  if (!credentials_.server.none() && credentials_.server != answer.key)
    return "it has another key than --broker-key";
  return {};
}

// Besides what it tells of itself an answer shows where it came from, which is another way to the broker if what it tells is not
// true everywhere: behind a translation of addresses.
void Search::heard(std::size_t source, const Answered& answered) {
  const std::string why = unusable(answered);
  if (trace_) trace(source, heard_at(answered, why));
  if (!why.empty()) {
    ++unbelieved_;
    unbelieved_why_ = why;
    return;
  }
  const Answer& answer = answered.answer;
  Found found{.source = source, .place = {}, .lease = answer.lease_ms};
  found.place = {door_of(answer), credentials_.own ? to_z85(answer.key) : std::string(), identity(answer), answer.broker};
  tell(found);
  found.place.endpoint = as_seen(door_of(answer), answered);
  if (!found.place.endpoint.empty()) tell(found);
}

std::string Search::explain() const {
  std::string where;
  for (const Source& source : finder_.sources()) where += (where.empty() ? "" : ", ") + to_text(source);
  std::string problems = finder_.problems();
  if (unbelieved_ > 0) {
    problems += (problems.empty() ? "" : "; ") + std::to_string(unbelieved_) +
                " answers did not count, the last one since " + unbelieved_why_;
  }
  return "no broker was found at " + where + (problems.empty() ? "" : " (" + problems + ")");
}

}  // namespace pointsman::finder
