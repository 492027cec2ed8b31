// The messages of a hand-off as they are sent in these measurements: real ones, made by the project's codec, in which
// floors and generator then change ids and session numbers in place. So all rows carry the same bytes.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pointsman::peers {

inline constexpr std::size_t id_size = 32;  // a request's id, as the client library makes it
inline constexpr std::uint64_t first_session =
    1'700'000'000'000'000;  // of the size that a broker counts from

// A message whose id or session number is changed in place.
class Sample {
 public:
  // `id` and `session`: as they are in `bytes`; empty and 0: they are not changed.
  Sample(std::string bytes, std::string_view id, std::uint64_t session);
  const std::string& bytes() const { return bytes_; }
  void set_id(std::string_view id) { bytes_.replace(id_, id.size(), id); }
  void set_session(std::uint64_t session);

 private:
  std::string bytes_;
  std::size_t id_ = 0;
  std::size_t session_ = 0;
};

// Between clients and broker. What a floor grants has the size of what a broker grants.
Sample sample_request(const std::string& client);
Sample sample_waiting_request(const std::string& client);  // for a service that nobody offers
std::string sample_status();
Sample sample_granted(const std::string& worker, const std::string& ticket, const std::string& key);

// Between workers and broker.
std::string sample_register(const std::string& worker, std::uint64_t slots, const std::string& key);
std::string sample_registered(const std::string& worker, std::uint64_t lease);
Sample sample_assign(std::uint64_t lease);
void append_report(std::string& out, std::uint64_t lease, std::uint64_t first_event,
                   const std::vector<std::uint64_t>& closed, std::uint64_t seen);

// The direct link.
Sample sample_call(std::uint64_t number);
Sample sample_reply(std::uint64_t number);
Sample sample_release(const std::string& client);
Sample sample_released();
void append_opening_call(std::string& out, std::uint64_t session, std::string_view ticket,
                         const std::string& client);

// An id that no other has: the same letters, and a number.
void write_id(std::string& id, std::uint64_t number);

// Looks into a body in msgpack without decoding it: what a generator must know and no more.
std::string_view op_in(std::string_view body);
std::uint64_t number_in(std::string_view body, std::string_view field);  // 0: it is not there
std::string_view text_in(std::string_view body,
                         std::string_view field);  // bytes, too; empty: it is not there
void sessions_in(std::string_view body, std::vector<std::uint64_t>& out);  // of the rows of an `assign`

}  // namespace pointsman::peers
