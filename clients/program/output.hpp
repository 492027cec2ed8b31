// Output: data to stdout, everything else to stderr, and what the terminal behind them can show.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pointsman::program {

// Nobody reads stdout any more. Main catches it and ends the program without a word, as SIGPIPE would.
struct OutputClosed {};

// Writes all of it, unbuffered. Throws OutputClosed when the reader is gone, std::system_error for what
// else goes wrong. write_err gives up silently: there is nobody left to tell.
void write_out(std::string_view bytes);
void write_err(std::string_view text);

// What stdout is.
struct Screen {
  bool terminal = false;
  bool colour = false;      // a terminal, and the user did not say NO_COLOR
  std::size_t columns = 0;  // 0: unbounded
  std::size_t rows = 0;
};
Screen screen();

// The text without what would steer a terminal: control characters become `?`. The second keeps line ends
// and tabs. What peers say goes through here before it is shown.
std::string printable(std::string_view text);
std::string printable_lines(std::string_view text);

}  // namespace pointsman::program
