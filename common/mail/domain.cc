#include "mail/domain.h"

#include <arpa/inet.h>
#include <idn2.h>

#include <array>
#include <memory>

#include "base/text.h"
#include "mail/limits.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

constexpr size_t kLabelBytes = 63;

absl::Status Bad(std::string_view domain, std::string_view why) {
  return absl::InvalidArgumentError(Cat("domain ", Quoted(domain), " ", why));
}

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

void LowerAscii(std::string& text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
}

absl::Status CheckLabel(std::string_view label, std::string_view domain) {
  if (label.empty()) return Bad(domain, "has an empty label: remove the extra dot");
  if (label.size() > kLabelBytes) return Bad(domain, "has a label over 63 bytes: shorten it");
  for (const char c : label) {
    if (IsLetterOrDigit(c) || c == '-') continue;
    return Bad(domain, Cat("has ", Quoted(std::string_view(&c, 1)),
                           " in it: labels consist of letters, digits and hyphens"));
  }
  if (label.front() == '-' || label.back() == '-') {
    return Bad(domain, "has a label that begins or ends with a hyphen: remove it");
  }
  return absl::OkStatus();
}

// `domain` is lower-case ASCII without trailing dot.
absl::Status CheckLabels(std::string_view domain) {
  if (domain.size() > limits::kDomainBytes) return Bad(domain, "is over 255 bytes: shorten it");
  bool has_letter = false;
  for (size_t begin = 0; begin <= domain.size();) {
    const size_t end = std::min(domain.find('.', begin), domain.size());
    const std::string_view label = domain.substr(begin, end - begin);
    if (const absl::Status status = CheckLabel(label, domain); !status.ok()) return status;
    has_letter = label.find_first_not_of("0123456789") != std::string_view::npos;
    begin = end + 1;
  }
  // No top-level domain is a number; this is an IPv4 address or a slip of it.
  if (!has_letter)
    return Bad(domain, "ends with a number: write a name, or an address as [192.0.2.1]");
  return absl::OkStatus();
}

absl::StatusOr<std::string> ToALabels(std::string_view domain) {
  char* out = nullptr;
  const int code =
      idn2_to_ascii_8z(std::string(domain).c_str(), &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> owned(out, idn2_free);
  if (code != IDN2_OK) {
    return Bad(domain, Cat("is no valid internationalised name (", idn2_strerror(code),
                           "): correct it, or give it as A-labels (xn--…)"));
  }
  return std::string(out);
}

}  // namespace

absl::StatusOr<std::string> NormaliseDomain(std::string_view domain) {
  if (!domain.empty() && domain.back() == '.') domain.remove_suffix(1);
  if (domain.empty())
    return absl::InvalidArgumentError("the domain is empty: add it, as in user@example.com");
  // Long before any limit of libidn2; A-labels are never shorter than a quarter of their UTF-8.
  if (domain.size() > 4 * limits::kDomainBytes) return Bad(domain, "is over 255 bytes: shorten it");
  std::string name(domain);
  LowerAscii(name);
  const bool is_ascii = IsAscii(name);
  if (!is_ascii || name.starts_with("xn--") || name.find(".xn--") != std::string::npos) {
    if (name.find('\0') != std::string::npos) return Bad(domain, "has a NUL in it: remove it");
    if (!IsValidUtf8(name))
      return Bad(domain, "is not UTF-8: give it in UTF-8 or as A-labels (xn--…)");
    absl::StatusOr<std::string> labels = ToALabels(name);
    if (!labels.ok()) return labels.status();
    name = *std::move(labels);
    LowerAscii(name);
    if (!name.empty() && name.back() == '.') name.pop_back();
  }
  if (const absl::Status status = CheckLabels(name); !status.ok()) return status;
  return name;
}

absl::StatusOr<std::string> NormaliseAddressLiteral(std::string_view literal) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(Cat("address literal ", Quoted(literal), " ", why,
                                          ": write [192.0.2.1] or [IPv6:2001:db8::1]"));
  };
  if (literal.size() < 2 || literal.front() != '[' || literal.back() != ']') {
    return bad("lacks its brackets");
  }
  std::string inner(literal.substr(1, literal.size() - 2));
  if (inner.find('\0') != std::string::npos) return bad("has a NUL in it");
  constexpr std::string_view kTag = "ipv6:";
  std::string tag = inner.substr(0, kTag.size());
  LowerAscii(tag);
  const bool is_v6 = tag == kTag;
  if (is_v6) inner.erase(0, kTag.size());
  std::array<unsigned char, sizeof(in6_addr)> address{};
  const int family = is_v6 ? AF_INET6 : AF_INET;
  if (inet_pton(family, inner.c_str(), address.data()) != 1) return bad("holds no address");
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address.data(), text.data(), text.size());
  return Cat(is_v6 ? "[IPv6:" : "[", text.data(), "]");
}

}  // namespace sluice
