#include "ctl/client.h"

#include <grpcpp/grpcpp.h>

#include <thread>

#include "base/status.h"
#include "base/text.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "sluice/v1/tls_report.grpc.pb.h"
#include "sluice/v1/trace.grpc.pb.h"
#include "wire/channel.h"
#include "wire/health.h"
#include "wire/status.h"

namespace sluice::ctl {
namespace {

constexpr int kMostRedirects = 3;
// While nobody holds `control` (start-up, hand-over) the lease is taken within seconds.
constexpr Duration kControlPatience = std::chrono::seconds(12);
constexpr Duration kControlPause = std::chrono::milliseconds(250);

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const Context& context,
                                                    const std::string& address) {
  wire::ChannelOptions options;
  options.credentials = context.CredentialsFor(address);
  return wire::MakeChannel(address, options);
}

absl::Status WithAddress(const absl::Status& status, std::string_view what,
                         const std::string& address) {
  if (!absl::IsUnavailable(status) || wire::RetryDelayOf(status)) return status;
  return absl::UnavailableError(
      Cat("cannot reach ", what, " at ", address, ": ", status.message()));
}

}  // namespace

struct AdminClient::Connection {
  std::unique_ptr<v1::AdminService::Stub> stub;
};

AdminClient::AdminClient(const Context& context) : context_(context), address_(context.admin) {}
AdminClient::~AdminClient() = default;

template <class Method, class Request, class Response>
absl::Status AdminClient::Follow(Method method, const Request& request, Response* response) {
  const auto begin = std::chrono::steady_clock::now();
  int redirects = 0;
  while (true) {
    if (connection_ == nullptr) {
      ASSIGN_OR_RETURN(const auto channel, Dial(context_, address_));
      connection_ = std::make_unique<Connection>(Connection{v1::AdminService::NewStub(channel)});
    }
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + context_.timeout);
    const absl::Status status =
        wire::FromGrpc((connection_->stub.get()->*method)(&call, request, response));
    const auto reason = wire::ErrorReasonOf(status);
    if (!reason || reason->reason != "NOT_ACTIVE") {
      return WithAddress(status, "the scheduler (--admin, SLUICE_ADMIN)", address_);
    }
    const auto endpoint = reason->metadata.find("endpoint");
    if (endpoint != reason->metadata.end() && endpoint->second != address_) {
      if (++redirects > kMostRedirects) return status;
      address_ = endpoint->second;
      connection_.reset();
      continue;
    }
    if (std::chrono::steady_clock::now() - begin > std::min(kControlPatience, context_.timeout))
      return status;
    std::this_thread::sleep_for(kControlPause);
  }
}

absl::Status AdminClient::Call(const v1::ApplyPolicyRequest& request,
                               v1::ApplyPolicyResponse* response) {
  return Follow(&v1::AdminService::Stub::ApplyPolicy, request, response);
}
absl::Status AdminClient::Call(const v1::GetPolicyRequest& request,
                               v1::GetPolicyResponse* response) {
  return Follow(&v1::AdminService::Stub::GetPolicy, request, response);
}
absl::Status AdminClient::Call(const v1::ListPolicyRevisionsRequest& request,
                               v1::ListPolicyRevisionsResponse* response) {
  return Follow(&v1::AdminService::Stub::ListPolicyRevisions, request, response);
}
absl::Status AdminClient::Call(const v1::GetStatusRequest& request,
                               v1::GetStatusResponse* response) {
  return Follow(&v1::AdminService::Stub::GetStatus, request, response);
}
absl::Status AdminClient::Call(const v1::ExplainRouteRequest& request,
                               v1::ExplainRouteResponse* response) {
  return Follow(&v1::AdminService::Stub::ExplainRoute, request, response);
}
absl::Status AdminClient::Call(const v1::SuspendRequest& request,
                               v1::SuspendResponse* response) {
  return Follow(&v1::AdminService::Stub::Suspend, request, response);
}
absl::Status AdminClient::Call(const v1::ResumeRequest& request,
                               v1::ResumeResponse* response) {
  return Follow(&v1::AdminService::Stub::Resume, request, response);
}
absl::Status AdminClient::Call(const v1::ListConstraintsRequest& request,
                               v1::ListConstraintsResponse* response) {
  return Follow(&v1::AdminService::Stub::ListConstraints, request, response);
}
absl::Status AdminClient::Call(const v1::ListReputationRequest& request, v1::ListReputationResponse* response) {
  return Follow(&v1::AdminService::Stub::ListReputation, request, response);
}
absl::Status AdminClient::Call(const v1::OverrideHealthRequest& request, v1::OverrideHealthResponse* response) {
  return Follow(&v1::AdminService::Stub::OverrideHealth, request, response);
}
absl::Status AdminClient::Call(const v1::ReportFeedbackRequest& request, v1::ReportFeedbackResponse* response) {
  return Follow(&v1::AdminService::Stub::ReportFeedback, request, response);
}
absl::Status AdminClient::Call(const v1::CreateApiKeyRequest& request,
                               v1::CreateApiKeyResponse* response) {
  return Follow(&v1::AdminService::Stub::CreateApiKey, request, response);
}
absl::Status AdminClient::Call(const v1::ListApiKeysRequest& request,
                               v1::ListApiKeysResponse* response) {
  return Follow(&v1::AdminService::Stub::ListApiKeys, request, response);
}
absl::Status AdminClient::Call(const v1::RevokeApiKeyRequest& request,
                               v1::RevokeApiKeyResponse* response) {
  return Follow(&v1::AdminService::Stub::RevokeApiKey, request, response);
}
absl::Status AdminClient::Call(const v1::LimitApiKeyRequest& request, v1::LimitApiKeyResponse* response) {
  return Follow(&v1::AdminService::Stub::LimitApiKey, request, response);
}
absl::Status AdminClient::Call(const v1::GetWarmupRequest& request, v1::GetWarmupResponse* response) {
  return Follow(&v1::AdminService::Stub::GetWarmup, request, response);
}
absl::Status AdminClient::Call(const v1::UpdateWarmupRequest& request, v1::UpdateWarmupResponse* response) {
  return Follow(&v1::AdminService::Stub::UpdateWarmup, request, response);
}
absl::Status AdminClient::Call(const v1::ListWarmupEventsRequest& request, v1::ListWarmupEventsResponse* response) {
  return Follow(&v1::AdminService::Stub::ListWarmupEvents, request, response);
}
absl::Status AdminClient::Call(const v1::ListSuppressionsRequest& request,
                               v1::ListSuppressionsResponse* response) {
  return Follow(&v1::AdminService::Stub::ListSuppressions, request, response);
}
absl::Status AdminClient::Call(const v1::UpdateSuppressionsRequest& request,
                               v1::UpdateSuppressionsResponse* response) {
  return Follow(&v1::AdminService::Stub::UpdateSuppressions, request, response);
}

absl::Status AdminClient::Call(const v1::ListQueueRequest& request, v1::ListQueueResponse* response) {
  return Follow(&v1::AdminService::Stub::ListQueue, request, response);
}
absl::Status AdminClient::Call(const v1::SummarizeQueueRequest& request, v1::SummarizeQueueResponse* response) {
  return Follow(&v1::AdminService::Stub::SummarizeQueue, request, response);
}
absl::Status AdminClient::Call(const v1::StartOperationRequest& request, v1::StartOperationResponse* response) {
  return Follow(&v1::AdminService::Stub::StartOperation, request, response);
}
absl::Status AdminClient::Call(const v1::GetOperationRequest& request, v1::GetOperationResponse* response) {
  return Follow(&v1::AdminService::Stub::GetOperation, request, response);
}
absl::Status AdminClient::Call(const v1::ListOperationsRequest& request, v1::ListOperationsResponse* response) {
  return Follow(&v1::AdminService::Stub::ListOperations, request, response);
}
absl::Status AdminClient::Call(const v1::StopOperationRequest& request, v1::StopOperationResponse* response) {
  return Follow(&v1::AdminService::Stub::StopOperation, request, response);
}

absl::Status CallListTlsResults(const Context& context, const v1::ListTlsResultsRequest& request,
                                v1::ListTlsResultsResponse* response) {
  ASSIGN_OR_RETURN(const auto channel, Dial(context, context.admin));
  grpc::ClientContext call;
  call.set_deadline(std::chrono::system_clock::now() + context.timeout);
  const auto stub = v1::TlsReportService::NewStub(channel);
  return WithAddress(wire::FromGrpc(stub->ListTlsResults(&call, request, response)),
                     "the scheduler (--admin, SLUICE_ADMIN)", context.admin);
}

absl::Status CallTrace(const Context& context, const v1::TraceRequest& request, Duration length,
                       const std::function<void(const v1::TraceResponse&)>& take) {
  ASSIGN_OR_RETURN(const auto channel, Dial(context, context.admin));
  grpc::ClientContext call;
  if (length > Duration(0)) call.set_deadline(std::chrono::system_clock::now() + length);
  const auto stub = v1::TraceService::NewStub(channel);
  const auto reader = stub->Trace(&call, request);
  v1::TraceResponse response;
  while (reader->Read(&response)) take(response);
  const absl::Status status = wire::FromGrpc(reader->Finish());
  if (length > Duration(0) && absl::IsDeadlineExceeded(status)) return absl::OkStatus();
  return WithAddress(status, "the scheduler (--admin, SLUICE_ADMIN)", context.admin);
}

absl::Status CallSubmit(const Context& context, const v1::SubmitRequest& request,
                        v1::SubmitResponse* response) {
  ASSIGN_OR_RETURN(const auto channel, Dial(context, context.ingest));
  grpc::ClientContext call;
  call.set_deadline(std::chrono::system_clock::now() + context.timeout);
  call.AddMetadata("authorization", Cat("Bearer ", context.key));
  const grpc::Status status =
      v1::SubmissionService::NewStub(channel)->Submit(&call, request, response);
  return WithAddress(wire::FromGrpc(status), "ingest (--ingest, SLUICE_INGEST)", context.ingest);
}

std::string HealthText(const Context& context, const std::string& address) {
  const auto channel = Dial(context, address);
  if (!channel.ok()) return "unreachable";
  const auto serving = wire::IsServing(*channel, std::chrono::seconds(2));
  if (!serving.ok()) return "unreachable";
  return *serving ? "serving" : "not serving";
}

}  // namespace sluice::ctl
