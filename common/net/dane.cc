#include "net/dane.h"

#include "base/text.h"

namespace sluice {

std::string TlsaName(std::string_view base_domain, int port) {
  return Cat("_", port, "._tcp.", base_domain);
}

std::vector<std::string> TlsaBaseDomains(std::string_view host, const AddressAnswer& addresses) {
  std::vector<std::string> names;
  if (!addresses.is_secure) {
    return names;
  }
  if (addresses.is_alias && !addresses.canonical_name.empty()) {
    names.push_back(addresses.canonical_name);
  }
  names.emplace_back(host);
  return names;
}

DaneAnswer JudgeTlsa(std::string_view base_domain, const TlsaAnswer& answer) {
  DaneAnswer out;
  out.base_domain = base_domain;
  if (answer.status == DnsStatus::kTempFail) {
    out.state = DaneState::kFailed;
    out.detail = answer.detail;
  } else if (answer.status == DnsStatus::kOk && answer.is_secure && !answer.records.empty()) {
    out.records = UsableRecords(answer.records);
    out.state = out.records.empty() ? DaneState::kUnusable : DaneState::kUsable;
  }
  return out;
}

}  // namespace sluice
