// Looks where the finder says, and tells it what is there.
#include "protocol/finder/search.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>
#include <variant>

namespace pointsman::finder {

namespace {

constexpr std::int64_t file_max = 64 * 1024;

Sources sources_of(const std::string& text, std::uint16_t port) {
  auto parsed = parse_sources(text, port);
  if (const auto* fault = std::get_if<SourceFault>(&parsed)) {
    throw TransportError(fault->problem + (fault->remedy.empty() ? "" : "; " + fault->remedy));
  }
  return std::get<Sources>(std::move(parsed));
}

}  // namespace

Search::Search(Transport& transport, const std::string& sources, std::uint16_t port,
               std::function<void()> changed)
    : finder_(sources_of(sources, port)), resolver_(transport), changed_(std::move(changed)) {
  tell(Elapsed{});
  begun_ = true;
}

void Search::tell(const Event& event) {
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
  if (!S_ISREG(what.st_mode) || what.st_size > file_max) {
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
  for (const Source& line : std::get<Sources>(parsed)) said.places.push_back({line.what, line.key});
  tell(said);
}

std::string Search::explain() const {
  std::string where;
  for (const Source& source : finder_.sources()) where += (where.empty() ? "" : ", ") + to_text(source);
  const std::string problems = finder_.problems();
  return "no broker was found at " + where + (problems.empty() ? "" : " (" + problems + ")");
}

}  // namespace pointsman::finder
