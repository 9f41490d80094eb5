#include "ingest/stored_text.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sluice::ingest {
namespace {

// Lines of "index reason description\n"; neither reason nor description has a line end in it.
constexpr char kLineEnd = '\n';

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), kLineEnd, ' ');
  return line;
}

void AppendJsonString(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// Reads a JSON string at the start of `rest`.
bool TakeJsonString(std::string_view& rest, std::string& out) {
  if (!rest.starts_with('"')) return false;
  for (rest.remove_prefix(1); !rest.empty(); rest.remove_prefix(1)) {
    char c = rest.front();
    if (c == '"') {
      rest.remove_prefix(1);
      return true;
    }
    if (c == '\\') {
      rest.remove_prefix(1);
      if (rest.starts_with("u00") && rest.size() >= 5) {
        unsigned code = 0;
        const auto [end, error] = std::from_chars(rest.data() + 3, rest.data() + 5, code, 16);
        if (error != std::errc() || end != rest.data() + 5) return false;
        c = static_cast<char>(code);
        rest.remove_prefix(4);
      } else if (rest.starts_with('"') || rest.starts_with('\\')) {
        c = rest.front();
      } else {
        return false;
      }
    }
    out += c;
  }
  return false;
}

bool Take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

}  // namespace

std::string EncodeVerdicts(const std::vector<Verdict>& verdicts) {
  std::string bytes;
  for (const Verdict& verdict : verdicts) {
    Append(bytes, verdict.index, " ", verdict.reason, " ", OneLine(verdict.description), kLineEnd);
  }
  return bytes;
}

std::vector<Verdict> DecodeVerdicts(std::string_view bytes) {
  std::vector<Verdict> verdicts;
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find(kLineEnd), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    const size_t first = line.find(' ');
    const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return {};
    Verdict verdict{.index = 0,
                    .reason = std::string(line.substr(first + 1, second - first - 1)),
                    .description = std::string(line.substr(second + 1))};
    const auto [rest, error] = std::from_chars(line.data(), line.data() + first, verdict.index);
    if (error != std::errc() || rest != line.data() + first) return {};
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

std::string EncodeJsonMap(const Pairs& pairs) {
  if (pairs.empty()) return "";
  Pairs sorted = pairs;
  std::sort(sorted.begin(), sorted.end());
  std::string json;
  for (const auto& [name, value] : sorted) {
    json += json.empty() ? '{' : ',';
    AppendJsonString(json, name);
    json += ':';
    AppendJsonString(json, value);
  }
  return json += '}';
}

std::map<std::string, std::string> DecodeJsonMap(std::string_view json) {
  std::map<std::string, std::string> map;
  if (!Take(json, '{')) return {};
  do {
    std::string name;
    std::string value;
    if (!TakeJsonString(json, name) || !Take(json, ':') || !TakeJsonString(json, value)) return {};
    map.insert_or_assign(std::move(name), std::move(value));
  } while (Take(json, ','));
  if (json != "}") return {};
  return map;
}

Pairs Overlay(const Pairs& under, const Pairs& over) {
  Pairs merged = over;
  for (const auto& pair : under) {
    const bool is_covered = std::any_of(over.begin(), over.end(),
                                        [&](const auto& own) { return own.first == pair.first; });
    if (!is_covered) merged.push_back(pair);
  }
  return merged;
}

}  // namespace sluice::ingest
