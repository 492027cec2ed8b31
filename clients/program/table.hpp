// Table: rows under a header, columns aligned, nothing drawn.

#pragma once

#include <string>
#include <vector>

#include "clients/program/output.hpp"

namespace pointsman::program {

enum class Tint { none, good, warn, bad };

struct Cell {
  Cell(std::string shown, Tint in = Tint::none)  // NOLINT(google-explicit-constructor): a text is a cell
      : text(std::move(shown)), tint(in) {}
  Cell(const char* shown, Tint in = Tint::none)  // NOLINT(google-explicit-constructor)
      : text(shown), tint(in) {}
  std::string text;
  Tint tint;
};

struct Column {
  std::string name;
  bool number = false;  // numbers end at the right
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // As many cells as there are columns. Control characters are replaced.
  void add(std::vector<Cell> row);

  // Header and rows, a line each. Lines are cut to the screen's columns, and coloured if it can.
  std::string text(const Screen& screen) const;

  std::size_t size() const { return rows_.size(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// How many characters a text has, for the width of its column.
std::size_t width_of(std::string_view text);

}  // namespace pointsman::program
