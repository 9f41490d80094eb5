#include "egress/content_memory.h"

#include <utility>

namespace sluice::egress {

ContentMemory::ContentMemory() {
  strings_.reserve(kMostStrings);
  buffers_.reserve(kMostBuffers);
}

std::string ContentMemory::TakeString() {
  const std::lock_guard lock(mutex_);
  if (strings_.empty()) return {};
  std::string text = std::move(strings_.back());
  strings_.pop_back();
  return text;
}

void ContentMemory::GiveString(std::string text) {
  if (text.capacity() > kMostStringBytes) return;
  text.clear();
  const std::lock_guard lock(mutex_);
  if (strings_.size() < kMostStrings) strings_.push_back(std::move(text));
}

std::unique_ptr<char[]> ContentMemory::TakeBuffer(size_t size) {
  decoded_bytes_ += size;
  if (size > kBufferBytes) return std::make_unique_for_overwrite<char[]>(size);
  {
    const std::lock_guard lock(mutex_);
    if (!buffers_.empty()) {
      std::unique_ptr<char[]> buffer = std::move(buffers_.back());
      buffers_.pop_back();
      return buffer;
    }
  }
  return std::make_unique_for_overwrite<char[]>(kBufferBytes);
}

void ContentMemory::GiveBuffer(std::unique_ptr<char[]> buffer, size_t size) {
  decoded_bytes_ -= size;
  if (size > kBufferBytes) return;
  const std::lock_guard lock(mutex_);
  if (buffers_.size() < kMostBuffers) buffers_.push_back(std::move(buffer));
}

}  // namespace sluice::egress
