// The Date header's value (RFC 5322 section 3.3).
#pragma once

#include <string>

#include "base/clock.h"

namespace sluice {

// "Tue, 24 Nov 2026 10:00:00 +0000": always UTC, always English.
std::string FormatDate(Instant at);

}  // namespace sluice
