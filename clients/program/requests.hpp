// Requests of `pointsman call`: where each comes from, read when its turn comes.

#pragma once

#include <string>
#include <vector>

#include "clients/program/problem.hpp"
#include "protocol/frame.hpp"

namespace pointsman::program {

class Requests {
 public:
  // From what stands on the command line: TEXT, `-` for stdin, @FILE; none: one empty request. All of them
  // `repeat` times. The problem is one that can be known before the first is sent.
  static Or<Requests> from(const std::vector<std::string>& words, std::uint64_t repeat);

  std::uint64_t count() const { return sources_.size() * repeat_; }

  // The request of this number, from 0. Reads its file anew each time.
  Or<Payload> read(std::uint64_t number) const;

  // What it is, for a report: "@notes.txt".
  std::string name(std::uint64_t number) const;

 private:
  struct Source {
    std::string name;
    std::string file;  // empty: `frame` is it
    Frame frame;
  };
  std::vector<Source> sources_;
  std::uint64_t repeat_ = 1;
};

}  // namespace pointsman::program
