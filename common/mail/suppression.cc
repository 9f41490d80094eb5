#include "mail/suppression.h"

#include <openssl/sha.h>

#include "base/status.h"
#include "mail/address.h"

namespace sluice {
namespace {

constexpr std::string_view kNames[] = {"bounce", "complaint", "unsubscribe", "manual"};

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

}  // namespace

std::string_view ToString(SuppressionReason reason) { return kNames[static_cast<size_t>(reason)]; }

std::optional<SuppressionReason> ParseSuppressionReason(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<SuppressionReason>(i);
  }
  return std::nullopt;
}

absl::StatusOr<std::string> SuppressedAddress(std::string_view address) {
  ASSIGN_OR_RETURN(const EmailAddress parsed, EmailAddress::Parse(address, AddressLiterals::kAllow));
  return Lower(parsed.ToString());
}

AddressHash HashAddress(std::string_view address) {
  const std::string lower = Lower(address);
  AddressHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(lower.data()), lower.size(), hash.data());
  return hash;
}

}  // namespace sluice
