// Descriptors: pipes and sockets of child processes, readable or writable, behind one descriptor that the
// transport watches. Used by one thread.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

namespace pointsman::workers {

class Descriptors {
 public:
  Descriptors();
  ~Descriptors();
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  int descriptor() const { return epoll_; }  // readable when dispatch() has something to do

  // Calls `handler` whenever `descriptor` can be read, or written, or its other end is closed. Remove it before
  // closing it. Handlers may add and remove anything.
  void on_readable(int descriptor, std::function<void()> handler);
  void on_writable(int descriptor, std::function<void()> handler);
  void remove(int descriptor);

  void dispatch();

 private:
  void add(int descriptor, std::uint32_t events, std::function<void()> handler);

  int epoll_;
  std::unordered_map<int, std::shared_ptr<std::function<void()>>> handlers_;
};

}  // namespace pointsman::workers
