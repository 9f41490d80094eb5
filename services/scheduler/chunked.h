// A vector that grows without moving: elements stay where they are, and nothing is reserved beyond one chunk.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace sluice::scheduler {

// Not thread-safe. Elements start as T().
template <class T>
class Chunked {
 public:
  T& operator[](size_t i) { return (*chunks_[i / kChunk])[i % kChunk]; }
  const T& operator[](size_t i) const { return (*chunks_[i / kChunk])[i % kChunk]; }
  size_t size() const { return size_; }
  T& Add() {
    if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<std::array<T, kChunk>>());
    return (*this)[size_++];
  }

 private:
  static constexpr size_t kChunk = 8192;
  std::vector<std::unique_ptr<std::array<T, kChunk>>> chunks_;
  size_t size_ = 0;
};

}  // namespace sluice::scheduler
