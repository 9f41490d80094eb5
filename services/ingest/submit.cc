#include "ingest/submit.h"

#include <algorithm>
#include <unordered_set>

#include "ingest/check_envelope.h"
#include "ingest/check_merge.h"
#include "ingest/compress.h"
#include "ingest/idempotency.h"
#include "ingest/stored_text.h"
#include "ingest/violations.h"
#include "mail/content.h"
#include "mail/trace_context.h"
#include "smtp/token.h"
#include "smtp/verp.h"

namespace sluice::ingest {
namespace {

// message.flags.
constexpr int16_t kHas8bit = 1;
constexpr int16_t kNeedsSmtputf8 = 2;
constexpr int16_t kMerge = 4;

void CheckSender(const TenantPolicy& tenant, std::string_view header, const EmailAddress& address,
                 Violations& wrong) {
  if (MaySendAs(tenant, address.domain())) return;
  wrong.Deny("content",
             Cat("the header '", header, "' names ", Quoted(address.ToString()), ", and ",
                 Quoted(address.domain()), " is no sender domain of tenant ", Quoted(tenant.name),
                 ": send as one of its domains, or add this one to the policy"));
}

ContentFacts ReadContent(const SubmissionRequest& request, const TenantPolicy& tenant,
                         const Directory& directory, const SubmitRules& rules, Violations& wrong) {
  const ContentRules content_rules = {.normalise_line_ends = rules.normalise_line_ends,
                                      .content_bytes = rules.content_bytes,
                                      .tag_names = directory.tag_headers};
  absl::StatusOr<ContentFacts> facts = CheckContent(request.content, content_rules);
  if (!facts.ok()) {
    wrong.Add("content", facts.status());
    return {};
  }
  for (const EmailAddress& from : facts->from) CheckSender(tenant, "From", from, wrong);
  if (facts->sender.has_value()) CheckSender(tenant, "Sender", *facts->sender, wrong);
  if (facts->has_list_unsubscribe && !request.list_unsubscribe_url.empty()) {
    wrong.Add("list_unsubscribe_url",
              "the content has List-Unsubscribe already: leave out one of the two");
  }
  if (request.merge) CheckMerge(request, tenant, *facts, wrong);
  return *std::move(facts);
}

std::string TagLines(const std::vector<Tag>& tags) {
  std::string lines;
  for (const Tag& tag : tags) Append(lines, tag.name, "=", tag.value, "\n");
  return lines;
}

Pairs::const_iterator FindTrace(const Pairs& metadata) {
  return std::find_if(metadata.begin(), metadata.end(), [](const auto& pair) { return pair.first == kTraceparent; });
}

// The call's trace context stands in where the submission has none of its own.
Pairs WithTrace(const SubmissionRequest& request) {
  Pairs out = request.metadata;
  if (!request.traceparent.empty() && FindTrace(out) == out.end()) out.emplace_back(kTraceparent, request.traceparent);
  return out;
}

std::string TraceIn(const Pairs& metadata) {
  const auto found = FindTrace(metadata);
  return found == metadata.end() ? "" : ParseTraceparent(found->second).value_or("");
}

// The good recipients; the others get a verdict.
class Recipients {
 public:
  Recipients(const SubmissionRequest& request, const TenantPolicy& tenant,
             const storage::SuppressionSet& suppressions, const SubmitRules& rules)
      : request_(request),
        tenant_(tenant),
        suppressions_(suppressions),
        literals_(rules.allow_address_literals ? AddressLiterals::kAllow
                                               : AddressLiterals::kRefuse),
        metadata_(WithTrace(request)),
        common_metadata_(EncodeJsonMap(metadata_)),
        common_trace_(TraceIn(metadata_)) {}

  CheckedSubmission Check() && {
    CheckedSubmission checked;
    checked.message.recipients.reserve(request_.recipients.size());
    for (size_t i = 0; i < request_.recipients.size(); ++i) CheckOne(i, checked);
    return checked;
  }

 private:
  void CheckOne(size_t i, CheckedSubmission& checked) {
    const RecipientRequest& recipient = request_.recipients[i];
    const auto refuse = [&](std::string reason, std::string description) {
      checked.refused.push_back(
          {static_cast<int32_t>(i), std::move(reason), std::move(description)});
    };
    const absl::StatusOr<EmailAddress> address = EmailAddress::Parse(recipient.address, literals_);
    if (!address.ok())
      return refuse("invalid_address", std::string(View(address.status().message())));
    if (request_.recipients.size() > 1 && !seen_.insert(address->ToString()).second) {
      return refuse("duplicate", "the address stands earlier in the list: one of them is enough");
    }
    std::string metadata = common_metadata_;
    std::string traceparent = common_trace_;
    if (!recipient.metadata.empty()) {
      const Pairs own = Overlay(metadata_, recipient.metadata);
      metadata = EncodeJsonMap(own);
      traceparent = TraceIn(own);
    }
    if (suppressions_.Contains(tenant_.name, address->ToString())) {
      // Its event is told all the same.
      checked.message.suppressed.push_back({.address = address->ToString(),
                                            .domain = std::string(address->domain()),
                                            .metadata_json = std::move(metadata)});
      return refuse("suppressed",
                    "the address bounced, complained, unsubscribed or was suppressed by an operator; "
                    "`sluicectl suppression list` says which");
    }
    checked.message.recipients.push_back(
        {.address = address->ToString(),
         .domain = std::string(address->domain()),
         .metadata_json = std::move(metadata),
         .merge_values_json = request_.merge ? EncodeJsonMap(recipient.merge_values) : "",
         .engagement = static_cast<int16_t>(recipient.engagement),
         .dsn_notify = recipient.dsn_notify,
         .traceparent = std::move(traceparent)});
  }

  const SubmissionRequest& request_;
  const TenantPolicy& tenant_;
  const storage::SuppressionSet& suppressions_;
  AddressLiterals literals_;
  const Pairs metadata_;
  const std::string common_metadata_, common_trace_;
  std::unordered_set<std::string> seen_;
};

bool AnySuppressed(const std::vector<Verdict>& refused) {
  return std::any_of(refused.begin(), refused.end(),
                     [](const Verdict& verdict) { return verdict.reason == "suppressed"; });
}

// All are bad: the request fails, naming them.
SubmitError NoneGood(const std::vector<Verdict>& refused) {
  Violations wrong(kMostViolations);
  for (const Verdict& verdict : refused) {
    wrong.Add(Cat("recipients[", verdict.index, "].address"), verdict.description);
  }
  return wrong.ToError();
}

void FillMessage(const SubmissionRequest& request, const TenantPolicy& tenant,
                 const Envelope& envelope, const ContentFacts& facts, Instant now,
                 MessageIdTokens& tokens, storage::AcceptedMessage& message) {
  if (!request.idempotency_key.empty()) {
    message.key_hash = HashKey(tenant.name, request.idempotency_key);
    message.digest = DigestOf(request);
  }
  message.tenant = tenant.name;
  message.stream = request.stream;
  message.campaign = request.campaign;
  message.return_path =
      envelope.uses_verp
          ? MakeVerpAddress(std::string_view(&kTokenPlaceholder, 1), tenant.verp_domain)
          : envelope.return_path.ToString();
  message.sender_domain = facts.from.front().domain();
  message.tags = TagLines(facts.tags);
  message.priority = envelope.priority;
  message.accepted_at = now;
  message.due_at = envelope.due_at;
  message.expires_at = envelope.expires_at;
  message.prepended_headers = AddedHeaders(facts, request, tenant, now, tokens);
  message.size_bytes = static_cast<int32_t>(facts.size_bytes);
  const bool needs_smtputf8 = facts.has_utf8_header || envelope.return_path.needs_smtputf8();
  message.flags = static_cast<int16_t>((facts.has_8bit_body ? kHas8bit : 0) |
                                       (needs_smtputf8 ? kNeedsSmtputf8 : 0) |
                                       (request.merge ? kMerge : 0));
  message.dsn_return = request.dsn_return;
  message.dsn_envelope_id = request.dsn_envelope_id;
  if (message.recipients.empty()) return;  // Nobody to send it to.
  StoredContent stored = Compress(facts.Bytes(request.content));
  message.content = std::move(stored.bytes);
  message.encoding = stored.encoding;
}

}  // namespace

std::variant<CheckedSubmission, SubmitError> CheckSubmission(const SubmissionRequest& request,
                                                             const TenantPolicy& tenant,
                                                             const Directory& directory,
                                                             const storage::SuppressionSet& suppressions,
                                                             const SubmitRules& rules, Instant now,
                                                             MessageIdTokens& tokens) {
  Violations wrong(kMostViolations);
  const Envelope envelope = CheckEnvelope(request, tenant, directory, now, wrong);
  const ContentFacts facts = ReadContent(request, tenant, directory, rules, wrong);
  if (!wrong.empty()) return wrong.ToError();
  CheckedSubmission checked = Recipients(request, tenant, suppressions, rules).Check();
  if (checked.message.recipients.empty() && !AnySuppressed(checked.refused)) {
    return NoneGood(checked.refused);
  }
  FillMessage(request, tenant, envelope, facts, now, tokens, checked.message);
  checked.message.verdicts = EncodeVerdicts(checked.refused);
  return checked;
}

size_t HeldBytes(size_t request_bytes, size_t submissions) {
  constexpr size_t kPerSubmission = 1024;
  // The request and its compressed copy; mail shrinks to half or less.
  return request_bytes + request_bytes / 2 + (submissions + 1) * kPerSubmission;
}

}  // namespace sluice::ingest
