// Which kind of database a place names.
#include "broker/database/store.hpp"

#include "broker/database/postgres.hpp"
#include "broker/database/sqlite.hpp"

namespace pointsman::broker {

namespace {

constexpr std::string_view sqlite = "sqlite:";

bool is_postgres(const std::string& place) {
  return place.starts_with("postgresql://") || place.starts_with("postgres://");
}

}  // namespace

std::unique_ptr<Store> open_store(const std::string& place, Purpose purpose) {
  if (is_postgres(place)) return open_postgres(place, purpose);
  if (place.find("://") != std::string::npos) {
    throw DatabaseError(DatabaseError::Kind::foreign,
                        "'" + place_without_secrets(place) + "' is no kind of database that is known",
                        "write the path of a file, sqlite:PATH, or postgresql://HOST/NAME");
  }
  return open_sqlite(place.starts_with(sqlite) ? place.substr(sqlite.size()) : place, purpose);
}

std::string place_without_secrets(const std::string& place) {
  const std::size_t scheme = place.find("://");
  if (scheme == std::string::npos) return place;
  return (is_postgres(place) ? shown_postgres(place) : std::nullopt)
      .value_or(place.substr(0, scheme + 3) + "...");
}

std::string shown_place(const std::string& place) {
  return "database '" + place_without_secrets(place) + "'";
}

}  // namespace pointsman::broker
