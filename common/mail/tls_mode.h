// How a connection to a mail server is encrypted: the words of the policy's `tls`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

enum class TlsMode : uint8_t {
  kOff,            // plain text even if STARTTLS is offered
  kOpportunistic,  // STARTTLS if offered, certificate not verified; else plain text (RFC 7435)
  kRequired,       // encrypted or not at all, certificate not verified
  kVerified,       // encrypted to a server that proved its name, or not at all
};
std::optional<TlsMode> ParseTlsMode(std::string_view name);
std::string_view ToString(TlsMode mode);

}  // namespace sluice
