// A store in a file of SQLite: the database without a server.

#pragma once

#include <memory>
#include <string>

#include "broker/database/store.hpp"

namespace pointsman::broker {

std::unique_ptr<Store> open_sqlite(const std::string& path, Purpose purpose);

}  // namespace pointsman::broker
