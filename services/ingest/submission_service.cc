#include "ingest/submission_service.h"

#include <grpcpp/server_context.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "ingest/decode.h"
#include "ingest/event_convert.h"
#include "ingest/submit_stream.h"
#include "ingest/traceparent.h"
#include "mail/limits.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "wire/peer.h"
#include "wire/status.h"
#include "wire/unary_reply.h"

namespace sluice::ingest {
namespace {

constexpr int kDefaultEvents = 100;
constexpr int kMostEvents = 1'000;

SecretHash SecretOf(const grpc::CallbackServerContext& context) {
  return HashSecret(wire::BearerToken(context));
}

class Face final : public SubmissionFace, public v1::SubmissionService::CallbackService {
 public:
  explicit Face(const SubmissionParts& parts) : parts_(parts) {}

  grpc::Service& service() override { return *this; }
  void EndStreams() override { streams_.EndAll(); }

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto reply = std::make_shared<wire::UnaryReply>(reactor);
    const SteadyInstant arrived_at = parts_.clock.Steady();
    const size_t bytes = request->ByteSizeLong();
    parts_.metrics.OnReceived(bytes);
    const auto answer = [this, reply, response,
                         arrived_at](const std::vector<SubmitOutcome>& outcomes) {
      parts_.metrics.OnAnswered("submit", outcomes, parts_.clock.Steady() - arrived_at);
      if (const auto* error = std::get_if<SubmitError>(&outcomes.front()))
        return reply->Finish(ToStatus(*error));
      Encode(std::get<SubmitAnswer>(outcomes.front()), *response->mutable_result());
      reply->Finish(absl::OkStatus());
    };
    auto admitted = parts_.accept.Admit(SecretOf(*context), bytes, 1);
    if (auto* error = std::get_if<SubmitError>(&admitted)) {
      answer({std::move(*error)});
      return reactor;
    }
    const auto ticket =
        std::make_shared<Accept::Admitted>(std::get<Accept::Admitted>(std::move(admitted)));
    parts_.workers.Post([this, request, ticket, answer, traceparent = TraceparentOf(*context, parts_.metrics)] {
      SubmissionRequest submission = Decode(request->submission());
      submission.traceparent = traceparent;
      parts_.accept.Run(std::move(*ticket), {&submission, 1}, answer);
    });
    return reactor;
  }

  grpc::ServerBidiReactor<v1::SubmitStreamRequest, v1::SubmitStreamResponse>* SubmitStream(
      grpc::CallbackServerContext* context) override {
    return ingest::SubmitStream::Start(parts_, streams_, SecretOf(*context), TraceparentOf(*context, parts_.metrics));
  }

  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context,
                                       const v1::GetMessageRequest* request,
                                       v1::GetMessageResponse* response) override {
    return Query(context, "get_message", [this, request, response](const std::string& tenant) {
      return AnswerGetMessage(tenant, *request, *response);
    });
  }

  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override {
    return Query(context, "cancel", [this, request, response](const std::string& tenant) {
      return AnswerCancel(tenant, *request, *response);
    });
  }

 private:
  // Runs `answer` for the caller's tenant where waiting for the database is allowed.
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext* context, std::string_view method,
                                  std::function<absl::Status(const std::string& tenant)> answer) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto reply = std::make_shared<wire::UnaryReply>(reactor);
    const auto finish = [this, reply, method](const absl::Status& status) {
      parts_.metrics.OnQuery(method, absl::StatusCodeToString(status.code()));
      reply->Finish(status);
    };
    const std::optional<std::string> tenant = parts_.accept.TenantOf(SecretOf(*context));
    if (!tenant.has_value()) {
      finish(ToStatus(parts_.accept.NotAdmitted()));
      return reactor;
    }
    parts_.queries.Post(
        [finish, answer = std::move(answer), tenant = *tenant] { finish(answer(tenant)); });
    return reactor;
  }

  static absl::StatusOr<MessageId> IdOf(const std::string& text) {
    absl::StatusOr<MessageId> id = ParseMessageId(text);
    if (id.ok()) return id;
    return wire::FieldError("message_id", std::string(View(id.status().message())));
  }

  absl::Status AnswerGetMessage(const std::string& tenant, const v1::GetMessageRequest& request,
                                v1::GetMessageResponse& response) {
    ASSIGN_OR_RETURN(const MessageId id, IdOf(request.message_id()));
    if (request.max_events() < 0 || request.max_events() > kMostEvents) {
      return wire::FieldError("max_events",
                              Cat(request.max_events(), " is out of range: give 1 to ", kMostEvents,
                                  ", or 0 for ", kDefaultEvents));
    }
    const int most = request.max_events() == 0 ? kDefaultEvents : request.max_events();
    ASSIGN_OR_RETURN(const Lookup::Message message, parts_.lookup.Get(tenant, id, most));
    response.set_message_id(request.message_id());
    for (const storage::QueueEntryRow& entry : message.entries)
      ToProto(entry, *response.add_entries());
    for (const storage::StoredEvent& event : message.events) ToProto(event, *response.add_events());
    return absl::OkStatus();
  }

  absl::Status AnswerCancel(const std::string& tenant, const v1::CancelRequest& request,
                            v1::CancelResponse& response) {
    ASSIGN_OR_RETURN(const MessageId id, IdOf(request.message_id()));
    if (static_cast<size_t>(request.recipients_size()) > limits::kRecipients) {
      return wire::FieldError("recipients",
                              Cat("there are ", request.recipients_size(), ": at most ",
                                  limits::kRecipients, ", or none for all"));
    }
    const std::vector<std::string> recipients(request.recipients().begin(),
                                              request.recipients().end());
    ASSIGN_OR_RETURN(const std::vector<Lookup::Cancelled> outcomes,
                     parts_.lookup.Cancel(tenant, id, recipients));
    for (const Lookup::Cancelled& one : outcomes) {
      v1::CancelOutcome& outcome = *response.add_outcomes();
      outcome.set_recipient(one.recipient);
      outcome.set_cancelled(one.cancelled);
    }
    return absl::OkStatus();
  }

  const SubmissionParts parts_;
  StreamRegistry streams_;
};

}  // namespace

std::unique_ptr<SubmissionFace> MakeSubmissionFace(const SubmissionParts& parts) {
  return std::make_unique<Face>(parts);
}

}  // namespace sluice::ingest
