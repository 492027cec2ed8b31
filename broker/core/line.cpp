// The waiting line: rows by priority, and the merging of them.
#include "broker/core/line.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include "broker/core/records.hpp"
#include "protocol/must.hpp"

namespace pointsman::broker {

namespace {

constexpr std::size_t block = 32;

// How many of `size`, which a condition holds for from the first up to some, it holds for.
template <class Holds>
std::size_t count_while(std::size_t size, const Holds& holds) {
  std::size_t low = 0;
  for (std::size_t high = size; low < high;) {
    const std::size_t middle = low + (high - low) / 2;
    if (holds(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Asked& Row::at(std::size_t order) const {
  MUST(order < size_);
  std::size_t full = 0;  // blocks that are before it
  for (std::size_t step = std::bit_floor(counts_.size()); step > 0; step /= 2) {
    if (full + step >= counts_.size() || counts_[full + step] > order) continue;
    full += step;
    order -= counts_[full];
  }
  std::size_t place = full * block;
  while (!places_[place] || order-- > 0) ++place;
  return *places_[place];
}

std::size_t Row::order_of(const Asked& asked) const {
  const std::size_t full = asked.line_place / block;
  std::size_t before = 0;
  for (std::size_t i = full; i > 0; i &= i - 1) before += counts_[i];
  for (std::size_t place = full * block; place < asked.line_place; ++place)
    before += places_[place] != nullptr;
  return before;
}

void Row::append(Asked& asked) {
  if (places_.size() == places_.capacity()) pack();
  asked.line_place = static_cast<std::uint32_t>(places_.size());
  places_.push_back(&asked);
  count(asked.line_place / block, 1);
  ++size_;
}

void Row::erase(Asked& asked) {
  MUST(places_[asked.line_place] == &asked);
  places_[asked.line_place] = nullptr;
  count(asked.line_place / block, -1U);
  if (--size_ > 0) return;
  if (places_.capacity() > places_kept) *this = {};
  places_.clear();
}

// Closes the gaps, and makes room for half as many more.
void Row::pack() { fill(places_); }

void Row::sort() {
  std::vector<Asked*> all;
  all.reserve(size_);
  std::copy_if(places_.begin(), places_.end(), std::back_inserter(all), [](const Asked* asked) { return asked != nullptr; });
  const auto earlier = [](const Asked* a, const Asked* b) { return a->arrival < b->arrival; };
  if (std::is_sorted(all.begin(), all.end(), earlier)) return;
  std::sort(all.begin(), all.end(), earlier);
  fill(all);
}

void Row::fill(const std::vector<Asked*>& all) {
  std::vector<Asked*> packed;
  packed.reserve((size_ + size_ / 2) / block * block + 2 * block);
  counts_.assign(packed.capacity() / block + 2, 0);
  for (Asked* asked : all) {
    if (!asked) continue;
    asked->line_place = static_cast<std::uint32_t>(packed.size());
    packed.push_back(asked);
    count(asked->line_place / block, 1);
  }
  places_ = std::move(packed);
}

void Row::count(std::size_t at, std::uint32_t more) {
  for (std::size_t i = at + 1; i < counts_.size(); i += i & -i) counts_[i] += more;
}

void Row::check() const {
  std::size_t order = 0;
  for (std::size_t place = 0; place < places_.size(); ++place) {
    const Asked* asked = places_[place];
    if (!asked) continue;
    MUST(asked->line_place == place);
    MUST(order_of(*asked) == order && &at(order) == asked);
    MUST(order == 0 || at(order - 1).arrival < asked->arrival);
    ++order;
  }
  MUST(order == size_);
}

void Line::append(Asked& asked) {
  rows_[asked.priority].append(asked);
  ++size_;
}

void Line::erase(Asked& asked) {
  rows_[asked.priority].erase(asked);
  --size_;
}

void Line::sort() {
  for (Row& row : rows_) row.sort();
}

Line::Turn Line::turn_of(const Asked& asked) const {
  return {asked.arrived - asked.priority * aging_, asked.arrival};
}

std::size_t Line::order_of(const Asked& asked) const {
  const Turn turn = turn_of(asked);
  std::size_t order = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i)
    order += i == asked.priority ? rows_[i].order_of(asked) : before(turn, rows_[i]);
  return order;
}

std::size_t Line::before(const Turn& turn) const {
  std::size_t count = 0;
  for (const Row& row : rows_) count += before(turn, row);
  return count;
}

std::size_t Line::before(const Turn& turn, const Row& row) const {
  return count_while(row.size(), [&](std::size_t n) { return turn_of(row.at(n)) < turn; });
}

Line::Walk Line::walk(std::size_t from) const {
  Walk walk(*this);
  for (std::size_t i = 0; i < rows_.size() && from > 0; ++i) {
    const Row& row = rows_[i];
    walk.at_[i] = count_while(row.size(), [&](std::size_t n) { return order_of(row.at(n)) < from; });
  }
  return walk;
}

Asked* Line::Walk::next() {
  Asked* first = nullptr;
  for (std::size_t i = 0; i < at_.size(); ++i) {
    const Row& row = line_->rows_[i];
    if (at_[i] == row.size()) continue;
    Asked& head = row.at(at_[i]);
    if (!first || line_->turn_of(head) < line_->turn_of(*first)) first = &head;
  }
  if (first) ++at_[first->priority];
  return first;
}

void Line::check() const {
  std::size_t size = 0;
  for (const Row& row : rows_) {
    row.check();
    size += row.size();
  }
  MUST(size == size_);
}

}  // namespace pointsman::broker
