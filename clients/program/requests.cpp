// Requests of `pointsman call`: files are read one at a time, so that a long list costs no memory.

#include "clients/program/requests.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/limits.hpp"

namespace pointsman::program {
namespace {

// All that is to be read, at most what one request may hold.
Or<Frame> read_all(int descriptor, const std::string& name) {
  constexpr std::size_t step = 64 * 1024;
  std::string text;
  for (;;) {
    const std::size_t filled = text.size();
    text.resize(filled + step);
    const ssize_t got = ::read(descriptor, text.data() + filled, step);
    const int error = errno;
    text.resize(filled + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return usage(name + " cannot be read: " + std::strerror(error));
    if (got == 0) return Frame(std::move(text));
    if (text.size() > limits::payload_bytes) {
      return usage(name + " is larger than " + std::to_string(limits::payload_bytes >> 20) +
                       " MiB, the most that one request may hold",
                   "hand its name over instead, or send it in pieces");
    }
  }
}

}  // namespace

Or<Requests> Requests::from(const std::vector<std::string>& words, std::uint64_t repeat) {
  Requests requests;
  requests.repeat_ = repeat;
  bool stdin_taken = false;
  for (const std::string& word : words) {
    if (word == "-") {
      if (std::exchange(stdin_taken, true)) return usage("`-` is there twice, but stdin can be read once only");
      auto frame = read_all(STDIN_FILENO, "stdin");
      if (auto* problem = std::get_if<Problem>(&frame)) return std::move(*problem);
      requests.sources_.push_back({"stdin", {}, std::get<Frame>(std::move(frame))});
    } else if (word.starts_with('@')) {
      const std::string file = word.substr(1);
      if (::access(file.c_str(), R_OK) != 0) {
        return usage("the file \"" + file + "\" cannot be read: " + std::strerror(errno),
                     "a request that starts with @ names a file; send other text by `-`");
      }
      requests.sources_.push_back({word, file, {}});
    } else {
      requests.sources_.push_back({'"' + word.substr(0, 40) + '"', {}, Frame(word)});
    }
  }
  if (words.empty()) requests.sources_.push_back({"empty", {}, Frame(std::string())});
  return requests;
}

Or<Payload> Requests::read(std::uint64_t number) const {
  const Source& source = sources_[number % sources_.size()];
  if (source.file.empty()) return Payload{source.frame};
  const int descriptor = ::open(source.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return usage(source.name + " cannot be read: " + std::strerror(errno));
  auto frame = read_all(descriptor, source.name);
  ::close(descriptor);
  if (auto* problem = std::get_if<Problem>(&frame)) return std::move(*problem);
  return Payload{std::get<Frame>(std::move(frame))};
}

std::string Requests::name(std::uint64_t number) const { return sources_[number % sources_.size()].name; }

}  // namespace pointsman::program
