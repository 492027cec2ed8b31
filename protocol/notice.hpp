// Notice: what a process tells the one that watches over it, `pointsman up` or systemd, in sd_notify's datagrams
// (https://www.freedesktop.org/software/systemd/man/sd_notify.html; PROTOCOL.md, "Supervision").
//
// Without a watcher everything here does nothing. A watcher that does not read holds a message up for a second at
// most, a sign of life not at all; what was lost is said again with the next one.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/machine.hpp"

namespace pointsman {

class Notice {
 public:
  // By $NOTIFY_SOCKET, $WATCHDOG_USEC, $WATCHDOG_PID and $POINTSMAN_HANG_MS.
  Notice();
  ~Notice();
  Notice(const Notice&) = delete;
  Notice& operator=(const Notice&) = delete;

  // The one of this process, made at its first use. A forked copy speaks for itself with it.
  static Notice& of_process();

  // Takes these out of the environment, so that what this process starts does not speak in its name. Before there
  // are threads.
  static void keep_to_ourselves();

  bool wanted() const { return !address_.empty(); }

  void ready(std::string_view status = {});
  void status(std::string_view text);
  void stopping();
  void worker(std::string_view name, std::string_view instance);  // that it registers, before READY=1

  // Sends a sign of life when one is due; to be called by the loop whose life it is, in each turn. With
  // `moving` false, nothing: there is work, but it does not move on.
  void tick(Instant now, bool moving = true);
  Instant due() const { return due_; }  // when to call it at the latest; never: nobody waits for it

  // Work without progress for so long is hung; 0: work is not judged.
  Duration hang() const { return hang_; }

 private:
  void send(std::string_view text, int flags = 0) const;

  std::string address_;  // as sockaddr_un has it, with a zero byte in front if it is abstract; empty: nobody listens
  int socket_ = -1;
  std::string worker_;       // what is said again
  std::string ready_;
  Duration interval_{0};  // between signs of life; 0: none are wanted
  Duration hang_{0};
  Instant due_ = never;
};

// Judges whether work moves on. Pure.
class Movement {
 public:
  explicit Movement(Duration hang) : hang_(hang) {}

  // `progress` changes whenever work moves on. False once there was work for longer than `hang` without a change.
  bool moving(Instant now, bool busy, std::uint64_t progress) {
    if (!busy || progress != progress_) since_ = now;
    progress_ = progress;
    return hang_ == Duration{0} || now - since_ < hang_;
  }

 private:
  Duration hang_;
  std::uint64_t progress_ = 0;
  Instant since_;
};

}  // namespace pointsman
