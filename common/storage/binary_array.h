// Arrays in PostgreSQL's binary wire format (array_recv), for parameters of batched statements: a
// number costs its bytes and content is copied, never escaped. Knows nothing of connections.
//
//   int32 dimensions | int32 has_nulls | uint32 element oid | int32 count | int32 lower bound |
//   (int32 size | bytes)…
//
// all big-endian, size −1 = null.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/clock.h"
#include "storage/hash128.h"

namespace sluice::storage {

// Element types whose C++ value is a std::string_view.
struct Text {};
struct Bytes {};

namespace internal {

template <class T>
struct Element;
template <>
struct Element<bool> {
  static constexpr uint32_t kOid = 16;
};
template <>
struct Element<Bytes> {
  static constexpr uint32_t kOid = 17;
};
template <>
struct Element<int64_t> {
  static constexpr uint32_t kOid = 20;
};
template <>
struct Element<int16_t> {
  static constexpr uint32_t kOid = 21;
};
template <>
struct Element<int32_t> {
  static constexpr uint32_t kOid = 23;
};
template <>
struct Element<Text> {
  static constexpr uint32_t kOid = 25;
};
template <>
struct Element<Instant> {
  static constexpr uint32_t kOid = 1184;
};
template <>
struct Element<Hash128> {
  static constexpr uint32_t kOid = 2950;
};

// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01 UTC.
inline constexpr int64_t kPostgresEpoch = 946'684'800'000'000;

template <std::integral T>
void AppendBigEndian(std::string& out, T value) {
  using Unsigned = std::make_unsigned_t<T>;
  auto bits = static_cast<Unsigned>(value);
  char bytes[sizeof(T)];
  for (size_t i = sizeof(T); i-- > 0;) {
    bytes[i] = static_cast<char>(bits & 0xff);
    if constexpr (sizeof(T) > 1) bits = static_cast<Unsigned>(bits >> 8);
  }
  out.append(bytes, sizeof(T));
}

}  // namespace internal

template <class T>
class BinaryArray {
 public:
  static constexpr bool kIsString = std::is_same_v<T, Text> || std::is_same_v<T, Bytes>;
  using Value = std::conditional_t<kIsString, std::string_view, T>;

  BinaryArray() { Clear(); }

  // Keeps the memory.
  void Clear() {
    count_ = 0;
    has_nulls_ = false;
    bytes_.resize(kHeaderBytes);
  }
  void Add(Value value) {
    ++count_;
    if constexpr (kIsString) {
      internal::AppendBigEndian(bytes_, static_cast<int32_t>(value.size()));
      bytes_.append(value);
    } else if constexpr (std::is_same_v<T, bool>) {
      internal::AppendBigEndian(bytes_, int32_t{1});
      bytes_ += value ? '\1' : '\0';
    } else if constexpr (std::is_same_v<T, Instant>) {
      internal::AppendBigEndian(bytes_, int32_t{8});
      internal::AppendBigEndian(bytes_, ToMicros(value) - internal::kPostgresEpoch);
    } else if constexpr (std::is_same_v<T, Hash128>) {
      internal::AppendBigEndian(bytes_, int32_t{16});
      internal::AppendBigEndian(bytes_, value.high);
      internal::AppendBigEndian(bytes_, value.low);
    } else {
      internal::AppendBigEndian(bytes_, static_cast<int32_t>(sizeof(T)));
      internal::AppendBigEndian(bytes_, value);
    }
  }
  void AddNull() {
    ++count_;
    has_nulls_ = true;
    internal::AppendBigEndian(bytes_, int32_t{-1});
  }
  // An empty string is stored as null.
  void AddOrNull(std::string_view value) requires kIsString {
    value.empty() ? AddNull() : Add(value);
  }
  int32_t count() const { return count_; }
  // The parameter; valid until the next change.
  std::string_view Encoded() {
    std::string header;
    for (const uint32_t word :
         {uint32_t{1}, has_nulls_ ? uint32_t{1} : uint32_t{0}, internal::Element<T>::kOid,
          static_cast<uint32_t>(count_), uint32_t{1}}) {
      internal::AppendBigEndian(header, word);
    }
    std::memcpy(bytes_.data(), header.data(), kHeaderBytes);
    return bytes_;
  }

 private:
  static constexpr size_t kHeaderBytes = 20;

  std::string bytes_;
  int32_t count_ = 0;
  bool has_nulls_ = false;
};

}  // namespace sluice::storage
