// A certificate authority for a test: issues certificates for names and dates of one's choice.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "smtp/tlsa.h"

namespace sluice {

// Owns what it made.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  struct Wish {
    std::vector<std::string> dns_names = {"mx.example"};
    // "IP:127.0.0.1" and the like, besides the names.
    std::string more_names;
    int days_valid = 1;  // negative: expired
  };
  // A server context that shows such a certificate.
  using ServerContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
  ServerContext Serve(const Wish& wish);
  // PEM file of the authority's certificate; goes with this.
  const std::string& ca_file() const { return ca_file_; }

  // TLSA data for the certificate that Serve made last.
  TlsaRecord EeRecord(uint8_t selector, uint8_t matching) const;
  // For the authority itself.
  TlsaRecord TaRecord() const;

 private:
  EVP_PKEY* key_;
  X509* certificate_;
  X509* last_ = nullptr;
  long serial_ = 1;
  std::string ca_file_;
};

}  // namespace sluice
