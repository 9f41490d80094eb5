// Why a TLS session was not what it had to be: the result types of RFC 8460 §4.3, for attempts and
// for reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

enum class TlsFailure : uint8_t {
  kNone,
  kStarttlsNotSupported,     // not offered, or refused
  kCertificateHostMismatch,  // the certificate bears another name
  kCertificateExpired,       // or is not valid yet
  kCertificateNotTrusted,    // no way to a trusted authority
  kValidationFailure,        // any other fault: the handshake broke, no TLSA record matches
  kTlsaInvalid,              // the TLSA records cannot be used or looked up
  kDnssecInvalid,            // DNSSEC says that the records were tampered with
  kStsPolicyFetchError,      // the MTA-STS policy could not be fetched
  kStsPolicyInvalid,         // the MTA-STS policy cannot be read
  kStsWebpkiInvalid,         // the policy host's certificate is not valid
};
// "starttls-not-supported" …; empty for kNone.
std::string_view ToString(TlsFailure failure);
std::optional<TlsFailure> ParseTlsFailure(std::string_view name);

}  // namespace sluice
