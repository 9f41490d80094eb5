#include "smtp/mta_sts.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kVersion = "STSv1";
constexpr size_t kMaxIdBytes = 32;
constexpr size_t kMaxAgeDigits = 10;
constexpr size_t kMaxNameBytes = 253;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsAlnum(char c) {
  return (Lower(c) >= 'a' && Lower(c) <= 'z') || (c >= '0' && c <= '9');
}
bool IsNameCharacter(char c) { return IsAlnum(c) || c == '-' || c == '_' || c == '.'; }

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// What comes before `end`, taken off `rest` with it; all of `rest` when `end` is not there.
std::string_view Take(std::string_view& rest, char end) {
  const size_t at = std::min(rest.find(end), rest.size());
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

bool IsStsRecord(std::string_view text) {
  return Trim(Take(text, ';')) == "v=STSv1" && !text.empty();
}

std::string ToLower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), Lower);
  return out;
}

bool IsMxPattern(std::string_view pattern) {
  if (pattern.starts_with("*.")) {
    pattern.remove_prefix(2);
  }
  return !pattern.empty() && pattern.size() <= kMaxNameBytes && pattern.front() != '.' &&
         pattern.back() != '.' && pattern.find("..") == std::string_view::npos &&
         std::ranges::all_of(pattern, IsNameCharacter);
}

std::optional<StsMode> ParseMode(std::string_view name) {
  for (const StsMode mode : {StsMode::kNone, StsMode::kTesting, StsMode::kEnforce}) {
    if (ToString(mode) == name) {
      return mode;
    }
  }
  return std::nullopt;
}

// The fields of a policy as they come; of a repeated one the first counts (RFC 8461 §3.2).
struct PolicyFields {
  std::optional<std::string> version, mode, max_age;
  std::vector<std::string> mx;

  void Add(std::string_view key, std::string_view value) {
    if (key == "mx" && mx.size() < kMaxStsMx) {
      mx.push_back(ToLower(value));
    }
    for (const auto& [name, field] :
         {std::pair{"version", &version}, {"mode", &mode}, {"max_age", &max_age}}) {
      if (key == name && !field->has_value()) {
        *field = value;
      }
    }
  }
};

std::optional<std::chrono::seconds> ParseAge(std::string_view digits) {
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (digits.size() > kMaxAgeDigits || error != std::errc() ||
      end != digits.data() + digits.size() || seconds < 0) {
    return std::nullopt;
  }
  return std::min(std::chrono::seconds(seconds), kMaxStsAge);
}

absl::StatusOr<StsPolicy> ToPolicy(PolicyFields fields) {
  StsPolicy policy;
  if (fields.version != kVersion) {
    return absl::InvalidArgumentError("`version` is not STSv1");
  }
  const auto mode = fields.mode ? ParseMode(*fields.mode) : std::nullopt;
  if (!mode) {
    return absl::InvalidArgumentError("`mode` is none of enforce, testing, none");
  }
  const auto max_age = fields.max_age ? ParseAge(*fields.max_age) : std::nullopt;
  if (!max_age) {
    return absl::InvalidArgumentError("`max_age` is not a number of seconds");
  }
  for (const std::string& pattern : fields.mx) {
    if (!IsMxPattern(pattern)) {
      return absl::InvalidArgumentError(Cat("`mx` ", Quoted(pattern), " is not a host name"));
    }
  }
  if (fields.mx.empty() && *mode != StsMode::kNone) {
    return absl::InvalidArgumentError("there is no `mx`");
  }
  policy.mode = *mode;
  policy.mx = std::move(fields.mx);
  policy.max_age = *max_age;
  return policy;
}

}  // namespace

std::string_view ToString(StsMode mode) {
  switch (mode) {
    case StsMode::kNone:
      return "none";
    case StsMode::kTesting:
      return "testing";
    case StsMode::kEnforce:
      return "enforce";
  }
  return "invalid";
}

std::optional<std::string> FindStsId(const std::vector<std::string>& texts) {
  if (std::ranges::count_if(texts, IsStsRecord) != 1) {
    return std::nullopt;
  }
  std::string_view fields = *std::ranges::find_if(texts, IsStsRecord);
  while (!fields.empty()) {
    std::string_view value = Take(fields, ';');
    const std::string_view key = Trim(Take(value, '='));
    value = Trim(value);
    if (key == "id") {
      const bool is_sound = !value.empty() && value.size() <= kMaxIdBytes &&
                            std::ranges::all_of(value, IsAlnum);
      return is_sound ? std::optional(std::string(value)) : std::nullopt;
    }
  }
  return std::nullopt;
}

absl::StatusOr<StsPolicy> ParseStsPolicy(std::string_view body) {
  if (body.size() > kMaxStsPolicyBytes) {
    return absl::InvalidArgumentError("it is longer than 64 KB");
  }
  PolicyFields fields;
  while (!body.empty()) {
    std::string_view line = Take(body, '\n');
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (Trim(line).empty()) {
      continue;
    }
    if (line.find(':') == std::string_view::npos) {
      return absl::InvalidArgumentError(Cat("the line ", Quoted(line), " is no `key: value`"));
    }
    const std::string_view key = Take(line, ':');
    fields.Add(Trim(key), Trim(line));
  }
  return ToPolicy(std::move(fields));
}

bool NamesMx(const StsPolicy& policy, std::string_view host) {
  const std::string name = ToLower(host);
  const size_t dot = name.find('.');
  return std::ranges::any_of(policy.mx, [&](const std::string& pattern) {
    if (!pattern.starts_with("*.")) {
      return pattern == name;
    }
    return dot != std::string::npos && dot > 0 && name.substr(dot) == pattern.substr(1);
  });
}

}  // namespace sluice
