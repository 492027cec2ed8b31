// Which kind of database a place names.
#include "broker/database/store.hpp"

#include "broker/database/sqlite.hpp"

namespace pointsman::broker {

namespace {

constexpr std::string_view sqlite = "sqlite:";

}  // namespace

std::unique_ptr<Store> open_store(const std::string& place, Purpose purpose) {
  if (place.find("://") != std::string::npos) {
    throw DatabaseError(DatabaseError::Kind::foreign, "'" + place + "' is no kind of database that is known",
                        "write the path of a file, or sqlite:PATH");
  }
  return open_sqlite(place.starts_with(sqlite) ? place.substr(sqlite.size()) : place, purpose);
}

std::string shown_place(const std::string& place) { return "database '" + place + "'"; }

}  // namespace pointsman::broker
