// What TLS sessions came to, for the reports that recipient domains want (RFC 8460): counted by
// policy domain, day and outcome until it is sent to a scheduler. Bounded: what does not fit is not
// counted. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "egress/domain_tls.h"
#include "smtp/tls_failure.h"
#include "smtp/tls_report.h"

namespace sluice::egress {

// One line of a report.
struct TlsResult {
  std::string day;  // "2026-11-25", UTC
  std::string domain;
  std::string report_to;  // URIs, a blank between them
  TlsPolicyType policy = TlsPolicyType::kNone;
  std::string policy_text;  // its lines, '\n' between them; cut at kMostTextBytes
  TlsFailure failure = TlsFailure::kNone;
  // Of a failure; empty for sessions that succeeded.
  std::string source_address, mx_host, mx_address, detail;

  friend auto operator<=>(const TlsResult&, const TlsResult&) = default;
};

// What one session came to.
struct TlsSession {
  TlsPolicyType policy = TlsPolicyType::kNone;
  TlsFailure failure = TlsFailure::kNone;
  std::string source_address, mx_host, mx_address, detail;
};

class TlsResults {
 public:
  static constexpr size_t kMostResults = 10'000;
  static constexpr size_t kMostTextBytes = 1000;
  static constexpr size_t kMostDetailBytes = 200;

  // Nothing is counted for a domain that wants no reports.
  void Add(const DomainTls& domain, TlsSession session, Instant now);

  struct Counted {
    TlsResult result;
    int64_t count = 0;
  };
  // All that was counted since the last time, at most `most` of it.
  std::vector<Counted> Take(size_t most);
  // What could not be sent.
  void GiveBack(std::vector<Counted> results);

 private:
  std::mutex mutex_;
  std::map<TlsResult, int64_t> counts_;
};

}  // namespace sluice::egress
