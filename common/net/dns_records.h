// What DNS said, as records, into what mail asks: pure, over wire-format record data that may be
// hostile.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "net/dns.h"

namespace sluice {

// The answer to one question (name, type).
struct DnsRecords {
  DnsStatus status = DnsStatus::kTempFail;
  std::vector<std::string>
      data;  // record data in wire format, names uncompressed; at most kMaxRecords
  bool is_alias = false;
  std::string canonical_name;  // when is_alias
  bool is_secure = false;      // proved by DNSSEC
  std::chrono::seconds ttl{0};
  std::string detail;
};
constexpr size_t kMaxRecords = 200;

// Lower case, no trailing dot. Empty if `name` is no name: labels of letters, digits, '-' and '_',
// at most 253 bytes, the last one not a number (that would be an address).
std::string NormaliseHostName(std::string_view name);

// `domain` is normalised.
MxAnswer MakeMxAnswer(std::string_view domain, const DnsRecords& mx);
TextAnswer MakeTextAnswer(const DnsRecords& txt);
NamesAnswer MakeNamesAnswer(const DnsRecords& ptr);
TlsaAnswer MakeTlsaAnswer(const DnsRecords& tlsa);
// Either may be null: not asked for. Never both. The addresses of a family begin with another one
// for each `rotation`, so that a cached answer does not send everybody to the same address.
AddressAnswer MakeAddressAnswer(AddressFamily family, const DnsRecords* a, const DnsRecords* aaaa,
                                size_t rotation = 0);

}  // namespace sluice
