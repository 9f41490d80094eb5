// The Message-ID header's value (RFC 5322 section 3.6.4) for a message that came without one.
#pragma once

#include <string>
#include <string_view>

#include "mail/ids.h"

namespace sluice {

// "<0r2t8k…@shop.example>": unique because `id` is; `domain` is the From domain as an A-label.
std::string MakeMessageIdHeader(MessageId id, std::string_view domain);

}  // namespace sluice
