// Results read back from their JSON, through the one parser of the project.

#include "clients/program/load/result.hpp"
#include "protocol/bodies.hpp"

namespace pointsman::load {
namespace {

// A value of a parsed document. What is missing or of another kind reads as nothing and sets `wrong`.
class Value {
 public:
  Value(const Tree& tree, std::size_t at, std::string& wrong) : tree_(&tree), at_(at), wrong_(&wrong) {}

  Value operator[](std::string_view name) const {
    if (at_ == none_) return *this;
    const Node& node = (*tree_)[at_];
    if (node.kind == Kind::map) {
      std::size_t child = at_ + 1;
      for (std::uint32_t i = 0; i + 1 < node.children; i += 2) {
        const std::size_t value = child + (*tree_)[child].span;
        if ((*tree_)[child].text == name) return {*tree_, value, *wrong_};
        child = value + (*tree_)[value].span;
      }
    }
    return missing(name);
  }

  // The values in it, keys among them.
  std::vector<Value> all() const {
    std::vector<Value> values;
    if (at_ == none_) return values;
    const Node& node = (*tree_)[at_];
    if (node.kind != Kind::list && node.kind != Kind::map) {
      note("a list in it is none");
      return values;
    }
    std::size_t child = at_ + 1;
    for (std::uint32_t i = 0; i < node.children; ++i) {
      values.emplace_back(*tree_, child, *wrong_);
      child += (*tree_)[child].span;
    }
    return values;
  }

  // As many as are wanted, or none.
  std::vector<Value> row(std::size_t size) const {
    auto values = all();
    if (values.size() == size) return values;
    note("a list in it has another length");
    return std::vector<Value>(size, Value(*tree_, none_, *wrong_));
  }

  double real() const {
    if (at_ == none_) return 0;
    const Node& node = (*tree_)[at_];
    if (node.kind == Kind::real) return node.real;
    if (node.kind != Kind::integer) note("a number in it is none");
    return (node.negative ? -1.0 : 1.0) * static_cast<double>(node.magnitude);
  }
  std::uint64_t count() const {
    if (at_ == none_) return 0;
    const Node& node = (*tree_)[at_];
    if (node.kind != Kind::integer || node.negative) note("a count in it is none");
    return node.magnitude;
  }
  bool flag() const { return at_ != none_ && (*tree_)[at_].magnitude == 1; }
  std::string text() const { return at_ == none_ ? "" : std::string((*tree_)[at_].text); }

 private:
  static constexpr std::size_t none_ = SIZE_MAX;

  void note(std::string what) const {
    if (wrong_->empty()) *wrong_ = std::move(what);
  }
  Value missing(std::string_view name) const {
    note("it has no \"" + std::string(name) + "\"");
    return {*tree_, none_, *wrong_};
  }

  const Tree* tree_;
  std::size_t at_;
  std::string* wrong_;
};

std::map<std::string, std::uint64_t> counts_from(const Value& value) {
  std::map<std::string, std::uint64_t> counts;
  const auto entries = value.all();
  for (std::size_t i = 0; i + 1 < entries.size(); i += 2) counts[entries[i].text()] = entries[i + 1].count();
  return counts;
}

void histogram_from(const Value& value, Histogram& into, std::string& wrong) {
  const auto entries = value["buckets"].all();
  for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
    if (!into.restore(entries[i].count(), entries[i + 1].count()) && wrong.empty())
      wrong = "a bucket in it is none";
  }
  into.restore(value["sum"].count(), value["min"].count(), value["max"].count());
  if (into.count() != value["count"].count() && wrong.empty()) wrong = "the buckets in it do not add up";
}

}  // namespace

std::variant<Result, std::string> result_from(std::string_view json) {
  Tree tree;
  if (const std::string problem = parse_json(json, tree); !problem.empty()) return problem;
  std::string wrong;
  const Value file(tree, 0, wrong);
  if (file["format"].text() != "pointsman-load-1") return "it is no result of `pointsman load --output`";
  Result result;
  result.version = file["version"].text();
  result.machine = file["machine"].text();
  result.started = file["started"].count();
  const auto parameters = file["parameters"].all();
  for (std::size_t i = 0; i + 1 < parameters.size(); i += 2) {
    result.parameters.emplace_back(parameters[i].text(), parameters[i + 1].text());
  }
  result.seconds = file["seconds"].real();
  result.interval = file["interval"].real();
  result.answered_in_time = file["answered_in_time"].count();
  result.bytes = file["bytes"].count();
  const Value account = file["account"];
  result.account = {.made = account["made"].count(),
                    .answered = account["answered"].count(),
                    .refused = counts_from(account["refused"]),
                    .failed = counts_from(account["failed"]),
                    .unfinished = account["unfinished"].count(),
                    .doubled = account["doubled"].count()};
  histogram_from(file["latency"], result.latency, wrong);
  histogram_from(file["took"], result.took, wrong);
  histogram_from(file["handoff"], result.handoff, wrong);
  for (const Value& entry : file["points"].all()) {
    const auto row = entry.row(5);
    result.points.push_back({row[0].count(), row[1].count(), row[2].count(), row[3].count(), row[4].count()});
  }
  for (const Value& entry : file["repeats"].all()) {
    const auto row = entry.row(3);
    result.repeats.push_back({row[0].real(), row[1].count(), row[2].count()});
  }
  for (const Value& entry : file["steps"].all()) {
    const auto row = entry.row(4);
    result.steps.push_back({row[0].real(), row[1].flag(), row[2].count(), row[3].real()});
  }
  for (const Value& entry : file["happened"].all()) {
    const auto row = entry.row(2);
    result.happenings.push_back({row[0].real(), row[1].text()});
  }
  for (const Value& entry : file["checks"].all()) {
    const auto row = entry.row(3);
    result.checks.push_back({row[0].text(), row[1].flag(), row[2].text()});
  }
  result.bound = file["bound"].text();
  result.missed = file["missed"].flag();
  result.cut_short = file["cut_short"].flag();
  const Value cpu = file["cpu_us"];
  result.cpu = {cpu["generator"].real(), cpu["broker"].real(), cpu["workers"].real()};
  if (!wrong.empty()) return wrong;
  return result;
}

}  // namespace pointsman::load
