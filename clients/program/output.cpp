// Output: plain descriptors, because every line has to be out before the next wait.

#include "clients/program/output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace pointsman::program {
namespace {

// 0, or the errno of what went wrong.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::size_t positive(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  const long value = std::strtol(text, nullptr, 10);
  return value > 0 && value < 100'000 ? static_cast<std::size_t>(value) : 0;
}

std::string cleaned(std::string_view text, bool lines) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if (lines && (out[i] == '\n' || out[i] == '\t')) continue;
    if (byte < 0x20 || byte == 0x7f) out[i] = '?';
    // The second set of control characters, U+0080 to U+009F, is two bytes in UTF-8.
    if (byte == 0xc2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xa0) {
      out[i] = out[i + 1] = '?';
    }
  }
  return out;
}

}  // namespace

void write_out(std::string_view bytes) {
  const int error = write_all(STDOUT_FILENO, bytes);
  if (error == EPIPE) throw OutputClosed{};
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot write the output");
}

void write_err(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

Screen screen() {
  Screen result;
  result.terminal = ::isatty(STDOUT_FILENO) == 1;
  if (!result.terminal) return result;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  result.colour = (no_colour == nullptr || *no_colour == '\0') && !dumb;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    result.columns = size.ws_col;
    result.rows = size.ws_row;
  }
  if (const std::size_t columns = positive("COLUMNS")) result.columns = columns;
  return result;
}

std::string printable(std::string_view text) { return cleaned(text, false); }
std::string printable_lines(std::string_view text) { return cleaned(text, true); }

}  // namespace pointsman::program
