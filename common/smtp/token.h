// The opaque token that names one recipient's copy of one message: in a return path (smtp/verp.h)
// and in a header field, from where bounces and complaints bring it home. Keyed, so that nobody
// else can make one, and encrypted, so that it tells nobody how much is sent; no table is needed to
// read it.
//
//   text  = 32 characters of base32 (lower case; capitals are read, too) = 20 bytes
//   bytes = tag (10) | cipher (10)
//   tag    = HMAC-SHA256(mac key, plain), cut;   cipher = plain xor HMAC-SHA256(cipher key, tag), cut
//   plain  = queue entry id (8, big endian) | queue entry id − message id (2, big endian)
//
// The layout is out in the world for as long as mail is bounced: it may not change.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/ids.h"

namespace sluice {

inline constexpr size_t kTokenTextSize = 32;

// What a token says.
struct TokenContent {
  MessageId message;
  QueueEntryId entry;
  friend bool operator==(const TokenContent&, const TokenContent&) = default;
};

// The secrets that make and read tokens. Immutable, copied freely; thread-safe.
class TokenKeys {
 public:
  static constexpr size_t kMostSecrets = 8;
  static constexpr size_t kLeastSecretBytes = 32;

  // One secret a line, at least 32 printable characters (`openssl rand -hex 32`); blank lines and
  // lines that begin with # do not count. The first makes tokens, all of them read: a new secret
  // goes on top, an old one stays as long as its mail may bounce. Errors name the line and the
  // cure, never the secret.
  [[nodiscard]] static absl::StatusOr<TokenKeys> Parse(std::string_view file);

  // Precondition: the entry is one of the message's first 65,536. The same every time.
  std::string Encode(const TokenContent& content) const;
  // NotFound: no token that one of these secrets has made.
  [[nodiscard]] absl::StatusOr<TokenContent> Decode(std::string_view text) const;

 private:
  using Key = std::array<uint8_t, 32>;
  struct Secret {
    Key mac, cipher;
  };
  TokenKeys() = default;

  std::vector<Secret> secrets_;
};

// In what is added to a message (headers, return path) this byte stands for the recipient's token.
// Clients cannot submit it there: control characters are refused.
inline constexpr char kTokenPlaceholder = '\x01';
// `text` with every placeholder replaced.
std::string WithToken(std::string_view text, std::string_view token);

}  // namespace sluice
