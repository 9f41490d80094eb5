#include "smtp/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <optional>
#include <span>

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kHalf = 10;
using Half = std::array<uint8_t, kHalf>;
using Digest = std::array<uint8_t, 32>;

Digest Hmac(std::span<const uint8_t> key, std::span<const uint8_t> text) {
  Digest digest{};
  unsigned size = 0;
  SLUICE_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text.data(),
                    text.size(), digest.data(), &size) != nullptr);
  return digest;
}

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Half Cut(const Digest& digest) {
  Half half{};
  std::copy_n(digest.begin(), kHalf, half.begin());
  return half;
}

Half Xor(Half a, const Half& b) {
  for (size_t i = 0; i < kHalf; ++i) a[i] = static_cast<uint8_t>(a[i] ^ b[i]);
  return a;
}

// Five bits a character, first bits first.
std::string ToBase32(std::span<const uint8_t> bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5) text += kAlphabet[(bits >> (count - 5)) & 31];
  }
  return text;
}

std::optional<std::array<uint8_t, 2 * kHalf>> FromBase32(std::string_view text) {
  if (text.size() != kTokenTextSize) return std::nullopt;
  std::array<uint8_t, 2 * kHalf> bytes{};
  uint32_t bits = 0;
  int count = 0;
  size_t at = 0;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const size_t value = kAlphabet.find(lower);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 5) | static_cast<uint32_t>(value);
    count += 5;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = static_cast<uint8_t>(bits >> count);
  }
  return bytes;
}

Half PlainOf(const TokenContent& content) {
  const auto entry = static_cast<uint64_t>(content.entry.value());
  const int64_t offset = content.entry.value() - content.message.value();
  SLUICE_CHECK(offset >= 0 && offset <= 0xffff);
  Half plain{};
  for (size_t i = 0; i < 8; ++i) plain[i] = static_cast<uint8_t>(entry >> (56 - 8 * i));
  plain[8] = static_cast<uint8_t>(offset >> 8);
  plain[9] = static_cast<uint8_t>(offset);
  return plain;
}

TokenContent ContentOf(const Half& plain) {
  uint64_t entry = 0;
  for (size_t i = 0; i < 8; ++i) entry = (entry << 8) | plain[i];
  const int64_t offset = (int64_t{plain[8]} << 8) | plain[9];
  return {.message = MessageId(static_cast<int64_t>(entry) - offset),
          .entry = QueueEntryId(static_cast<int64_t>(entry))};
}

absl::Status CheckSecret(std::string_view secret, size_t line) {
  if (secret.size() < TokenKeys::kLeastSecretBytes) {
    return absl::InvalidArgumentError(
        Cat("line ", line, ": the secret has ", secret.size(), " characters, at least ",
            TokenKeys::kLeastSecretBytes, " are needed: make one with `openssl rand -hex 32`"));
  }
  if (std::any_of(secret.begin(), secret.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return absl::InvalidArgumentError(
        Cat("line ", line, ": the secret has a character that is not printable ASCII: make one "
                           "with `openssl rand -hex 32`"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenKeys> TokenKeys::Parse(std::string_view file) {
  TokenKeys keys;
  for (size_t line = 1; !file.empty(); ++line) {
    std::string_view secret = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(secret.size() + 1, file.size()));
    if (secret.ends_with('\r')) secret.remove_suffix(1);
    if (secret.empty() || secret.starts_with('#')) continue;
    RETURN_IF_ERROR(CheckSecret(secret, line));
    if (keys.secrets_.size() == kMostSecrets) {
      return absl::InvalidArgumentError(
          Cat("line ", line, ": more than ", kMostSecrets, " secrets: drop the oldest"));
    }
    keys.secrets_.push_back({.mac = Hmac(Bytes(secret), Bytes("token mac 1")),
                             .cipher = Hmac(Bytes(secret), Bytes("token cipher 1"))});
  }
  if (keys.secrets_.empty()) {
    return absl::InvalidArgumentError(
        "there is no secret: make one with `openssl rand -hex 32`, one a line");
  }
  return keys;
}

std::string TokenKeys::Encode(const TokenContent& content) const {
  const Secret& secret = secrets_.front();
  const Half plain = PlainOf(content);
  const Half tag = Cut(Hmac(secret.mac, plain));
  const Half cipher = Xor(plain, Cut(Hmac(secret.cipher, tag)));
  std::array<uint8_t, 2 * kHalf> bytes{};
  std::copy(tag.begin(), tag.end(), bytes.begin());
  std::copy(cipher.begin(), cipher.end(), bytes.begin() + kHalf);
  return ToBase32(bytes);
}

absl::StatusOr<TokenContent> TokenKeys::Decode(std::string_view text) const {
  const auto bytes = FromBase32(text);
  if (!bytes.has_value()) return absl::NotFoundError(Cat(Quoted(text), " is no token"));
  Half tag{}, cipher{};
  std::copy_n(bytes->begin(), kHalf, tag.begin());
  std::copy_n(bytes->begin() + kHalf, kHalf, cipher.begin());
  for (const Secret& secret : secrets_) {
    const Half plain = Xor(cipher, Cut(Hmac(secret.cipher, tag)));
    const Half expected = Cut(Hmac(secret.mac, plain));
    if (CRYPTO_memcmp(expected.data(), tag.data(), kHalf) == 0) return ContentOf(plain);
  }
  return absl::NotFoundError(Cat("the token ", Quoted(text), " is not ours, or damaged"));
}

std::string WithToken(std::string_view text, std::string_view token) {
  std::string out;
  out.reserve(text.size() + token.size());
  while (true) {
    const size_t at = text.find(kTokenPlaceholder);
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    out.append(token);
    text.remove_prefix(at + 1);
  }
}

}  // namespace sluice
