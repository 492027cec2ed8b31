// A scenario file: a conversation with one core, line by line.
//
//   # Comments say what is to be seen.
//   broker lease=10s                                    the core that is played, and its options
//
//   40ms ann > request id=r1 service=zip                when, who, and what the core is told; a line without a
//       ann < refused about=request code=unknown-service  time goes on at the time of the line before
//       ...                                             four spaces: what the core said to that
//       3s bob < lost session=5                         with a time: said when only time had passed
//
// What the core said is compared with the file, or written into it.

#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/machine.hpp"

namespace pointsman::scenarios {

// Something that the scenario's author has to mend; what() names the line.
struct ScenarioError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The clock of every scenario starts here, at a time that no core takes for "not yet".
inline constexpr Instant opening{std::chrono::seconds(1)};

// One line that tells the core something: `who verb rest`, for example `ann > hello`. `ann by alice > hello`: her
// connection has proved to hold alice's key, then and from then on.
struct Told {
  std::string who;
  std::string key;
  std::string verb;
  std::string rest;
};

// A core on the stage. Each function returns the lines that the core said, without indentation.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::vector<std::string> tell(Instant now, const Told& told) = 0;
  virtual std::vector<std::string> elapse(Instant now) = 0;
  virtual Instant deadline() const = 0;
};

// Makes the stage from the first line that is no comment: the core's name and its options.
using Casting = std::function<std::unique_ptr<Stage>(std::string_view core, std::string_view options)>;

// Plays `text` and returns it with what the core says now. Throws ScenarioError.
std::string play(std::string_view text, const Casting& cast);

// The lines in which two texts differ, with a few around them; empty if they are equal.
std::string difference(const std::string& expected, const std::string& actual);

// "40ms", "1.5s", "2m", "3h", "forever" (as -1 ms); throws ScenarioError.
Duration duration_of(std::string_view word);

// The shortest of those forms.
std::string word_of(Duration duration);

}  // namespace pointsman::scenarios
