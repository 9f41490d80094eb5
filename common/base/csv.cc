#include "base/csv.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr size_t kMostFields = 256;

// From behind the opening quote to behind the closing one.
std::string TakeQuoted(std::string_view& text) {
  std::string field;
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '"') {
      if (at + 1 >= text.size() || text[at + 1] != '"') break;
      ++at;
    }
    field += text[at++];
  }
  text.remove_prefix(at < text.size() ? at + 1 : at);
  return field;
}

}  // namespace

std::optional<std::vector<std::string>> NextCsvRecord(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  std::vector<std::string> record;
  while (true) {
    std::string field;
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      field = TakeQuoted(text);
    }
    // What stands behind a closing quote belongs to the field: wrong, but kept.
    const size_t end = std::min(text.find_first_of(",\n"), text.size());
    std::string_view rest = text.substr(0, end);
    const bool is_last = end == text.size() || text[end] == '\n';
    if (is_last && rest.ends_with('\r')) rest.remove_suffix(1);
    field += rest;
    if (record.size() < kMostFields) record.push_back(std::move(field));
    text.remove_prefix(end == text.size() ? end : end + 1);
    if (is_last) return record;
  }
}

std::string CsvField(std::string_view value) {
  if (value.find_first_of("\",\r\n") == std::string_view::npos) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

}  // namespace sluice
