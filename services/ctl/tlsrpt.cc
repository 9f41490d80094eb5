#include <map>
#include <ostream>

#include "base/status.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/tls_report.h"
#include "ctl/verbs.h"
#include "sluice/v1/submission.pb.h"

namespace sluice::ctl {
namespace {

// A server that never ends its list does not hang us.
constexpr int kMostPages = 100'000;

using ByDomain = std::map<std::string, TlsResultList>;

absl::StatusOr<ByDomain> Fetch(const Context& context, const TlsReportOptions& options) {
  ByDomain found;
  v1::ListTlsResultsRequest request;
  request.set_day(options.day);
  request.set_domain(options.domain);
  for (int page = 0; page < kMostPages; ++page) {
    v1::ListTlsResultsResponse response;
    RETURN_IF_ERROR(CallListTlsResults(context, request, &response));
    for (v1::TlsResult& result : *response.mutable_results()) {
      TlsResultList& list = found[result.domain()];
      list.push_back(std::move(result));
    }
    request.set_page_token(response.next_page_token());
    if (request.page_token().empty()) break;
  }
  return found;
}

int64_t Sum(const TlsResultList& results, bool failures) {
  int64_t sum = 0;
  for (const v1::TlsResult& result : results) {
    sum += result.failure().empty() == failures ? 0 : result.sessions();
  }
  return sum;
}

// Once for each address of each domain: the same report has the same idempotency key.
absl::Status SendOne(const Context& context, const TlsReportOptions& options,
                     const TlsResultList& results, const std::string& to) {
  v1::SubmitRequest request;
  v1::Submission& submission = *request.mutable_submission();
  submission.set_content(TlsReportMail({options.organization, options.contact}, results, to));
  submission.set_stream(options.stream);
  submission.set_return_path(options.contact);
  submission.set_idempotency_key(Cat("tlsrpt-", TlsReportId(results), "-", to));
  submission.add_recipients()->set_address(to);
  v1::SubmitResponse response;
  RETURN_IF_ERROR(CallSubmit(context, request, &response));
  if (!response.result().refused().empty()) {
    return absl::InvalidArgumentError(response.result().refused(0).description());
  }
  context.io.out << results.front().domain() << "  " << Printable(to) << "  "
                 << response.result().message_id() << "\n";
  return absl::OkStatus();
}

}  // namespace

int TlsReportList(const Context& context, const TlsReportOptions& options) {
  const auto found = Fetch(context, options);
  if (!found.ok()) return Refuse(context, found.status());
  for (const auto& [domain, results] : *found) {
    context.io.out << Printable(domain) << "  succeeded=" << Sum(results, false)
                   << "  failed=" << Sum(results, true) << "  "
                   << Printable(results.front().report_to()) << "\n";
  }
  return kOk;
}

int TlsReportShow(const Context& context, const TlsReportOptions& options) {
  const auto found = Fetch(context, options);
  if (!found.ok()) return Refuse(context, found.status());
  if (found->empty()) {
    return Refuse(context, absl::NotFoundError(Cat("no TLS sessions with ", options.domain, " on ",
                                                   options.day,
                                                   " were counted, or it wants no reports")));
  }
  context.io.out << TlsReportDocument({options.organization, options.contact},
                                      found->begin()->second)
                 << "\n";
  return kOk;
}

int TlsReportSend(const Context& context, const TlsReportOptions& options) {
  if (context.key.empty()) {
    return RefuseUsage(context,
                       "no API key; give --key or SLUICE_KEY (`sluicectl key create` makes one)");
  }
  const auto found = Fetch(context, options);
  if (!found.ok()) return Refuse(context, found.status());
  int code = kOk;
  for (const auto& [domain, results] : *found) {
    for (const std::string& to : TlsReportAddresses(results.front().report_to())) {
      const absl::Status status = SendOne(context, options, results, to);
      if (status.ok()) continue;
      context.io.err << "not sent to " << Printable(to) << " for " << Printable(domain) << ": "
                     << View(status.message()) << "\n";
      code = kRefused;
    }
  }
  return code;
}

}  // namespace sluice::ctl
