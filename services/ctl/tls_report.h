// One TLS report (RFC 8460): the document and the mail that carries it. Pure.
#pragma once

#include <string>
#include <vector>

#include "sluice/v1/tls_report.pb.h"

namespace sluice::ctl {

struct TlsReporter {
  std::string organization;  // who reports
  std::string contact;       // address for questions, and the From of the mail
};

// All results of one domain and day; not empty.
using TlsResultList = std::vector<v1::TlsResult>;

// "2026-11-25-example.com": unique for reporter, day and domain.
std::string TlsReportId(const TlsResultList& results);
// JSON as RFC 8460 §4.4 wants it.
std::string TlsReportDocument(const TlsReporter& reporter, const TlsResultList& results);
// A message (RFC 8460 §5.3) with CRLF line ends, without Date and Message-ID.
std::string TlsReportMail(const TlsReporter& reporter, const TlsResultList& results,
                          const std::string& to);
// The addresses of the `mailto:` URIs, percent-decoded; `https:` ones are not for mail.
std::vector<std::string> TlsReportAddresses(const std::string& report_to);

}  // namespace sluice::ctl
