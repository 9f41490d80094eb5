#include "smtp/tls_failure.h"

#include <array>
#include <utility>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 11> kNames = {
    "",
    "starttls-not-supported",
    "certificate-host-mismatch",
    "certificate-expired",
    "certificate-not-trusted",
    "validation-failure",
    "tlsa-invalid",
    "dnssec-invalid",
    "sts-policy-fetch-error",
    "sts-policy-invalid",
    "sts-webpki-invalid",
};

}  // namespace

std::string_view ToString(TlsFailure failure) { return kNames[static_cast<size_t>(failure)]; }

std::optional<TlsFailure> ParseTlsFailure(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) {
      return static_cast<TlsFailure>(i);
    }
  }
  return std::nullopt;
}

}  // namespace sluice
