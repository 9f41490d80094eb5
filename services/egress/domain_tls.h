// What recipient domains ask of the connections that carry their mail: their MTA-STS policy, which
// of their MX hosts DNSSEC proves, where they want TLS reports. Looked up here, kept by those who
// asked (StsPolicies, the resolver).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/sts_policies.h"

namespace sluice::egress {

// Immutable.
struct DomainTls {
  std::string domain;
  StsPolicies::AnswerPtr sts;  // null: no MTA-STS
  // MX hosts that DNSSEC proves; the domain itself when it provably has no MX. Empty: no DANE.
  std::vector<std::string> secure_hosts;
  // `mailto:` and `https:` addresses that want a report (RFC 8460 §3); empty = none.
  std::vector<std::string> report_to;
  // Mail of domains with the same key may share connections; empty for those that ask for nothing.
  std::string key;

  bool enforces_sts() const {
    return sts != nullptr && sts->policy != nullptr && sts->policy->mode == StsMode::kEnforce;
  }
};
using DomainTlsPtr = std::shared_ptr<const DomainTls>;

// Thread-safe.
class DomainTlsFinder {
 public:
  using Callback = std::function<void(DomainTlsPtr)>;

  // `sts` may be null: no MTA-STS and no reports. `uses_dane`: the resolver validates. Both outlive
  // it.
  DomainTlsFinder(Resolver& resolver, StsPolicies* sts, bool uses_dane)
      : resolver_(resolver), sts_(sts), uses_dane_(uses_dane) {}

  // The callback runs once, before this returns or later on another thread, where it must not
  // block. With `sts` gone in between it does not run.
  void Find(std::string_view domain, Callback callback);

 private:
  Resolver& resolver_;
  StsPolicies* const sts_;
  const bool uses_dane_;
};

}  // namespace sluice::egress
