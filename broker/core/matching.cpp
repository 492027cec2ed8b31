// Matching: classes, demands, and which meet.
#include "broker/core/matching.hpp"

#include <algorithm>
#include <array>

namespace pointsman::broker {

namespace {

// Ways to write one demand that are remembered; others are read anew each time.
constexpr std::size_t spellings_max = 4;
constexpr std::size_t compared_one_in = 8;  // demands, in check()

Fault bad(std::string_view field, std::string_view text, const Mistake& mistake) {
  return {.code = Code::bad_condition,
          .reason = "field `" + std::string(field) + "` " + in_words(text, mistake) + "; " + mistake.remedy};
}

// Reads a condition that may be left out.
std::optional<Fault> read(std::string_view field, const std::string& text, std::optional<Condition>& out) {
  if (text.empty()) return std::nullopt;
  auto parsed = Condition::parse(text);
  if (const auto* mistake = std::get_if<Mistake>(&parsed)) return bad(field, text, *mistake);
  out = std::get<Condition>(std::move(parsed));
  const std::string never = out->contradiction();
  if (never.empty()) return std::nullopt;
  return Fault{.code = Code::bad_condition, .reason = "field `" + std::string(field) + "`: " + never};
}

std::string of_workers(std::uint64_t count, std::uint64_t all) {
  return (count == 0 ? "none" : std::to_string(count)) + " of " + std::to_string(all) +
         (all == 1 ? " worker" : " workers");
}

}  // namespace

std::variant<std::shared_ptr<const Profile>, Fault> Profile::of(const Attributes& attributes,
                                                                const std::string& accepts) {
  auto profile = std::make_shared<Profile>();
  if (auto fault = read("accepts", accepts, profile->accepts)) return *std::move(fault);
  profile->attributes = attributes;
  profile->text = shown(profile->attributes);
  if (profile->accepts) profile->text.append("\n").append(profile->accepts->text());
  return std::shared_ptr<const Profile>(std::move(profile));
}

const Class* Matching::find(const Profile& profile) const {
  const auto found = by_text_.find(profile.text);
  return found == by_text_.end() ? nullptr : found->second.get();
}

Class& Matching::join(std::shared_ptr<const Profile> profile) {
  if (const auto found = by_text_.find(profile->text); found != by_text_.end()) {
    ++found->second->seats;
    return *found->second;
  }
  auto made = std::make_unique<Class>();
  Class& one = *made;
  one.profile = std::move(profile);
  one.seats = 1;
  if (unused_.empty()) {
    one.index = by_index_.size();
    by_index_.push_back(&one);
  } else {
    one.index = unused_.back();
    unused_.pop_back();
    by_index_[one.index] = &one;
  }
  by_text_.emplace(one.profile->text, std::move(made));
  consider(plain_, one);
  for (Demand* demand = demands_.first(); demand; demand = demands_.after(*demand)) consider(*demand, one);
  return one;
}

void Matching::leave(Class& left) {
  if (--left.seats > 0) return;
  const auto forget = [&](Demand& demand) {
    demand.why_none.clear();
    if (!demand.matching.contains(left.index)) return;
    demand.matching.erase(left.index);
    --demand.matches;
    std::erase_if(demand.liked, [&](const Demand::Liked& liked) { return liked.index == left.index; });
  };
  forget(plain_);
  for (Demand* demand = demands_.first(); demand; demand = demands_.after(*demand)) forget(*demand);
  unused_.push_back(left.index);
  by_index_[left.index] = nullptr;
  by_text_.erase(left.profile->text);
}

// Finds out whether a class meets a demand; one of them is new.
void Matching::consider(Demand& demand, const Class& one) {
  demand.why_none.clear();
  if (!demand.meets(*one.profile)) return;
  demand.matching.add(one.index);
  ++demand.matches;
  if (!demand.prefer) return;
  Demand::Liked liked{demand.prefer->rank(one.profile->attributes), one.index};
  const auto at = std::upper_bound(demand.liked.begin(), demand.liked.end(), liked,
                                   [](const auto& a, const auto& b) { return a.rank > b.rank; });
  demand.liked.insert(at, std::move(liked));
}

void Matching::adopt(Demand& demand) {
  demands_.append(demand);
  for (const auto& [text, one] : by_text_) consider(demand, *one);
}

void Matching::starts_waiting(Demand& demand) {
  waiting_.push_back(&demand);
  demand.waiting_place = waiting_.size();
}

void Matching::stops_waiting(Demand& demand) {
  Demand* last = waiting_.back();
  waiting_[demand.waiting_place - 1] = last;
  last->waiting_place = demand.waiting_place;
  demand.waiting_place = 0;
  waiting_.pop_back();
}

// Names the clause that is true of no worker, or else of how many each is.
const std::string& Matching::why_none(Demand& demand) const {
  if (!demand.why_none.empty()) return demand.why_none;
  std::uint64_t all = 0, wanted = 0;
  std::vector<std::uint64_t> meet(demand.when ? demand.when->clauses() : 0);
  const Profile* stern = nullptr;  // of a worker that would do, and does not take the client
  for (const auto& [text, one] : by_text_) {
    all += one->seats;
    for (std::size_t i = 0; i < meet.size(); ++i) {
      if (demand.when->holds_clause(i, one->profile->attributes)) meet[i] += one->seats;
    }
    if (demand.when && !demand.when->holds(one->profile->attributes)) continue;
    wanted += one->seats;
    if (one->profile->accepts && !stern) stern = one->profile.get();
  }
  std::string& why = demand.why_none;
  if (all == 0) return why = "there is no worker";
  if (wanted > 0 && stern) {
    return why = of_workers(wanted, all) + " would do, and none of these accepts this client: " +
                 stern->accepts->why_not(demand.attributes);
  }
  for (std::size_t i = 0; i < meet.size(); ++i) {
    if (meet[i] > 0) continue;
    why = "`" + demand.when->clause(i) + "` is true of " + of_workers(0, all);
    for (const std::string_view name : demand.when->names_in(i)) {
      const bool known = std::any_of(by_text_.begin(), by_text_.end(), [&](const auto& entry) {
        return entry.second->profile->attributes.find(name) != nullptr;
      });
      if (!known) why.append(": none has ").append(name);
    }
    return why;
  }
  for (std::size_t i = 0; i < meet.size(); ++i) {
    why.append(i == 0 ? "" : ", ")
        .append("`" + demand.when->clause(i) + "` is true of " + of_workers(meet[i], all));
  }
  return why += "; all of it of none";
}

void Matching::check(std::size_t turn) const {
  for (const auto& [text, one] : by_text_) {
    MUST(one->profile->text == text && one->seats > 0);
    MUST(by_index_.at(one->index) == one.get());
  }
  for (const std::size_t index : unused_) MUST(!by_index_.at(index));
  MUST(by_text_.size() + unused_.size() == by_index_.size());
  std::size_t waiting = 0;
  const auto check = [&](const Demand& demand) {
    MUST(demand.of == this);
    if (turn++ % compared_one_in == 0) {
      for (const auto& [text, one] : by_text_) MUST(demand.matching.contains(one->index) == demand.meets(*one->profile));
    }
    std::size_t bits = 0;
    demand.matching.each(nullptr, [&](std::size_t) { ++bits; });
    MUST(bits == demand.matches);
    MUST(demand.liked.size() == (demand.prefer ? bits : 0));
    for (std::size_t i = 1; i < demand.liked.size(); ++i)
      MUST(!(demand.liked[i].rank > demand.liked[i - 1].rank));
    for (const auto& liked : demand.liked) MUST(demand.matching.contains(liked.index));
    MUST((demand.waiting_place == 0) == demand.line.empty());
    if (demand.waiting_place == 0) return;
    MUST(waiting_[demand.waiting_place - 1] == &demand);
    ++waiting;
  };
  check(plain_);
  for (const Demand* demand = demands_.first(); demand; demand = demands_.after(*demand)) check(*demand);
  MUST(waiting == waiting_.size());
}

std::string Demands::key_of(const Matching& service, std::string_view when, std::string_view prefer,
                            const std::string& attributes) {
  // Its address is as good as the service's name, and shorter; the sizes tell where one text ends.
  const std::array<std::size_t, 3> head{reinterpret_cast<std::size_t>(&service), when.size(), prefer.size()};
  std::string key(reinterpret_cast<const char*>(head.data()), sizeof head);
  return key.append(when).append(prefer).append(attributes);
}

std::variant<Demand*, Fault> Demands::of(Matching& service, const Request& message,
                                         const std::optional<Attributes>& counting) {
  std::string attributes = shown(message.attributes);
  if (counting) attributes.append("\n").append(shown(*counting));
  std::string spelling = key_of(service, message.when, message.prefer, attributes);
  if (const auto found = by_spelling_.find(spelling); found != by_spelling_.end()) {
    Demand& demand = *found->second;
    if (unused_.contains(demand)) {
      unused_.erase(demand);
      unused_.append(demand);
    }
    return &demand;
  }
  auto made = std::make_unique<Demand>(service);
  if (auto fault = read("when", message.when, made->when)) return *std::move(fault);
  if (!message.prefer.empty()) {
    auto parsed = Preference::parse(message.prefer);
    if (const auto* mistake = std::get_if<Mistake>(&parsed)) return bad("prefer", message.prefer, *mistake);
    made->prefer = std::get<Preference>(std::move(parsed));
  }
  made->name = key_of(service, made->when ? made->when->text() : "", made->prefer ? made->prefer->text() : "",
                      attributes);
  auto known = by_name_.find(made->name);
  if (known == by_name_.end()) {
    if (by_name_.size() >= most_) {
      if (unused_.empty()) {
        return Fault{.code = Code::limit_reached,
                     .reason = "demands_max is " + std::to_string(most_) +
                               ": requests wait with as many different conditions"};
      }
      drop(*unused_.first());
    }
    made->attributes = counting ? *counting : message.attributes;
    if (counting) made->said = message.attributes;
    service.adopt(*made);
    unused_.append(*made);
    known = by_name_.emplace(made->name, std::move(made)).first;
  }
  Demand& demand = *known->second;
  if (demand.spellings.size() < spellings_max) {
    by_spelling_.emplace(spelling, &demand);
    demand.spellings.push_back(std::move(spelling));
  }
  return &demand;
}

void Demands::starts_waiting(Demand& demand) {
  if (unused_.contains(demand)) unused_.erase(demand);  // the plain one is not among them
  demand.of->starts_waiting(demand);
}

void Demands::stops_waiting(Demand& demand) {
  demand.of->stops_waiting(demand);
  if (&demand != &demand.of->plain()) unused_.append(demand);
}

void Demands::drop(Demand& demand) {
  demand.of->demands_.erase(demand);
  unused_.erase(demand);
  for (const std::string& spelling : demand.spellings) by_spelling_.erase(spelling);
  by_name_.erase(by_name_.find(demand.name));
}

void Demands::drop_all(Matching& service) {
  while (Demand* demand = service.demands_.first()) drop(*demand);
}

void Demands::check() const {
  MUST(by_name_.size() <= most_);
  std::size_t spellings = 0, unused = 0;
  for (const auto& [name, demand] : by_name_) {
    MUST(demand->name == name);
    MUST(demand->of->demands_.contains(*demand));
    MUST(unused_.contains(*demand) == demand->line.empty());
    unused += unused_.contains(*demand);
    for (const std::string& spelling : demand->spellings) MUST(by_spelling_.at(spelling) == demand.get());
    spellings += demand->spellings.size();
  }
  MUST(spellings == by_spelling_.size());
  MUST(unused == unused_.size());
}

}  // namespace pointsman::broker
