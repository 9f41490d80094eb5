// The services as sluicectl calls them: a deadline on each call, and orders follow NOT_ACTIVE to
// the scheduler that takes them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ctl/context.h"
#include "sluice/v1/admin.pb.h"
#include "sluice/v1/tls_report.pb.h"
#include "sluice/v1/trace.pb.h"

namespace sluice::ctl {

class AdminClient {
 public:
  explicit AdminClient(const Context& context);
  ~AdminClient();

  absl::Status Call(const v1::ApplyPolicyRequest& request, v1::ApplyPolicyResponse* response);
  absl::Status Call(const v1::GetPolicyRequest& request, v1::GetPolicyResponse* response);
  absl::Status Call(const v1::ListPolicyRevisionsRequest& request,
                    v1::ListPolicyRevisionsResponse* response);
  absl::Status Call(const v1::GetStatusRequest& request, v1::GetStatusResponse* response);
  absl::Status Call(const v1::ExplainRouteRequest& request, v1::ExplainRouteResponse* response);
  absl::Status Call(const v1::SuspendRequest& request, v1::SuspendResponse* response);
  absl::Status Call(const v1::ResumeRequest& request, v1::ResumeResponse* response);
  absl::Status Call(const v1::ListConstraintsRequest& request,
                    v1::ListConstraintsResponse* response);
  absl::Status Call(const v1::ListReputationRequest& request, v1::ListReputationResponse* response);
  absl::Status Call(const v1::OverrideHealthRequest& request, v1::OverrideHealthResponse* response);
  absl::Status Call(const v1::ReportFeedbackRequest& request, v1::ReportFeedbackResponse* response);
  absl::Status Call(const v1::CreateApiKeyRequest& request, v1::CreateApiKeyResponse* response);
  absl::Status Call(const v1::ListApiKeysRequest& request, v1::ListApiKeysResponse* response);
  absl::Status Call(const v1::RevokeApiKeyRequest& request, v1::RevokeApiKeyResponse* response);
  absl::Status Call(const v1::LimitApiKeyRequest& request, v1::LimitApiKeyResponse* response);
  absl::Status Call(const v1::GetWarmupRequest& request, v1::GetWarmupResponse* response);
  absl::Status Call(const v1::UpdateWarmupRequest& request, v1::UpdateWarmupResponse* response);
  absl::Status Call(const v1::ListWarmupEventsRequest& request, v1::ListWarmupEventsResponse* response);
  absl::Status Call(const v1::ListSuppressionsRequest& request,
                    v1::ListSuppressionsResponse* response);
  absl::Status Call(const v1::UpdateSuppressionsRequest& request,
                    v1::UpdateSuppressionsResponse* response);

  absl::Status Call(const v1::ListQueueRequest& request, v1::ListQueueResponse* response);
  absl::Status Call(const v1::SummarizeQueueRequest& request, v1::SummarizeQueueResponse* response);
  absl::Status Call(const v1::StartOperationRequest& request, v1::StartOperationResponse* response);
  absl::Status Call(const v1::GetOperationRequest& request, v1::GetOperationResponse* response);
  absl::Status Call(const v1::ListOperationsRequest& request, v1::ListOperationsResponse* response);
  absl::Status Call(const v1::StopOperationRequest& request, v1::StopOperationResponse* response);

 private:
  struct Connection;
  template <class Method, class Request, class Response>
  absl::Status Follow(Method method, const Request& request, Response* response);

  const Context& context_;
  std::string address_;
  std::unique_ptr<Connection> connection_;
};

absl::Status CallListTlsResults(const Context& context, const v1::ListTlsResultsRequest& request,
                                v1::ListTlsResultsResponse* response);
// Calls `take` for what comes, until the far side ends it or `length` is over (0: never).
absl::Status CallTrace(const Context& context, const v1::TraceRequest& request, Duration length,
                       const std::function<void(const v1::TraceResponse&)>& take);
// Submits with the context's key.
absl::Status CallSubmit(const Context& context, const v1::SubmitRequest& request,
                        v1::SubmitResponse* response);
// "serving", "not serving" or "unreachable".
std::string HealthText(const Context& context, const std::string& address);

}  // namespace sluice::ctl
