#include "dialogs/test_certificate.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/check.h"

namespace sluice::dialogs {

void UseTestCertificate(SSL_CTX* context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  SLUICE_CHECK(key != nullptr && certificate != nullptr);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("mx.example"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  SLUICE_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  SLUICE_CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  SLUICE_CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

}  // namespace sluice::dialogs
