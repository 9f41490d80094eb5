// Preloaded into the distribution's smtpd (6.8.0p2), whose TLS is broken there for every client ("missing private key", alert 80).
// Its SMTP process has no private key: it marks the certificate's key with a name, so that signing goes to the process that has it.
// It marks what EVP_PKEY_get1_RSA answers; since OpenSSL 3 that is a copy, and the key that TLS uses stays unmarked. Here the copy
// is put back in its place. Everything else of the handshake is smtpd's own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <openssl/evp.h>

struct rsa_st* EVP_PKEY_get1_RSA(EVP_PKEY* key) {
  struct rsa_st* (*real)(EVP_PKEY*) = dlsym(RTLD_NEXT, "EVP_PKEY_get1_RSA");
  struct rsa_st* rsa = real(key);
  if (rsa) EVP_PKEY_set1_RSA(key, rsa);
  return rsa;
}
