// AllowedKeys: who may come, and what each may do; and the text of the file that says so.
//
// The file has one key a line; empty lines and lines that begin with # say nothing:
//
//   NAME KEY ROLES [FIELD=VALUE …]
//   alice rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 client asks=zip,img.* until=2027-01-31 sessions=10 rate=50 burst=100
//
// NAME   letters, digits and . _ - ; unique. KEY: Z85, unique. ROLES: client, worker, peer, admin; joined by commas.
// asks, offers         services that a client may ask for, a worker may offer: names, or beginnings of names with * behind;
//                      joined by commas. Left out: all. A name with a space or comma is reached by a * only.
// until                the last day, or the moment, in UTC: 2027-01-31, 2027-01-31T12:00:00Z. Left out: for ever.
// sessions, waiting    at a time, of a client; workers: registered at a time; connections: to each listener. 0, left out: as
//                      many as the broker takes.
// rate, burst          requests a second, and at once after a pause. burst left out: as many as a second's. rate 0, left
//                      out: as fast as the broker is.
// revoked              without a value: known, and not let in.
//
// Pure values and functions, no clock and no file. Thread safe while nobody writes.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "protocol/fields.hpp"
#include "protocol/key.hpp"

namespace pointsman {

enum class Role : std::uint8_t {
  client,  // asks for workers, on the clients' listener
  worker,  // offers services, on the workers' listener
  peer,    // another broker, on either
  admin,   // looks at everything and changes what can be changed, on the clients' listener
  count_
};
template <>
struct Words<Role> {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Role::count_)> list{
      "client", "worker", "peer", "admin"};
};

// A set of roles.
class Roles {
 public:
  constexpr Roles() = default;
  constexpr Roles(std::initializer_list<Role> roles) {
    for (const Role role : roles) add(role);
  }
  constexpr void add(Role role) { bits_ = static_cast<std::uint8_t>(bits_ | bit(role)); }
  constexpr bool has(Role role) const { return (bits_ & bit(role)) != 0; }
  constexpr bool has_any(Roles others) const { return (bits_ & others.bits_) != 0; }
  constexpr bool none() const { return bits_ == 0; }
  friend constexpr bool operator==(Roles, Roles) = default;

 private:
  static constexpr std::uint8_t bit(Role role) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(role));
  }
  std::uint8_t bits_ = 0;
};

// "client,admin"; "none" for no role.
std::string to_text(Roles roles);

enum class Standing : std::uint8_t { good, revoked, expired };

// One key and what it may do. Whoever decides looks at `standing` first.
struct Allowance {
  PublicKey key;
  std::string name;
  Roles roles;
  std::vector<std::string> asks{"*"};
  std::vector<std::string> offers{"*"};
  std::uint64_t until = 0;  // Unix seconds: no longer good from then on; 0: for ever
  std::uint64_t sessions = 0;
  std::uint64_t waiting = 0;
  std::uint64_t workers = 0;
  std::uint64_t connections = 0;
  std::uint64_t rate = 0;
  std::uint64_t burst = 0;  // never 0 where rate is not
  Standing standing = Standing::good;
  friend bool operator==(const Allowance&, const Allowance&) = default;
};

// Whether a pattern of the list fits the service.
bool fits(const std::vector<std::string>& patterns, std::string_view service);

inline bool may_ask(const Allowance& who, std::string_view service) { return fits(who.asks, service); }
inline bool may_offer(const Allowance& who, std::string_view service) { return fits(who.offers, service); }

// All keys, in the order of their file. Shared by parties as std::shared_ptr<const AllowedKeys>.
class AllowedKeys {
 public:
  AllowedKeys() = default;

  // Keys and names are unique among `list`.
  explicit AllowedKeys(std::vector<Allowance> list);

  // One lookup, whatever the standing. Null: nobody has heard of this key.
  const Allowance* find(const PublicKey& key) const;
  const Allowance* find(std::string_view name) const;  // a walk

  const std::vector<Allowance>& list() const { return list_; }

  // The same at a moment: those whose time is over are `expired`.
  AllowedKeys at(std::uint64_t unix_seconds) const;

  // When at() will say something else than it did; 0: never.
  std::uint64_t next_end(std::uint64_t unix_seconds) const;

  friend bool operator==(const AllowedKeys& a, const AllowedKeys& b) { return a.list_ == b.list_; }

 private:
  std::vector<Allowance> list_;
  std::unordered_map<PublicKey, std::size_t> places_;
};

namespace limits {
inline constexpr std::size_t allowed_keys = 100'000;   // in one file
inline constexpr std::size_t allowed_line = 4096;      // bytes of a line
inline constexpr std::size_t allowed_patterns = 64;    // of one key
inline constexpr std::uint64_t allowance = 1'000'000;  // the highest quota and rate
}  // namespace limits

// What is wrong with the file, in which line, and what to do.
struct AllowedFault {
  std::size_t line = 0;  // counts from 1
  std::string problem;
  std::string remedy;
  friend bool operator==(const AllowedFault&, const AllowedFault&) = default;
};

// All or nothing: one bad line makes a bad file.
std::variant<AllowedKeys, AllowedFault> parse_allowed(std::string_view text);

// One line of the file without its end; parse_allowed() reads it back.
std::string to_line(const Allowance& allowance);

// The text with the line of this key replaced, or one more at its end. Everything else stays as it is.
std::string with_allowance(std::string_view text, const Allowance& allowance);

// Unix seconds from "2027-01-31" (the end of that day) or "2027-01-31T12:00:00Z"; 0: it is neither. And back.
std::uint64_t moment_of(std::string_view text);
std::string to_moment(std::uint64_t unix_seconds);

}  // namespace pointsman
