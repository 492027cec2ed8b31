// Notices: where supervised processes say how they are (PROTOCOL.md, "Supervision"), each with the process that
// said so, as the kernel knows it. Used by one thread.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "broker/supervisor/core/events.hpp"

namespace pointsman::supervisor {

class Notices {
 public:
  // Binds a datagram socket at `path`, whose folder nobody else may enter. Throws std::system_error.
  explicit Notices(std::string path);
  ~Notices();
  Notices(const Notices&) = delete;
  Notices& operator=(const Notices&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return socket_; }

  struct Said {
    pid_t by = 0;
    std::string text;
  };
  std::optional<Said> next();  // does not wait

 private:
  std::string path_;
  int socket_ = -1;
};

// What a datagram says of `run`; what is not known is left out. Texts are cut to limits::text, names that are too
// long are left out.
Noticed noticed(Run run, std::string_view text);

}  // namespace pointsman::supervisor
