#include "unit/net/test_authority.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>

#include "base/check.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr long kDay = 86400;

X509* NewCertificate(EVP_PKEY* key, const std::string& name, long serial, int days) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -10 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * kDay);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  SLUICE_CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string Der(X509* certificate, uint8_t selector) {
  unsigned char* bytes = nullptr;
  const int length = selector == 0
                         ? i2d_X509(certificate, &bytes)
                         : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
  SLUICE_CHECK(length > 0);
  std::string out(reinterpret_cast<char*>(bytes), static_cast<size_t>(length));
  OPENSSL_free(bytes);
  return out;
}

TlsaRecord RecordOf(X509* certificate, uint8_t usage, uint8_t selector, uint8_t matching) {
  TlsaRecord record{usage, selector, matching, Der(certificate, selector)};
  if (matching != 0) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int length = 0;
    EVP_Digest(record.data.data(), record.data.size(), digest.data(), &length,
               matching == 1 ? EVP_sha256() : EVP_sha512(), nullptr);
    record.data.assign(reinterpret_cast<char*>(digest.data()), length);
  }
  return record;
}

}  // namespace

TestAuthority::TestAuthority()
    : key_(EVP_EC_gen("P-256")), certificate_(NewCertificate(key_, "test authority", 1, 100)) {
  X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
  AddExtension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  SLUICE_CHECK(X509_sign(certificate_, key_, EVP_sha256()) > 0);
  std::array<char, 32> path{"/tmp/sluice_ca_XXXXXX"};
  const int fd = ::mkstemp(path.data());
  SLUICE_CHECK(fd >= 0);
  FILE* file = ::fdopen(fd, "w");
  PEM_write_X509(file, certificate_);
  ::fclose(file);
  ca_file_ = path.data();
}

TestAuthority::~TestAuthority() {
  ::unlink(ca_file_.c_str());
  X509_free(last_);
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

TestAuthority::ServerContext TestAuthority::Serve(const Wish& wish) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509_free(last_);
  last_ = NewCertificate(key, wish.dns_names.front(), ++serial_, wish.days_valid);
  X509_set_issuer_name(last_, X509_get_subject_name(certificate_));
  std::string names = wish.more_names;
  for (const std::string& name : wish.dns_names) {
    Append(names, names.empty() ? "" : ",", "DNS:", name);
  }
  AddExtension(last_, certificate_, NID_subject_alt_name, names);
  SLUICE_CHECK(X509_sign(last_, key_, EVP_sha256()) > 0);
  ServerContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  SLUICE_CHECK(SSL_CTX_use_certificate(context.get(), last_) == 1);
  SLUICE_CHECK(SSL_CTX_use_PrivateKey(context.get(), key) == 1);
  X509_up_ref(certificate_);
  SSL_CTX_add_extra_chain_cert(context.get(), certificate_);
  const unsigned char id[] = "test";
  SSL_CTX_set_session_id_context(context.get(), id, sizeof id);
  EVP_PKEY_free(key);
  return context;
}

TlsaRecord TestAuthority::EeRecord(uint8_t selector, uint8_t matching) const {
  return RecordOf(last_, 3, selector, matching);
}

TlsaRecord TestAuthority::TaRecord() const { return RecordOf(certificate_, 2, 0, 1); }

}  // namespace sluice
