// Frame: one payload frame, shared and never copied on its way through a party.
//
// Immutable once made, so frames may be handed between threads. Knows nothing of ZeroMQ: the transport
// makes frames that own a received message, programs make frames from their own strings.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pointsman {

class Frame {
 public:
  Frame() = default;

  // Takes the string over.
  Frame(std::string text)  // NOLINT(google-explicit-constructor): a string is a frame
  {
    auto owned = std::make_shared<const std::string>(std::move(text));
    view_ = *owned;
    owner_ = std::move(owned);
  }
  Frame(const char* text) : Frame(std::string(text)) {}  // NOLINT(google-explicit-constructor)

  // A view of memory that `owner` keeps alive.
  Frame(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  std::string str() const { return std::string(view_); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

  friend bool operator==(const Frame& a, const Frame& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

// The payload frames behind a body; on the direct link only.
using Payload = std::vector<Frame>;

inline std::size_t bytes_of(const Payload& payload) {
  std::size_t bytes = 0;
  for (const Frame& frame : payload) bytes += frame.size();
  return bytes;
}

}  // namespace pointsman
