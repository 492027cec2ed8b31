// Did you mean: the known word nearest to one that is not known.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pointsman::program {

// The word that takes the fewest insertions, deletions, replacements and swaps to get to, if those are few for
// its length; else empty. The first of equals.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

// ", did you mean X?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace pointsman::program
