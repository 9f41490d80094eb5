// DKIM signatures for a finished message (RFC 6376, 8301, 8463): relaxed/relaxed, SHA-256, the whole
// body. What is signed is oversigned: a field named once more than it stands in the message cannot
// be added later without breaking the signature. Pure but for the random bits of RSA blinding;
// thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "smtp/dkim_key.h"

namespace sluice {

// Who signs: d=, s= and the key behind it. Refers to what the caller holds.
struct DkimSigner {
  std::string_view domain, selector;
  const DkimPrivateKey* key = nullptr;
};

// Signatures in one message, at most.
inline constexpr size_t kMostDkimSigners = 4;

// One DKIM-Signature field for each signer, folded, complete with CRLF, to be put before the message.
// `pieces` are the message as it will be sent, in order, CRLF line ends, no dot-stuffing; a piece
// begins at a field, or in the body. `now` becomes t=.
[[nodiscard]] absl::StatusOr<std::string> SignDkim(std::span<const std::string_view> pieces,
                                                   std::span<const DkimSigner> signers,
                                                   Instant now);

}  // namespace sluice
