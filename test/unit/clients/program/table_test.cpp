// Shows how tables are laid out.
#include "clients/program/table.hpp"

#include <doctest/doctest.h>

#include "clients/program/nearest.hpp"

using namespace pointsman::program;

namespace {

Table sample() {
  Table table({{"NAME"}, {"USED", true}, {"STATE"}});
  table.add({{"zip-1"}, {"3"}, {"alive", Tint::good}});
  table.add({{"büro"}, {"12"}, {"suspect", Tint::bad}});
  return table;
}

}  // namespace

TEST_CASE("program: columns are aligned by characters and lines end without blanks") {
  CHECK(sample().text(Screen{}) ==
        "NAME   USED  STATE\n"
        "zip-1     3  alive\n"
        "büro     12  suspect\n");
}

TEST_CASE("program: lines are cut to the screen") {
  CHECK(sample().text(Screen{.terminal = true, .columns = 18}) ==
        "NAME   USED  STATE\n"
        "zip-1     3  alive\n"
        "büro     12  susp…\n");
  CHECK(sample().text(Screen{.terminal = true, .columns = 4}) == "NAM…\nzip…\nbür…\n");
}

TEST_CASE("program: colour surrounds what is left of a cell") {
  Table table({{"S"}});
  table.add({{"alive", Tint::good}});
  CHECK(table.text(Screen{.terminal = true, .colour = true, .columns = 3}) ==
        "\033[1mS\033[0m\n\033[32mal\033[0m…\n");
}

TEST_CASE("program: what steers a terminal is not shown as it is") {
  Table table({{"N"}});
  table.add({{"a\033[2J\nb\xc2\x9b"}});
  CHECK(table.text(Screen{}) == "N\na?[2J?b??\n");
}

TEST_CASE("program: an empty table is its header") {
  CHECK(Table({{"A"}, {"B", true}}).text(Screen{}) == "A  B\n");
}

TEST_CASE("program: did you mean knows slips, not guesses") {
  const std::vector<std::string_view> words{"broker", "worker", "call", "run", "ls"};
  CHECK(nearest("brokre", words) == "broker");
  CHECK(nearest("cal", words) == "call");
  CHECK(nearest("lls", words) == "ls");
  CHECK(nearest("submit", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(did_you_mean("wokrer", words) == ", did you mean worker?");
}
