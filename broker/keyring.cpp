// Two system calls a look, as long as nothing has changed.
#include "broker/keyring.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>
#include <variant>

#include "protocol/keyfile.hpp"

namespace pointsman::broker {

namespace {

constexpr std::int64_t file_max = 64 * 1024 * 1024;

}  // namespace

Keyring::Keyring(std::string path, std::uint64_t unix_seconds) : path_(std::move(path)), mark_(mark()) {
  take(read(), unix_seconds);
}

Keyring::Mark Keyring::mark() const {
  struct stat what {};
  if (::stat(path_.c_str(), &what) != 0) return {};
  return {what.st_ino, what.st_size, what.st_mtim.tv_sec, what.st_mtim.tv_nsec};
}

AllowedKeys Keyring::read() const {
  const std::string place = "file of allowed keys '" + path_ + "'";
  struct stat what {};
  if (::stat(path_.c_str(), &what) != 0) {
    if (errno != ENOENT) throw KeyError(place + ": cannot be read: " + std::strerror(errno));
    throw KeyError(place + ": it is not there; make it: pointsman keys allow --allowed " + path_ +
                   " NAME KEY --role client");
  }
  if (!S_ISREG(what.st_mode) || what.st_size > file_max)
    throw KeyError(place + ": it is no file of allowed keys");
  if ((what.st_mode & 022) != 0) {
    throw KeyError(place + ": others may change it, and so let themselves in; chmod go-w " + path_);
  }
  std::ifstream file(path_);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    if (what.st_size > 0) throw KeyError(place + ": cannot be read: " + std::strerror(errno));
  }
  auto keys = parse_allowed(text.view());
  if (const auto* fault = std::get_if<AllowedFault>(&keys)) {
    throw KeyError(place + ", line " + std::to_string(fault->line) + ": " + fault->problem + "; " +
                   fault->remedy);
  }
  return std::get<AllowedKeys>(std::move(keys));
}

void Keyring::take(AllowedKeys keys, std::uint64_t unix_seconds) {
  next_end_ = keys.next_end(unix_seconds);
  keys_ = std::make_shared<const AllowedKeys>(keys.at(unix_seconds));
}

Keyring::News Keyring::look(std::uint64_t unix_seconds, bool anyway) {
  News news;
  if (const Mark there = mark(); anyway || there != mark_) {
    mark_ = there;
    try {
      take(read(), unix_seconds);
      news.changed = true;
    } catch (const KeyError& error) {
      news.problem = error.what();
    }
  }
  if (next_end_ != 0 && unix_seconds >= next_end_) {
    take(*keys_, unix_seconds);
    news.changed = true;
  }
  return news;
}

}  // namespace pointsman::broker
