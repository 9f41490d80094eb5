#include "storage/rows.h"

#include <charconv>

#include "base/check.h"

namespace sluice::storage {
namespace {

template <class T>
T ParseInt(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  SLUICE_CHECK(error == std::errc() && end == text.data() + text.size());
  return value;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  SLUICE_CHECK(c >= 'a' && c <= 'f');
  return c - 'a' + 10;
}

}  // namespace

template <class T>
T IntOf(const pqxx::field& field) {
  return ParseInt<T>(ViewOf(field));
}
template int16_t IntOf<int16_t>(const pqxx::field&);
template int32_t IntOf<int32_t>(const pqxx::field&);
template int64_t IntOf<int64_t>(const pqxx::field&);

std::optional<Instant> MaybeInstantOf(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return InstantOf(field);
}

std::string BytesOf(const pqxx::field& field) {
  std::string_view hex = ViewOf(field);
  if (hex.empty()) return {};
  SLUICE_CHECK(hex.starts_with("\\x") && hex.size() % 2 == 0);
  hex.remove_prefix(2);
  std::string out(hex.size() / 2, '\0');
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>(HexDigit(hex[2 * i]) << 4 | HexDigit(hex[2 * i + 1]));
  }
  return out;
}

std::vector<std::optional<int64_t>> IntsOf(const pqxx::field& field) {
  std::string_view text = ViewOf(field);
  std::vector<std::optional<int64_t>> out;
  if (text.empty() || text == "{}") return out;
  SLUICE_CHECK(text.front() == '{' && text.back() == '}');
  text = text.substr(1, text.size() - 2);
  for (;;) {
    const std::string_view item = text.substr(0, text.find(','));
    if (item == "NULL") {
      out.push_back(std::nullopt);
    } else {
      out.push_back(ParseInt<int64_t>(item));
    }
    if (item.size() == text.size()) return out;
    text.remove_prefix(item.size() + 1);
  }
}

}  // namespace sluice::storage
