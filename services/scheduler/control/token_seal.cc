#include "scheduler/control/token_seal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <memory>
#include <optional>

#include "base/base64.h"
#include "base/check.h"

namespace sluice::scheduler {
namespace {

constexpr std::string_view kPurpose = "sluice refresh token 1";  // Another layout takes another key.
constexpr size_t kNonce = 12, kTag = 16, kMostBytes = 64 << 10;

using Key = std::array<unsigned char, 32>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Key KeyFrom(std::string_view secret) {
  Key key{};
  unsigned size = 0;
  SLUICE_CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(kPurpose.data()),
                    kPurpose.size(), key.data(), &size) != nullptr);
  return key;
}

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Cipher NewCipher() {
  Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  SLUICE_CHECK(cipher != nullptr);
  return cipher;
}

}  // namespace

std::string SealToken(std::string_view token, std::string_view secret, std::string_view name) {
  SLUICE_CHECK(token.size() <= kMostBytes);
  const Key key = KeyFrom(secret);
  // nonce, text, tag.
  std::string out(kNonce + token.size() + kTag, '\0');
  SLUICE_CHECK(RAND_bytes(Bytes(out), kNonce) == 1);
  const Cipher cipher = NewCipher();
  int size = 0, last = 0;
  unsigned char* const text = Bytes(out) + kNonce;
  SLUICE_CHECK(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), Bytes(out)) == 1);
  SLUICE_CHECK(EVP_EncryptUpdate(cipher.get(), nullptr, &size, Bytes(name), static_cast<int>(name.size())) == 1);
  SLUICE_CHECK(EVP_EncryptUpdate(cipher.get(), text, &size, Bytes(token), static_cast<int>(token.size())) == 1);
  SLUICE_CHECK(EVP_EncryptFinal_ex(cipher.get(), text + size, &last) == 1);
  SLUICE_CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag, text + token.size()) == 1);
  return EncodeBase64(out);
}

absl::StatusOr<std::string> OpenToken(std::string_view sealed, std::string_view secret, std::string_view name) {
  const auto failed = [] { return absl::DataLossError("the stored token was not sealed with the token of the credentials file"); };
  std::optional<std::string> bytes = DecodeBase64(sealed);
  if (!bytes || bytes->size() < kNonce + kTag || bytes->size() > kNonce + kMostBytes + kTag) return failed();
  const Key key = KeyFrom(secret);
  const size_t length = bytes->size() - kNonce - kTag;
  std::string out(length, '\0');
  const Cipher cipher = NewCipher();
  int size = 0, last = 0;
  unsigned char* const text = Bytes(*bytes) + kNonce;
  SLUICE_CHECK(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), Bytes(*bytes)) == 1);
  const bool is_ours = EVP_DecryptUpdate(cipher.get(), nullptr, &size, Bytes(name), static_cast<int>(name.size())) == 1 &&
                       EVP_DecryptUpdate(cipher.get(), Bytes(out), &size, text, static_cast<int>(length)) == 1 &&
                       EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, text + length) == 1 &&
                       EVP_DecryptFinal_ex(cipher.get(), Bytes(out) + size, &last) == 1;
  if (!is_ours) return failed();
  return out;
}

}  // namespace sluice::scheduler
