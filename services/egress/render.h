// From an entry to the message that goes over the wire to its recipient: what Sluice adds, with the
// recipient's token in it, the content, its merge fields filled in, re-encoded when the peer takes no
// 8-bit content; and who has to sign the result. Where the content goes as it was submitted it is
// not copied.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "egress/key_ring.h"
#include "egress/work.h"
#include "smtp/dkim.h"
#include "smtp/extensions.h"

namespace sluice::egress {

// Refers to the entry's content and to itself: it stays where it is.
struct Rendered {
  Rendered() = default;
  Rendered(const Rendered&) = delete;
  Rendered& operator=(const Rendered&) = delete;

  std::string_view return_path;
  bool has_8bit = false;
  bool needs_smtputf8 = false;
  // Due; empty when none is.
  std::vector<DkimSigner> signers;

  // Set by whoever has signed.
  std::string signatures;
  // In the order of sending.
  std::array<std::string_view, 3> Pieces() const { return {signatures, added, message}; }
  // What is signed: all but the signatures.
  std::array<std::string_view, 2> SignedPieces() const { return {added, message}; }

  std::string_view added, message;
  // What the views above point to, where it is not the content's.
  std::string own_return_path, own_added;
  std::shared_ptr<const DecodedBody> body;
  std::shared_ptr<const Keys> keys;
};

struct RenderOutcome {
  enum class Kind {
    kReady,
    kBroken,   // the stored bytes are not what they should be: fetch them anew
    kHeld,     // a key or a secret is missing: the mail waits for it
    kRefused,  // it can never go to this peer
  };
  Kind kind = Kind::kReady;
  std::string why = {};
  EnhancedStatus status = {};  // of kRefused
};

// Whether all recipients of a message get the same bytes and the same return path, so that they may
// share a transaction.
bool IsSameForAll(const Content& content);

// `entry` has its content and, as `out`, outlives the transaction. `peer` is what the MX host has
// said it takes.
[[nodiscard]] RenderOutcome Render(const Entry& entry, const Extensions& peer,
                                   std::shared_ptr<const Keys> keys, Rendered& out);

}  // namespace sluice::egress
