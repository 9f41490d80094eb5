// From an entry to the pieces that go over the wire: what Sluice adds, then the message as
// submitted. No copy of the body is made. Signatures go in front of the other pieces.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "egress/work.h"

namespace sluice::egress {

// Points into the entry's content and, when it is not stored as it is sent, into `body`.
struct Rendered {
  std::array<std::string_view, 2> pieces;
  std::shared_ptr<const DecodedBody> body;
};

// Whether all recipients of a message get the same bytes and the same return path, so that they may
// share a transaction.
bool IsSameForAll(const Content& content);

// `entry` has its content and outlives `out`. DataLoss: the stored bytes are broken. Unimplemented:
// the message has merge fields, which must never go out as they are.
[[nodiscard]] absl::Status Render(const Entry& entry, Rendered& out);

}  // namespace sluice::egress
