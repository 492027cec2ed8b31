// Listings: all pages of rows, and rows as tables. For `ls`, `top` and `drain`.

#pragma once

#include "clients/program/context.hpp"
#include "clients/program/table.hpp"

namespace pointsman::program {

// All rows, or the first `limit` of them (0: all); `next` says that there are more. Throws Error.
Or<Listing> gather(Client& client, const Context& context, List question, std::uint64_t limit);

// The rows of the kind that was asked for.
Table table_of(const Listing& listing);

}  // namespace pointsman::program
