// Addresses as header fields write them (RFC 5322 section 3.4 with RFC 6532): display names,
// comments, folding. Read strictly: what two parsers could read differently is refused, because the
// domain found here decides who may send as whom.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/address.h"

namespace sluice {

// The addresses of a mailbox-list in order, at least one. `value` is a field's body, folded or not,
// without its final CRLF. Refused: groups, obsolete forms (routes, blanks around the dots of an
// address), more than limits::kFromAddresses. The error names what is wrong and the cure.
[[nodiscard]] absl::StatusOr<std::vector<EmailAddress>> ParseMailboxList(std::string_view value);

}  // namespace sluice
