// Table: widths are counted in UTF-8 characters, and cut before colour is added.

#include "clients/program/table.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "protocol/must.hpp"

namespace pointsman::program {
namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// The first `count` characters.
std::string_view characters(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (starts_character(text[at]) && count-- == 0) break;
  }
  return text.substr(0, at);
}

std::string_view colour_of(Tint tint) {
  switch (tint) {
    case Tint::none:
      return "";
    case Tint::good:
      return "\033[32m";
    case Tint::warn:
      return "\033[33m";
    case Tint::bad:
      return "\033[31m";
  }
  return "";
}

// One line, piece by piece; it is only cut when all of it is known to be too wide.
class Line {
 public:
  void put(std::string_view text, std::string_view colour = {}) {
    if (!text.empty()) pieces_.emplace_back(text, colour);
  }

  std::string text(const Screen& screen) const {
    std::size_t width = 0;
    for (const auto& [text, colour] : pieces_) width += width_of(text);
    const bool cut = screen.columns != 0 && width > screen.columns;
    std::size_t room = cut ? screen.columns - 1 : width;
    std::string out;
    for (const auto& [text, colour] : pieces_) {
      const std::string_view shown = characters(text, room);
      room -= width_of(shown);
      const bool coloured = screen.colour && !colour.empty() && !shown.empty();
      if (coloured) out += colour;
      out += shown;
      if (coloured) out += "\033[0m";
    }
    return out + (cut ? "…\n" : "\n");
  }

 private:
  std::vector<std::pair<std::string, std::string_view>> pieces_;
};

}  // namespace

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<Cell> row) {
  MUST(row.size() == columns_.size());
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::string Table::text(const Screen& screen) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].name);
    for (const auto& row : rows_) width = std::max(width, width_of(row[i].text));
    widths.push_back(width);
  }
  const auto line = [&](const auto& text_of, const auto& colour_of_cell) {
    Line built;
    std::string gap;  // held back: no line ends in blanks
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& text = text_of(i);
      const std::string pad(widths[i] - width_of(text), ' ');
      if (columns_[i].number) gap += pad;
      if (!text.empty()) {
        built.put(gap);
        built.put(text, colour_of_cell(i));
        gap.clear();
      }
      gap += (columns_[i].number ? "" : pad) + "  ";
    }
    return built.text(screen);
  };
  std::string out = line([&](std::size_t i) -> const std::string& { return columns_[i].name; },
                         [](std::size_t) { return std::string_view("\033[1m"); });
  for (const auto& row : rows_) {
    out += line([&](std::size_t i) -> const std::string& { return row[i].text; },
                [&](std::size_t i) { return colour_of(row[i].tint); });
  }
  return out;
}

}  // namespace pointsman::program
