// Memory that contents live in, used again and again: the strings that hold what came, and the
// buffers that it is decoded into. They are allocated on one thread and freed on another at the
// rate of the mail, which is what a general allocator does worst.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::egress {

// Thread-safe. Keeps a bounded number of pieces of a bounded size; larger ones come from the
// allocator and go back.
class ContentMemory {
 public:
  static constexpr size_t kMostStrings = 512;
  static constexpr size_t kMostStringBytes = size_t{32} << 10;
  static constexpr size_t kBufferBytes = size_t{16} << 10;
  static constexpr size_t kMostBuffers = 256;

  ContentMemory();

  // An empty string that may have room already.
  std::string TakeString();
  void GiveString(std::string text);

  // At least `size` bytes without a value, counted as decoded until given back with the same size.
  std::unique_ptr<char[]> TakeBuffer(size_t size);
  void GiveBuffer(std::unique_ptr<char[]> buffer, size_t size);
  // Bytes decoded right now, over all contents.
  size_t decoded_bytes() const { return decoded_bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> decoded_bytes_{0};
  std::mutex mutex_;
  std::vector<std::string> strings_;
  std::vector<std::unique_ptr<char[]>> buffers_;
};

}  // namespace sluice::egress
