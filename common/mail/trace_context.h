// W3C Trace Context (Recommendation of 2021-11-23): the `traceparent` that a client sends along, so that its traces go on in our
// events and log lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// Name of the gRPC metadata entry, of the metadata entry of a submission that it becomes, and of the log field.
inline constexpr std::string_view kTraceparent = "traceparent";

// As version 00 (`00-<32 hex>-<16 hex>-<2 hex>`). Nothing when `text` is malformed: upper case, a trace or parent id of zeros only,
// version ff, anything after version 00's fields. Of a version that is not known yet its first four fields count, as §3.2.2.5 asks.
std::optional<std::string> ParseTraceparent(std::string_view text);

}  // namespace sluice
