#include "scheduler/admin/admin_service.h"

#include <grpcpp/grpcpp.h>

#include <atomic>

#include "base/status.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "scheduler/admin/feedback_verbs.h"
#include "scheduler/admin/reputation_verbs.h"
#include "scheduler/admin/suppression_verbs.h"
#include "scheduler/admin/admin_convert.h"
#include "scheduler/admin/explain_verb.h"
#include "scheduler/admin/warmup_verbs.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "wire/peer.h"
#include "wire/policy_convert.h"
#include "wire/status.h"
#include "wire/unary_reply.h"

namespace sluice::scheduler {
namespace {

// Calls that wait for a thread; more are refused.
constexpr int kMostWaiting = 64;

using Reactor = grpc::ServerUnaryReactor;
using Context = grpc::CallbackServerContext;

// Whom the certificate names, else what the caller says of itself.
std::string ActorOf(const Context& context, std::string claimed) {
  const std::vector<std::string> names = wire::PeerNames(context);
  if (names.empty()) return claimed.empty() ? context.peer() : claimed;
  return claimed.empty() || claimed == names[0] ? names[0] : Cat(claimed, " (", names[0], ")");
}

class Face final : public AdminFace, public v1::AdminService::CallbackService {
 public:
  Face(const AdminVerbs& verbs, int threads)
      : policy_(verbs.policy),
        keys_(verbs.keys),
        overview_(verbs.status),
        suppressions_(verbs.suppressions),
        constraints_(verbs.constraints),
        explain_(verbs.explain),
        queue_(verbs.queue),
        feedback_(verbs.feedback),
        reputation_(verbs.reputation),
        clock_(verbs.clock),
        warmup_(verbs.warmup),
        threads_(threads) {}
  grpc::Service& service() override { return *this; }

  Reactor* ValidatePolicy(Context* context, const v1::ValidatePolicyRequest* request,
                          v1::ValidatePolicyResponse* response) override {
    return Run(context, [=] {
      PolicyDocument document;
      ToProto(wire::ValidatePolicy(request->policy(), &document), response->mutable_findings());
      return absl::OkStatus();
    });
  }

  Reactor* ApplyPolicy(Context* context, const v1::ApplyPolicyRequest* request,
                       v1::ApplyPolicyResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      PolicyOrder order;
      order.findings = wire::ValidatePolicy(request->policy(), &order.document);
      ASSIGN_OR_RETURN(order.document_json, wire::PolicyToJson(request->policy()));
      order.base_revision = request->base_revision();
      order.author = ActorOf(*context, request->author());
      order.reason = request->reason();
      ASSIGN_OR_RETURN(const PolicyApplied applied, policy_.Apply(order));
      response->set_revision(applied.revision);
      ToProto(applied.warnings, response->mutable_warnings());
      for (const std::string& name : applied.not_acknowledged) response->add_not_acknowledged(name);
      return absl::OkStatus();
    });
  }

  Reactor* GetPolicy(Context* context, const v1::GetPolicyRequest* request,
                     v1::GetPolicyResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const storage::StoredPolicy stored, policy_.Get(request->revision()));
      RETURN_IF_ERROR(wire::PolicyFromJson(stored.document_json, response->mutable_policy()));
      ToProto(stored.revision, response->mutable_revision());
      return absl::OkStatus();
    });
  }

  Reactor* ListPolicyRevisions(Context* context, const v1::ListPolicyRevisionsRequest* request,
                               v1::ListPolicyRevisionsResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const auto history,
                       policy_.History({request->page_size(), request->page_token()}));
      for (const auto& revision : history.revisions) ToProto(revision, response->add_revisions());
      response->set_next_page_token(history.next_page_token);
      return absl::OkStatus();
    });
  }

  Reactor* GetStatus(Context* context, const v1::GetStatusRequest*,
                     v1::GetStatusResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const SystemStatus status, overview_.Get());
      ToProto(status, response);
      return absl::OkStatus();
    });
  }

  Reactor* ListSources(Context* context, const v1::ListSourcesRequest* request,
                       v1::ListSourcesResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const auto listed,
                       overview_.ListSources({request->page_size(), request->page_token()}));
      for (const SourceState& source : listed.sources) ToProto(source, response->add_sources());
      response->set_next_page_token(listed.next_page_token);
      return absl::OkStatus();
    });
  }

  Reactor* CreateApiKey(Context* context, const v1::CreateApiKeyRequest* request,
                        v1::CreateApiKeyResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      const KeyOrder order{request->tenant(), request->label(), ActorOf(*context, ""), FromProto(request->limits())};
      ASSIGN_OR_RETURN(const CreatedKey created, keys_.Create(order));
      ToProto(created.key, response->mutable_api_key());
      response->set_secret(created.secret);
      return absl::OkStatus();
    });
  }

  Reactor* ListApiKeys(Context* context, const v1::ListApiKeysRequest* request,
                       v1::ListApiKeysResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const auto listed, keys_.List(request->tenant(), {request->page_size(),
                                                                         request->page_token()}));
      for (const storage::ApiKey& key : listed.keys) ToProto(key, response->add_api_keys());
      response->set_next_page_token(listed.next_page_token);
      return absl::OkStatus();
    });
  }

  Reactor* RevokeApiKey(Context* context, const v1::RevokeApiKeyRequest* request,
                        v1::RevokeApiKeyResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const storage::ApiKey key,
                       keys_.Revoke(request->key_id(), ActorOf(*context, "")));
      ToProto(key, response->mutable_api_key());
      return absl::OkStatus();
    });
  }

  Reactor* LimitApiKey(Context* context, const v1::LimitApiKeyRequest* request,
                       v1::LimitApiKeyResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const storage::ApiKey key,
                       keys_.Limit(request->key_id(), FromProto(request->limits()), ActorOf(*context, "")));
      ToProto(key, response->mutable_api_key());
      return absl::OkStatus();
    });
  }

  Reactor* ReportFeedback(Context* context, const v1::ReportFeedbackRequest* request,
                          v1::ReportFeedbackResponse* response) override {
    return Run(context, [=, this] {
      return scheduler::ReportFeedback(feedback_, clock_.Now(), *request, response);
    });
  }

  Reactor* ListSuppressions(Context* context, const v1::ListSuppressionsRequest* request,
                            v1::ListSuppressionsResponse* response) override {
    return Run(context, [=, this] {
      return scheduler::ListSuppressions(suppressions_, *request, response);
    });
  }

  Reactor* UpdateSuppressions(Context* context, const v1::UpdateSuppressionsRequest* request,
                              v1::UpdateSuppressionsResponse* response) override {
    return Run(context, [=, this] {
      return scheduler::UpdateSuppressions(suppressions_, ActorOf(*context, ""), *request,
                                           response);
    });
  }

  Reactor* ListReputation(Context* context, const v1::ListReputationRequest* request,
                          v1::ListReputationResponse* response) override {
    return Run(context, [=, this] { return scheduler::ListReputation(reputation_, *request, response); });
  }

  Reactor* OverrideHealth(Context* context, const v1::OverrideHealthRequest* request,
                          v1::OverrideHealthResponse* response) override {
    return Run(context, [=, this] {
      return scheduler::OverrideHealth(reputation_, ActorOf(*context, request->author()), *request, response);
    });
  }

  Reactor* ExplainRoute(Context* context, const v1::ExplainRouteRequest* request,
                        v1::ExplainRouteResponse* response) override {
    return Run(context, [=, this] { return scheduler::ExplainRoute(explain_, *request, response); });
  }

  Reactor* Suspend(Context* context, const v1::SuspendRequest* request, v1::SuspendResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      SuspendOrder order;
      ASSIGN_OR_RETURN(order.scope, ScopeOf(request->scope()));
      if (request->has_until()) order.until = TimeOf(request->until());
      order.reason = request->reason();
      order.author = ActorOf(*context, request->author());
      ASSIGN_OR_RETURN(const auto suspended, constraints_.Suspend(order));
      ToProto(suspended.constraint, response->mutable_constraint());
      for (const std::string& name : suspended.not_acknowledged) response->add_not_acknowledged(name);
      return absl::OkStatus();
    });
  }

  Reactor* Resume(Context* context, const v1::ResumeRequest* request, v1::ResumeResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ResumeOrder order;
      ASSIGN_OR_RETURN(order.scope, ScopeOf(request->scope()));
      if (!request->constraint_id().empty()) {
        ASSIGN_OR_RETURN(order.id, IdOf(request->constraint_id()));
      }
      order.author = ActorOf(*context, request->author());
      ASSIGN_OR_RETURN(const auto resumed, constraints_.Resume(order));
      response->set_lifted_count(resumed.lifted);
      for (const std::string& name : resumed.not_acknowledged) response->add_not_acknowledged(name);
      return absl::OkStatus();
    });
  }

  Reactor* ListConstraints(Context* context, const v1::ListConstraintsRequest* request,
                           v1::ListConstraintsResponse* response) override {
    return Run(context, [=, this]() -> absl::Status {
      ASSIGN_OR_RETURN(const Scope scope, ScopeOf(request->scope()));
      ASSIGN_OR_RETURN(const auto listed, constraints_.List(scope, {request->page_size(), request->page_token()}));
      for (const Constraint& constraint : listed.constraints) ToProto(constraint, response->add_constraints());
      response->set_next_page_token(listed.next_page_token);
      return absl::OkStatus();
    });
  }

  Reactor* ListQueue(Context* context, const v1::ListQueueRequest* request,
                 v1::ListQueueResponse* response) override {
    return Run(context, [=, this] { return queue_.ListQueue(*request, response); });
  }

  Reactor* SummarizeQueue(Context* context, const v1::SummarizeQueueRequest* request,
                 v1::SummarizeQueueResponse* response) override {
    return Run(context, [=, this] { return queue_.SummarizeQueue(*request, response); });
  }

  Reactor* StartOperation(Context* context, const v1::StartOperationRequest* request,
                 v1::StartOperationResponse* response) override {
    return Run(context, [=, this] { return queue_.StartOperation(ActorOf(*context, ""), *request, response); });
  }

  Reactor* GetOperation(Context* context, const v1::GetOperationRequest* request,
                 v1::GetOperationResponse* response) override {
    return Run(context, [=, this] { return queue_.GetOperation(*request, response); });
  }

  Reactor* ListOperations(Context* context, const v1::ListOperationsRequest* request,
                 v1::ListOperationsResponse* response) override {
    return Run(context, [=, this] { return queue_.ListOperations(*request, response); });
  }

  Reactor* StopOperation(Context* context, const v1::StopOperationRequest* request,
                 v1::StopOperationResponse* response) override {
    return Run(context, [=, this] { return queue_.StopOperation(ActorOf(*context, ""), *request, response); });
  }

  Reactor* GetWarmup(Context* context, const v1::GetWarmupRequest* request, v1::GetWarmupResponse* response) override {
    return Run(context, [=, this] { return scheduler::GetWarmup(warmup_, *request, response); });
  }

  Reactor* UpdateWarmup(Context* context, const v1::UpdateWarmupRequest* request, v1::UpdateWarmupResponse* response) override {
    return Run(context, [=, this] { return scheduler::UpdateWarmup(warmup_, ActorOf(*context, ""), *request, response); });
  }

  Reactor* ListWarmupEvents(Context* context, const v1::ListWarmupEventsRequest* request,
                            v1::ListWarmupEventsResponse* response) override {
    return Run(context, [=, this] { return scheduler::ListWarmupEvents(warmup_, *request, response); });
  }

 private:
  // Runs `work` on one of our threads and answers with its status.
  Reactor* Run(Context* context, std::function<absl::Status()> work) {
    Reactor* const reactor = context->DefaultReactor();
    // Shared because std::function copies what it holds.
    const auto reply = std::make_shared<wire::UnaryReply>(reactor);
    if (waiting_.fetch_add(1) >= kMostWaiting) {
      waiting_.fetch_sub(1);
      reply->Finish(wire::Retry(absl::StatusCode::kResourceExhausted,
                                "too many admin calls at once", std::chrono::seconds(1)));
      return reactor;
    }
    threads_.Post([this, reply, work = std::move(work)] {
      waiting_.fetch_sub(1);
      reply->Finish(work());
    });
    return reactor;
  }

  PolicyAdmin& policy_;
  KeyAdmin& keys_;
  StatusAdmin& overview_;
  SuppressionAdmin& suppressions_;
  ConstraintAdmin& constraints_;
  ExplainAdmin& explain_;
  QueueVerbs& queue_;
  const FeedbackFace feedback_;
  ReputationAdmin& reputation_;
  const Clock& clock_;
  WarmupAdmin& warmup_;
  std::atomic<int> waiting_{0};
  // Last: its work uses what stands above.
  ThreadPool threads_;
};

}  // namespace

std::unique_ptr<AdminFace> MakeAdminFace(const AdminVerbs& verbs, int threads) {
  return std::make_unique<Face>(verbs, threads);
}

}  // namespace sluice::scheduler
