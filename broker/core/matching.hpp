// Matching: which workers of a service a request may have, without asking each.
//
// Workers that say the same of themselves fall into one Class; requests that want the same are one Demand. Whether a class
// meets a demand is found out once, when either is new, and kept as a bit. Both are few and bounded: a service has
// Options::classes_max classes, all services together Options::demands_max demands, of which those that nobody waits by
// and that were used longest ago make room. Not thread safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/class_set.hpp"
#include "broker/core/line.hpp"
#include "broker/core/links.hpp"
#include "protocol/condition.hpp"
#include "protocol/messages.hpp"
#include "protocol/preference.hpp"

namespace pointsman::broker {

class Matching;
struct Service;

// What is known of a worker that decides who gets it.
struct Profile {
  std::string text;  // of both, canonical
  Attributes attributes;
  std::optional<Condition> accepts;  // on the client's attributes

  static std::variant<std::shared_ptr<const Profile>, Fault> of(const Attributes& attributes, const std::string& accepts);
};

// The workers with one profile that offer a service.
struct Class {
  std::size_t index = 0;
  std::shared_ptr<const Profile> profile;
  std::uint64_t seats = 0;
  std::uint64_t slots = 0;  // of the seats whose worker is available
};

// What some requests want, and those of them that wait.
struct Demand {
  explicit Demand(Matching& service);

  Matching* of;
  std::string name;  // canonical
  std::optional<Condition> when;
  std::optional<Preference> prefer;
  Attributes attributes;    // of the client, that count
  std::optional<Attributes> said;  // that it says, where these are others
  ClassSet matching;        // classes that meet it, and that accept the client
  std::size_t matches = 0;  // how many
  struct Liked {
    std::vector<double> rank;
    std::size_t index = 0;
  };
  std::vector<Liked> liked;  // with a preference: the matching classes, the best first
  std::string why_none;      // none matches, and why, once that was asked
  Line line;
  std::size_t waiting_place = 0;       // in Matching::waiting(); 0: nobody waits
  std::vector<std::string> spellings;  // ways to write it that are known
  Link<Demand> of_service;
  Link<Demand> unused;  // nobody waits by it

  bool meets(const Profile& profile) const {
    return (!when || when->holds(profile.attributes)) &&
           (!profile.accepts || profile.accepts->holds(attributes));
  }
};

// The classes and demands of one service.
class Matching {
 public:
  // `aging`: see Line.
  Matching(Service& its, const Duration& aging) : service(its), aging_(aging), plain_(*this) {}
  Matching(const Matching&) = delete;
  Matching& operator=(const Matching&) = delete;

  Service& service;

  const Class* find(const Profile& profile) const;
  Class& join(std::shared_ptr<const Profile> profile);  // another worker with it
  void leave(Class& left);
  std::size_t classes() const { return by_text_.size(); }
  template <class Visit>
  void each_class(Visit&& visit) const {
    for (const auto& entry : by_text_) visit(std::as_const(*entry.second));
  }

  const Class& at(std::size_t index) const { return *by_index_[index]; }

  // What requests want that say nothing.
  Demand& plain() { return plain_; }

  // Whether it is met by every class, and likes none better.
  bool any(const Demand& demand) const { return demand.matches == by_text_.size() && !demand.prefer; }

  // Demands with somebody in their line, in no order.
  const std::vector<Demand*>& waiting() const { return waiting_; }
  void starts_waiting(Demand& demand);
  void stops_waiting(Demand& demand);

  // Why no class meets it, in words. Kept until a class comes or goes.
  const std::string& why_none(Demand& demand) const;

  // Compares one demand in eight with all classes, as it takes so long: which ones depends on `turn`.
  void check(std::size_t turn) const;

 private:
  friend class Demands;
  void consider(Demand& demand, const Class& one);
  void adopt(Demand& demand);

  friend struct Demand;

  const Duration& aging_;
  std::map<std::string_view, std::unique_ptr<Class>> by_text_;  // by its profile's text
  std::vector<const Class*> by_index_;                          // none: nobody has it
  std::vector<std::size_t> unused_;                             // of these
  Demand plain_;
  Chain<Demand, &Demand::of_service> demands_;  // but the plain one
  std::vector<Demand*> waiting_;
};

// The demands of all services.
class Demands {
 public:
  explicit Demands(std::size_t most) : most_(most) {}

  // What the request wants of the workers of a service; made if need be. A Fault says what is wrong with what it says.
  // `counting`: its attributes, where others count than it says.
  std::variant<Demand*, Fault> of(Matching& service, const Request& message,
                                  const std::optional<Attributes>& counting = std::nullopt);

  void starts_waiting(Demand& demand);
  void stops_waiting(Demand& demand);
  void drop_all(Matching& service);  // nobody waits by any of them
  std::size_t size() const { return by_name_.size(); }
  void check() const;

 private:
  void drop(Demand& demand);
  static std::string key_of(const Matching& service, std::string_view when, std::string_view prefer,
                            const std::string& attributes);

  std::size_t most_;
  std::unordered_map<std::string, std::unique_ptr<Demand>> by_name_;
  std::unordered_map<std::string, Demand*> by_spelling_;
  Chain<Demand, &Demand::unused> unused_;  // the one used longest ago first
};

inline Demand::Demand(Matching& service) : of(&service), line(service.aging_) {}

// A request says nothing of whom it wants, or who it is.
inline bool is_plain(const Request& message) {
  return message.when.empty() && message.prefer.empty() && message.attributes.empty();
}

}  // namespace pointsman::broker
