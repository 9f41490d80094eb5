// What TLS sessions came to, by recipient domain and day, for the reports that domains want (RFC
// 8460).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::storage {

class ConnectionPool;

// Sessions of one outcome; a row of `tls_result`.
struct TlsResultRow {
  std::string day;  // "2026-11-25", UTC
  std::string domain, report_to, policy_type, policy_text, failure, source_address, mx_host,
      mx_address, detail;
  int64_t sessions = 0;
};

// Thread-safe.
class TlsResultStore {
 public:
  // Days are kept for a month.
  static constexpr int kKeptDays = 31;

  virtual ~TlsResultStore() = default;
  // Adds to what is there.
  virtual absl::Status Add(const std::vector<TlsResultRow>& rows) = 0;
  struct Page {
    std::vector<TlsResultRow> rows;  // by domain, all of each
    std::string next;                // a domain to go on after; empty = this was all
  };
  // Of `day`; only `domain` unless it is empty; of domains after `after`.
  virtual absl::StatusOr<Page> List(const std::string& day, const std::string& domain,
                                    const std::string& after) = 0;
};
std::unique_ptr<TlsResultStore> MakeTlsResultStore(ConnectionPool& pool);

}  // namespace sluice::storage
