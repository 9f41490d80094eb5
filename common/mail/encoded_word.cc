#include "mail/encoded_word.h"

#include <iconv.h>

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"

namespace sluice {
namespace {

// A word has at most 75 characters: "=?utf-8?B?" and "?=" take 12, so 60 of base64, 45 bytes.
constexpr size_t kWordBytes = 45;
constexpr size_t kLine = 76;

std::optional<std::string> DecodeQ(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      out += ' ';
    } else if (text[i] != '=') {
      out += text[i];
    } else {
      const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                      : -1;
      };
      if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) {
        return std::nullopt;
      }
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    }
  }
  return out;
}

// The word at the front of `text`, and its size.
std::optional<std::string> DecodeOne(std::string_view text, size_t& size) {
  if (!text.starts_with("=?")) return std::nullopt;
  const size_t charset_end = text.find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() ||
      text[charset_end + 2] != '?') {
    return std::nullopt;
  }
  const size_t end = text.find("?=", charset_end + 3);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view charset = text.substr(2, charset_end - 2);
  charset = charset.substr(0, charset.find('*'));  // RFC 2231: the language
  const std::string_view coded = text.substr(charset_end + 3, end - charset_end - 3);
  if (coded.find_first_of(" \t") != std::string_view::npos) return std::nullopt;
  const char kind = text[charset_end + 1];
  std::optional<std::string> bytes;
  if (kind == 'B' || kind == 'b') bytes = DecodeBase64(coded);
  if (kind == 'Q' || kind == 'q') bytes = DecodeQ(coded);
  if (!bytes.has_value()) return std::nullopt;
  size = end + 2;
  return ToUtf8(*bytes, charset);
}

}  // namespace

std::optional<std::string> ToUtf8(std::string_view bytes, std::string_view charset) {
  std::string name(charset);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.empty() || name == "us-ascii") name = "utf-8";
  const iconv_t converter = ::iconv_open("UTF-8", name.c_str());
  if (converter == reinterpret_cast<iconv_t>(-1)) return std::nullopt;
  std::string out(bytes.size() * 4 + 16, '\0');
  char* from = const_cast<char*>(bytes.data());
  size_t from_left = bytes.size();
  char* to = out.data();
  size_t to_left = out.size();
  const bool is_converted = ::iconv(converter, &from, &from_left, &to, &to_left) != static_cast<size_t>(-1);
  ::iconv_close(converter);
  if (!is_converted || from_left > 0) return std::nullopt;
  out.resize(out.size() - to_left);
  return out;
}

std::string DecodeWords(std::string_view value) {
  std::string out;
  size_t behind_word = std::string::npos;  // size of `out` after a word
  while (!value.empty()) {
    size_t size = 0;
    if (auto word = DecodeOne(value, size); word.has_value()) {
      // Blanks between two words do not count (section 6.2).
      if (behind_word != std::string::npos &&
          out.find_first_not_of(" \t", behind_word) == std::string::npos) {
        out.resize(behind_word);
      }
      out += *word;
      behind_word = out.size();
      value.remove_prefix(size);
    } else {
      out += value.front();
      value.remove_prefix(1);
    }
  }
  return out;
}

void AppendEncodedWords(std::string& out, std::string_view text, size_t used) {
  for (bool is_first = true; !text.empty(); is_first = false) {
    size_t size = std::min(text.size(), kWordBytes);
    // A character stays in one word.
    while (size > 1 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    const size_t word = 12 + (size + 2) / 3 * 4;
    if (!is_first || used + word > kLine) {
      out += "\r\n ";
      used = 1;
    }
    out += "=?utf-8?B?";
    AppendBase64(out, text.substr(0, size));
    out += "?=";
    used += word;
    text.remove_prefix(size);
  }
}

}  // namespace sluice
