// A private key that signs mail (RFC 6376, 8301, 8463): read from PEM, checked once, then only used.
// Which key signs what is policy; where the file is, egress's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "smtp/dkim_canonical.h"

namespace sluice {

enum class DkimAlgorithm : uint8_t { kRsaSha256, kEd25519Sha256 };
// The names of the a= tag.
std::string_view ToString(DkimAlgorithm algorithm);
std::optional<DkimAlgorithm> ParseDkimAlgorithm(std::string_view name);

// Immutable; thread-safe.
class DkimPrivateKey {
 public:
  // RFC 8301: verifiers take keys of 1024 to 4096 bits, signers should use 2048.
  static constexpr int kLeastRsaBits = 1024;
  static constexpr int kMostRsaBits = 4096;

  // `pem` is an unencrypted private key, PKCS #8 or the older RSA form. Errors name what is wrong
  // and the cure, never key material.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<const DkimPrivateKey>> Parse(
      std::string_view pem, DkimAlgorithm algorithm);

  ~DkimPrivateKey();
  DkimPrivateKey(const DkimPrivateKey&) = delete;
  DkimPrivateKey& operator=(const DkimPrivateKey&) = delete;

  DkimAlgorithm algorithm() const { return algorithm_; }
  // Of the RSA modulus; 256 for Ed25519.
  int bits() const;
  // The raw signature of what hashes to `digest`: PKCS #1 v1.5, or Ed25519 of the digest (RFC 8463
  // section 3).
  [[nodiscard]] absl::StatusOr<std::string> Sign(const Sha256Digest& digest) const;
  // The p= value of the DNS record that belongs to this key: base64 of the public key.
  std::string PublicKey() const;

 private:
  struct Handle;
  DkimPrivateKey(std::unique_ptr<Handle> handle, DkimAlgorithm algorithm);

  const std::unique_ptr<Handle> handle_;
  const DkimAlgorithm algorithm_;
};

}  // namespace sluice
