// What DANE says about one MX host (RFC 7672 §2.2): pure, over the answers of a validating resolver.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/dns.h"
#include "smtp/tlsa.h"

namespace sluice {

enum class DaneState : uint8_t {
  kNone,      // unsigned, or no TLSA record: DANE has nothing to say
  kUsable,    // encrypted, to a server that matches `records`
  kUnusable,  // there are records, none of use: encrypted, not verified (RFC 7672 §2.2)
  kFailed,    // the answer did not come or is bogus: this host must not be used now
};

struct DaneAnswer {
  DaneState state = DaneState::kNone;
  std::vector<TlsaRecord> records;  // when kUsable
  std::string base_domain;          // the TLSA base domain: SNI and the name in a certificate
  std::string detail;               // when kFailed
};

// "_25._tcp.mx.example".
std::string TlsaName(std::string_view base_domain, int port);

// The base domains to ask about, in order (RFC 7672 §2.2.2, §2.2.3), for a host whose `addresses`
// were found: where an alias leads, then the host itself. Empty when the addresses are not secure.
std::vector<std::string> TlsaBaseDomains(std::string_view host, const AddressAnswer& addresses);

DaneAnswer JudgeTlsa(std::string_view base_domain, const TlsaAnswer& answer);

}  // namespace sluice
