// TLS reports (RFC 8460) as values: who wants them, what is counted. Counting is
// egress/tls_results, writing the document ctl/tls_report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// By which policy a session is judged (RFC 8460 §4.2, `policy-type`).
enum class TlsPolicyType : uint8_t { kNone, kSts, kTlsa };
// "no-policy-found", "sts", "tlsa".
std::string_view ToString(TlsPolicyType type);
std::optional<TlsPolicyType> ParseTlsPolicyType(std::string_view name);

// Where the domain wants its reports, from the TXT records of `_smtp._tls.DOMAIN` (RFC 8460 §3):
// `mailto:` and `https:` URIs, kMaxReportUris at most. Empty when none, or more than one, is such a
// record, or it is malformed.
std::vector<std::string> FindReportUris(const std::vector<std::string>& texts);
constexpr size_t kMaxReportUris = 10;
constexpr size_t kMaxReportUriBytes = 300;

}  // namespace sluice
