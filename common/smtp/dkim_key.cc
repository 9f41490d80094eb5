#include "smtp/dkim_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/text.h"

namespace sluice {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;

// An encrypted key has no one to type its password.
int NoPassword(char*, int, int, void*) { return -1; }

Pkey ReadPem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  return key;
}

absl::Status Fits(EVP_PKEY* key, DkimAlgorithm algorithm) {
  const int wanted = algorithm == DkimAlgorithm::kRsaSha256 ? EVP_PKEY_RSA : EVP_PKEY_ED25519;
  if (EVP_PKEY_get_base_id(key) != wanted) {
    return absl::InvalidArgumentError(
        Cat("the key is none for ", ToString(algorithm),
            ": name the other algorithm in the policy, or make a key that fits"));
  }
  const int bits = EVP_PKEY_get_bits(key);
  if (wanted == EVP_PKEY_RSA && (bits < DkimPrivateKey::kLeastRsaBits || bits > DkimPrivateKey::kMostRsaBits)) {
    return absl::InvalidArgumentError(Cat("the RSA key has ", bits, " bits: verifiers take ",
                                          DkimPrivateKey::kLeastRsaBits, " to ", DkimPrivateKey::kMostRsaBits,
                                          ", 2048 are best"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Failed() {
  ERR_clear_error();
  return absl::InternalError("the signature could not be made");
}

absl::StatusOr<std::string> SignRsa(EVP_PKEY* key, const Sha256Digest& digest) {
  const PkeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key)), '\0');
  size_t size = signature.size();
  const bool is_made =
      context != nullptr && EVP_PKEY_sign_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
      EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
      EVP_PKEY_sign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                    digest.data(), digest.size()) == 1;
  if (!is_made) return Failed();
  signature.resize(size);
  return signature;
}

absl::StatusOr<std::string> SignEd25519(EVP_PKEY* key, const Sha256Digest& digest) {
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(64, '\0');
  size_t size = signature.size();
  const bool is_made =
      context != nullptr &&
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     digest.data(), digest.size()) == 1;
  if (!is_made) return Failed();
  return signature;
}

}  // namespace

struct DkimPrivateKey::Handle {
  Pkey key;
};

std::string_view ToString(DkimAlgorithm algorithm) {
  switch (algorithm) {
    case DkimAlgorithm::kRsaSha256:
      return "rsa-sha256";
    case DkimAlgorithm::kEd25519Sha256:
      return "ed25519-sha256";
  }
  return "";
}

std::optional<DkimAlgorithm> ParseDkimAlgorithm(std::string_view name) {
  for (const auto one : {DkimAlgorithm::kRsaSha256, DkimAlgorithm::kEd25519Sha256}) {
    if (name == ToString(one)) return one;
  }
  return std::nullopt;
}

DkimPrivateKey::DkimPrivateKey(std::unique_ptr<Handle> handle, DkimAlgorithm algorithm)
    : handle_(std::move(handle)), algorithm_(algorithm) {}
DkimPrivateKey::~DkimPrivateKey() = default;

absl::StatusOr<std::shared_ptr<const DkimPrivateKey>> DkimPrivateKey::Parse(std::string_view pem,
                                                              DkimAlgorithm algorithm) {
  Pkey key = ReadPem(pem);
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        "it is no unencrypted private key in PEM form: make one with `openssl genrsa 2048` or "
        "`openssl genpkey -algorithm ed25519`");
  }
  if (absl::Status status = Fits(key.get(), algorithm); !status.ok()) return status;
  auto handle = std::make_unique<Handle>();
  handle->key = std::move(key);
  return std::shared_ptr<const DkimPrivateKey>(new DkimPrivateKey(std::move(handle), algorithm));
}

int DkimPrivateKey::bits() const {
  return algorithm_ == DkimAlgorithm::kRsaSha256 ? EVP_PKEY_get_bits(handle_->key.get()) : 256;
}

absl::StatusOr<std::string> DkimPrivateKey::Sign(const Sha256Digest& digest) const {
  return algorithm_ == DkimAlgorithm::kRsaSha256 ? SignRsa(handle_->key.get(), digest)
                                                 : SignEd25519(handle_->key.get(), digest);
}

std::string DkimPrivateKey::PublicKey() const {
  EVP_PKEY* const key = handle_->key.get();
  if (algorithm_ == DkimAlgorithm::kEd25519Sha256) {
    std::string raw(32, '\0');
    size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size);
    return EncodeBase64(raw);
  }
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return "";
  std::string text = EncodeBase64({reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return text;
}

}  // namespace sluice
