// A store on a server of PostgreSQL: one database for several brokers.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/database/store.hpp"

namespace pointsman::broker {

// `place`: a URI as libpq takes it, postgresql://[USER[:PASSWORD]@]HOST[:PORT]/NAME[?…].
std::unique_ptr<Store> open_postgres(const std::string& place, Purpose purpose);

// Its host, port and name, as a URI: what may be shown of it. Nothing: it cannot be read, or not in one way only.
std::optional<std::string> shown_postgres(const std::string& place);

}  // namespace pointsman::broker
