#include "scheduler/admin/tls_report_service.h"

#include <grpcpp/grpcpp.h>

#include "base/status.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "sluice/v1/tls_report.grpc.pb.h"
#include "wire/unary_reply.h"

namespace sluice::scheduler {
namespace {

bool IsDay(std::string_view day) {
  if (day.size() != 10) return false;
  for (size_t i = 0; i < day.size(); ++i) {
    const bool is_dash = i == 4 || i == 7;
    if (is_dash ? day[i] != '-' : day[i] < '0' || day[i] > '9') return false;
  }
  return true;
}

void ToProto(const storage::TlsResultRow& row, v1::TlsResult& out) {
  out.set_day(row.day);
  out.set_domain(row.domain);
  out.set_report_to(row.report_to);
  out.set_policy_type(row.policy_type);
  out.set_policy_text(row.policy_text);
  out.set_failure(row.failure);
  out.set_source_address(row.source_address);
  out.set_mx_host(row.mx_host);
  out.set_mx_address(row.mx_address);
  out.set_detail(row.detail);
  out.set_sessions(row.sessions);
}

class Face final : public TlsReportFace, public v1::TlsReportService::CallbackService {
 public:
  explicit Face(storage::TlsResultStore& store) : store_(store) {}
  grpc::Service& service() override { return *this; }

  grpc::ServerUnaryReactor* ListTlsResults(grpc::CallbackServerContext* context,
                                           const v1::ListTlsResultsRequest* request,
                                           v1::ListTlsResultsResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    // Shared because std::function copies what it holds.
    const auto reply = std::make_shared<wire::UnaryReply>(reactor);
    thread_.Post([this, reply, request, response] { reply->Finish(List(*request, *response)); });
    return reactor;
  }

 private:
  absl::Status List(const v1::ListTlsResultsRequest& request,
                    v1::ListTlsResultsResponse& response) {
    if (!IsDay(request.day())) {
      return absl::InvalidArgumentError(
          Cat("day: ", Quoted(request.day()), " is not a date; write it as 2026-11-25"));
    }
    ASSIGN_OR_RETURN(const storage::TlsResultStore::Page page,
                     store_.List(request.day(), request.domain(), request.page_token()));
    for (const storage::TlsResultRow& row : page.rows) ToProto(row, *response.add_results());
    response.set_next_page_token(page.next);
    return absl::OkStatus();
  }

  storage::TlsResultStore& store_;
  ThreadPool thread_{1};
};

}  // namespace

std::unique_ptr<TlsReportFace> MakeTlsReportFace(storage::TlsResultStore& store) {
  return std::make_unique<Face>(store);
}

}  // namespace sluice::scheduler
