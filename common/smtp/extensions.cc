#include "smtp/extensions.h"

#include <algorithm>
#include <charconv>

namespace sluice {
namespace {

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool EqualsIgnoringCase(std::string_view text, std::string_view upper) {
  return std::ranges::equal(text, upper, {}, Upper);
}

// Takes the first word off `line`; blanks before and after it go with it.
std::string_view TakeWord(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t";
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const size_t length = std::min(line.find_first_of(kBlanks), line.size());
  const std::string_view word = line.substr(0, length);
  line.remove_prefix(length);
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return word;
}

bool IsMechanism(std::string_view word) {
  return !word.empty() && word.size() <= 20 && std::ranges::all_of(word, [](char c) {
    const char upper = Upper(c);
    return (upper >= 'A' && upper <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void AddMechanism(std::vector<std::string>& auth, std::string_view word) {
  if (!IsMechanism(word) || auth.size() >= Extensions::kMaxAuthMechanisms) {
    return;
  }
  std::string mechanism(word);
  std::ranges::transform(mechanism, mechanism.begin(), Upper);
  if (std::ranges::find(auth, mechanism) == auth.end()) {
    auth.push_back(std::move(mechanism));
  }
}

// 0, no limit stated, for anything that is not a whole number.
uint64_t ReadSize(std::string_view word) {
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), size);
  return error == std::errc() && end == word.data() + word.size() ? size : 0;
}

}  // namespace

void Extensions::AddLine(std::string_view line) {
  struct Flag {
    std::string_view keyword;
    bool Extensions::*member;
  };
  static constexpr Flag kFlags[] = {
      {"PIPELINING", &Extensions::pipelining},
      {"CHUNKING", &Extensions::chunking},
      {"SIZE", &Extensions::size},
      {"8BITMIME", &Extensions::eight_bit_mime},
      {"SMTPUTF8", &Extensions::smtputf8},
      {"STARTTLS", &Extensions::starttls},
      {"DSN", &Extensions::dsn},
      {"ENHANCEDSTATUSCODES", &Extensions::enhanced_status_codes},
  };
  const std::string_view keyword = TakeWord(line);
  for (const Flag& flag : kFlags) {
    if (EqualsIgnoringCase(keyword, flag.keyword)) {
      this->*flag.member = true;
    }
  }
  if (EqualsIgnoringCase(keyword, "SIZE")) {
    max_size_bytes = ReadSize(TakeWord(line));
  }
  // "AUTH=LOGIN" is how servers spoke to old Outlooks.
  const bool is_old_auth = keyword.size() > 5 && EqualsIgnoringCase(keyword.substr(0, 5), "AUTH=");
  if (is_old_auth) {
    AddMechanism(auth, keyword.substr(5));
  }
  if (is_old_auth || EqualsIgnoringCase(keyword, "AUTH")) {
    for (std::string_view word = TakeWord(line); !word.empty(); word = TakeWord(line)) {
      AddMechanism(auth, word);
    }
  }
}

}  // namespace sluice
