#include "ingest/accept.h"

#include <atomic>
#include <optional>
#include <utility>

#include "ingest/stored_text.h"
#include "mail/rate.h"

namespace sluice::ingest {
namespace {

// When to come back after what passes by itself.
constexpr Duration kBusyDelay = std::chrono::milliseconds(200);
constexpr Duration kStoreDelay = std::chrono::seconds(1);
constexpr Duration kQuotaDelay = std::chrono::seconds(1);
constexpr Duration kDiskFullDelay = std::chrono::seconds(30);

// The submissions of one request, until the last one has its outcome.
class Frame final : public CommitWaiter {
 public:
  Frame(size_t count, Ticket ticket, Accept::OnDone on_done)
      : ticket_(std::move(ticket)),
        on_done_(std::move(on_done)),
        refused_(count),
        outcomes_(count) {}

  // Before anything is added to the group commit.
  void Refuse(size_t index, SubmitError error) { outcomes_[index] = std::move(error); }
  void Expect(size_t index, std::vector<Verdict> refused) {
    refused_[index] = std::move(refused);
    left_.fetch_add(1, std::memory_order_relaxed);
  }
  // Everything is either refused or expected.
  void Begin() { OneLess(); }

  void OnCommitted(size_t index, absl::StatusOr<storage::AcceptOutcome> outcome) override {
    outcomes_[index] = ToOutcome(std::move(outcome), std::move(refused_[index]));
    OneLess();
  }

 private:
  // Each outcome is written by one thread, and read after the last one has counted down.
  void OneLess() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    ticket_.reset();
    on_done_(std::move(outcomes_));
  }

  std::optional<Ticket> ticket_;
  Accept::OnDone on_done_;
  std::vector<std::vector<Verdict>> refused_;
  std::vector<SubmitOutcome> outcomes_;
  std::atomic<size_t> left_{1};  // One for Begin.
};

SubmitError Busy() {
  return {.code = absl::StatusCode::kResourceExhausted,
          .message =
              "too much is in flight for this tenant or this server: send it again a little later",
          .violations = {},
          .retry_after = kBusyDelay};
}

SubmitError OverRate(std::string_view key_id, const KeyBudgets::Refusal& refusal) {
  return {.code = absl::StatusCode::kResourceExhausted,
          .message = Cat("API key ", key_id, " is at its limit of ", refusal.per_second, " ", refusal.unit,
                         " a second: send it again after the time given, or have the limit raised (`sluicectl key limit`)"),
          .violations = {},
          .retry_after = refusal.retry_after};
}

// Empty: it may be as large.
std::optional<SubmitError> OverSize(const Directory::Key& key, size_t content_bytes) {
  const int64_t most = key.limits.message_bytes;
  if (most == 0 || content_bytes <= static_cast<size_t>(most)) return std::nullopt;
  const std::string why = Cat("has ", content_bytes, " bytes, and API key ", key.id, " takes at most ", most,
                              ": send a smaller message, or have the limit raised (`sluicectl key limit`)");
  return SubmitError{.code = absl::StatusCode::kInvalidArgument, .message = Cat("content: ", why), .violations = {{"content", why}}};
}

SubmitError QuotaFull(const TenantPolicy& tenant) {
  return {.code = absl::StatusCode::kResourceExhausted,
          .message = Cat("tenant '", tenant.name, "' has as many recipients waiting as its `pending: ", CountText(*tenant.pending),
                         "` of the policy allows, nothing was accepted: send it again when some have left, or have the limit raised"),
          .violations = {},
          .retry_after = kQuotaDelay};
}

SubmitError ToError(const absl::Status& status) {
  const std::string why(View(status.message()));
  switch (status.code()) {
    case absl::StatusCode::kUnknown:
      return {absl::StatusCode::kUnavailable,
              "the store's answer was lost, so that this may or may not be accepted: send it again "
              "with its idempotency key",
              {},
              kStoreDelay};
    case absl::StatusCode::kUnavailable:
      return {absl::StatusCode::kUnavailable,
              "the store does not answer, nothing was accepted: send it again",
              {},
              kStoreDelay};
    case absl::StatusCode::kResourceExhausted:
      return {absl::StatusCode::kResourceExhausted,
              "the store is full, nothing was accepted: send it again later",
              {},
              kDiskFullDelay};
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return {absl::StatusCode::kInvalidArgument,
              Cat("the store refused a value of this submission: ", why),
              {},
              {}};
    default:
      return {absl::StatusCode::kInternal, Cat("the store failed: ", why), {}, {}};
  }
}

}  // namespace

SubmitOutcome ToOutcome(absl::StatusOr<storage::AcceptOutcome> outcome,
                        std::vector<Verdict> refused) {
  if (!outcome.ok()) return ToError(outcome.status());
  switch (outcome->kind) {
    case storage::AcceptOutcome::Kind::kAccepted:
      return SubmitAnswer{.message_id = outcome->message_id, .refused = std::move(refused)};
    case storage::AcceptOutcome::Kind::kRepeated:
      return SubmitAnswer{.message_id = outcome->message_id,
                          .refused = DecodeVerdicts(outcome->verdicts),
                          .repeated = true};
    case storage::AcceptOutcome::Kind::kForgotten:
      return SubmitError{.code = absl::StatusCode::kUnavailable,
                         .message = "idempotency_key: its use a day ago was forgotten just now, nothing was accepted: send it again",
                         .violations = {},
                         .retry_after = kStoreDelay};
    case storage::AcceptOutcome::Kind::kConflict:
      break;
  }
  return SubmitError{.code = absl::StatusCode::kAlreadyExists,
                     .message =
                         "idempotency_key: it was used for other content within the last 24 hours: "
                         "choose another key"};
}

std::variant<Accept::Admitted, SubmitError> Accept::Admit(const SecretHash& secret,
                                                          size_t request_bytes,
                                                          size_t submissions) {
  std::shared_ptr<const Directory> directory = directory_.Get();
  const Directory::Caller caller = directory->Find(secret);
  if (caller.tenant == nullptr) return NotAdmitted();
  std::optional<Ticket> ticket =
      admission_.Admit(caller.tenant->name, HeldBytes(request_bytes, submissions));
  if (!ticket.has_value()) return Busy();
  const auto refusal = budgets_.Take(caller.key->id, caller.key->limits, static_cast<int64_t>(submissions),
                                     static_cast<int64_t>(request_bytes), clock_.Steady());
  if (refusal.has_value()) return OverRate(caller.key->id, *refusal);
  return Admitted{std::move(directory), caller, *std::move(ticket)};
}

SubmitError Accept::NotAdmitted() const {
  if (!directory_.Get()->is_loaded) {
    return {.code = absl::StatusCode::kUnavailable,
            .message = "API keys are not read yet: send it again",
            .violations = {},
            .retry_after = kStoreDelay};
  }
  return {.code = absl::StatusCode::kUnauthenticated,
          .message =
              "no valid API key: send metadata 'authorization: Bearer KEY' with a key of "
              "`sluicectl key create`"};
}

std::optional<std::string> Accept::TenantOf(const SecretHash& secret) const {
  const std::shared_ptr<const Directory> directory = directory_.Get();
  const TenantPolicy* tenant = directory->FindTenant(secret);
  if (tenant == nullptr) return std::nullopt;
  return tenant->name;
}

std::optional<std::string> Accept::ReaderOf(const SecretHash& secret) const {
  const std::shared_ptr<const Directory> directory = directory_.Get();
  return directory->ReadsAll(secret) ? std::string() : TenantOf(secret);
}

void Accept::Run(Admitted admitted, std::span<const SubmissionRequest> submissions,
                 OnDone on_done) {
  const auto frame =
      std::make_shared<Frame>(submissions.size(), std::move(admitted.ticket), std::move(on_done));
  const Instant now = clock_.Now();
  std::vector<Accepting> accepting;
  accepting.reserve(submissions.size());
  for (size_t i = 0; i < submissions.size(); ++i) {
    if (auto over = OverSize(*admitted.caller.key, submissions[i].content.size())) {
      frame->Refuse(i, *std::move(over));
      continue;
    }
    auto checked = CheckSubmission(submissions[i], *admitted.caller.tenant, *admitted.directory,
                                   suppressions_, rules_, now, tokens_);
    if (auto* error = std::get_if<SubmitError>(&checked)) {
      frame->Refuse(i, std::move(*error));
      continue;
    }
    auto& good = std::get<CheckedSubmission>(checked);
    const auto recipients = static_cast<int64_t>(good.message.recipients.size());
    const TenantPolicy& tenant = *admitted.caller.tenant;
    if (tenant.pending && !quota_.Take(tenant.name, *tenant.pending, recipients, now)) {
      frame->Refuse(i, QuotaFull(tenant));
      continue;
    }
    frame->Expect(i, std::move(good.refused));
    accepting.push_back({std::move(good.message), frame, i});
  }
  if (!accepting.empty()) commit_.Add(std::move(accepting));
  frame->Begin();
}

}  // namespace sluice::ingest
