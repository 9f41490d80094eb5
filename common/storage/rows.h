// Reading text results: what the schema promises is checked, never guessed. Internal: shows pqxx.
#pragma once

#include <cstdint>
#include <optional>
#include <pqxx/prepared_statement>
#include <pqxx/result>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "storage/binary_array.h"

namespace sluice::storage {

// Valid as long as the result. Empty for null.
inline std::string_view ViewOf(const pqxx::field& field) { return {field.c_str(), field.size()}; }
inline std::string StringOf(const pqxx::field& field) { return std::string(ViewOf(field)); }
// Aborts when the column is no integer or does not fit: the statement is wrong, not the data.
template <class T>
T IntOf(const pqxx::field& field);
extern template int16_t IntOf<int16_t>(const pqxx::field&);
extern template int32_t IntOf<int32_t>(const pqxx::field&);
extern template int64_t IntOf<int64_t>(const pqxx::field&);
inline bool BoolOf(const pqxx::field& field) { return ViewOf(field) == "t"; }
// A column made by micros(…).
inline Instant InstantOf(const pqxx::field& field) { return FromMicros(IntOf<int64_t>(field)); }
std::optional<Instant> MaybeInstantOf(const pqxx::field& field);
// A bytea in hex; empty for null.
std::string BytesOf(const pqxx::field& field);
// A bigint[]; a null element reads as nullopt.
std::vector<std::optional<int64_t>> IntsOf(const pqxx::field& field);

template <class T, class Container>
BinaryArray<T> ArrayOf(const Container& values) {
  BinaryArray<T> array;
  for (const auto& value : values) {
    if constexpr (std::is_integral_v<T>) {
      array.Add(static_cast<T>(value));
    } else {
      array.Add(value);
    }
  }
  return array;
}

// Array parameters of a statement, in order.
class Parameters {
 public:
  template <class Array>
  Parameters& Add(Array&& array) {
    const std::string_view bytes = array.Encoded();
    values_.emplace_back(bytes.data(), bytes.size());
    return *this;
  }
  auto dynamic() const { return pqxx::prepare::make_dynamic_params(values_); }

 private:
  std::vector<pqxx::binarystring> values_;
};

}  // namespace sluice::storage
