// Domain names as mail uses them: LDH labels in lower case, internationalised names as A-labels
// (IDNA 2008 with the UTS 46 mapping that browsers use). Syntax only; whether the name exists is
// DNS's to say.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice {

// "Bücher.Example." → "xn--bcher-kva.example". One trailing dot is dropped. Refused: empty labels,
// underscores, labels over 63 and names over 255 bytes, a bare IPv4 address, invalid A- or
// U-labels. The error names what is wrong and the cure.
[[nodiscard]] absl::StatusOr<std::string> NormaliseDomain(std::string_view domain);

// "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3), canonical: the address as
// inet_ntop writes it, the tag as "IPv6". General address literals are refused.
[[nodiscard]] absl::StatusOr<std::string> NormaliseAddressLiteral(std::string_view literal);

}  // namespace sluice
