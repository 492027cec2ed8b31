// Tree: a body as a flat list of values, the one form into which every codec is parsed.
//
// A value is followed by its children, so a subtree is a run of nodes. Bounded by limits::nodes and
// limits::depth. Texts are views: of the body, which must outlive the tree, or of what keep() holds. Reusable:
// clear() keeps the memory. Not thread safe.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/limits.hpp"
#include "protocol/must.hpp"

namespace pointsman {

enum class Kind : std::uint8_t {
  nil,
  boolean,
  integer,
  real,
  text,
  bytes,
  bare,  // a word of the notation: text, number, boolean or word of an enumeration, as its field wants it
  list,
  map,
};

struct Node {
  Kind kind = Kind::nil;
  bool negative = false;       // of an integer
  std::uint32_t children = 0;  // of a list; of a map, whose keys and values both count
  std::uint32_t span = 1;      // nodes of this subtree, itself included; 0 while it is still open
  std::uint64_t magnitude = 0; // of an integer; 1 for true
  double real = 0;
  std::string_view text;       // of text, bytes and bare
};

class Tree {
 public:
  // Makes room for a body of that size. `base64`: bytes are written as text.
  void clear(std::size_t body_bytes, bool base64 = false) {
    nodes_.clear();
    open_.clear();
    kept_.clear();
    if (kept_.capacity() < body_bytes) kept_.reserve(body_bytes);
    problem_ = {};
    base64_ = base64;
  }

  // Adds a value below the innermost open one. False if a bound is passed; problem() says which.
  [[nodiscard]] bool add(const Node& node) {
    if (nodes_.size() >= limits::nodes) return fail("more than 65536 values");
    if (!open_.empty()) ++nodes_[open_.back()].children;
    nodes_.push_back(node);
    return true;
  }

  // Adds a list or map that the following values belong to, until close().
  [[nodiscard]] bool open(Kind kind) {
    if (open_.size() >= limits::depth) return fail("maps and lists nested deeper than 8");
    if (!add({.kind = kind, .span = 0})) return false;
    open_.push_back(static_cast<std::uint32_t>(nodes_.size() - 1));
    return true;
  }

  void close() {
    MUST(!open_.empty());
    nodes_[open_.back()].span = static_cast<std::uint32_t>(nodes_.size()) - open_.back();
    open_.pop_back();
  }

  // Holds a text that is not in the body as it stands, because it was escaped there. All of them together
  // are never longer than the body.
  std::string_view keep(std::string_view text) {
    MUST(kept_.size() + text.size() <= kept_.capacity());
    const std::size_t at = kept_.size();
    kept_.append(text);
    return std::string_view(kept_).substr(at);
  }

  const Node& operator[](std::size_t index) const { return nodes_[index]; }
  std::size_t size() const { return nodes_.size(); }
  bool base64() const { return base64_; }
  std::string_view problem() const { return problem_; }

 private:
  bool fail(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> open_;
  std::string kept_;
  std::string_view problem_;
  bool base64_ = false;
};

static_assert(limits::nodes == 65536 && limits::depth == 8, "the problems above name these bounds");

}  // namespace pointsman
