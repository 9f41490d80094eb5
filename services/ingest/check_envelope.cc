#include "ingest/check_envelope.h"

#include <algorithm>

#include "base/text.h"
#include "mail/limits.h"

namespace sluice::ingest {
namespace {

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

const StreamPolicy* CheckStream(std::string_view name, const TenantPolicy& tenant,
                                const Directory& directory, Violations& wrong) {
  const auto stream = directory.streams.find(name);
  const bool is_own =
      std::find(tenant.streams.begin(), tenant.streams.end(), name) != tenant.streams.end();
  if (is_own && stream != directory.streams.end()) return &stream->second;
  std::string own;
  for (const std::string& one : tenant.streams) Append(own, own.empty() ? "" : ", ", one);
  if (name.empty()) {
    wrong.Add("stream", Cat("it is missing: give one of ", own));
  } else if (stream == directory.streams.end()) {
    wrong.Add("stream", Cat("there is no stream ", Quoted(name), ": give one of ", own));
  } else {
    wrong.Deny("stream", Cat("tenant ", Quoted(tenant.name), " may not use ", Quoted(name),
                             ": give one of ", own, ", or add it to the tenant in the policy"));
  }
  return nullptr;
}

ReturnPath CheckReturnPath(std::string_view text, const TenantPolicy& tenant, Violations& wrong) {
  if (text.empty()) {
    wrong.Add("return_path", "it is missing: give the address for bounces, or <> for none");
    return {};
  }
  absl::StatusOr<ReturnPath> path = ReturnPath::Parse(text);
  if (!path.ok()) {
    wrong.Add("return_path", path.status());
    return {};
  }
  if (!path->is_null() && !MaySendAs(tenant, path->domain())) {
    wrong.Deny("return_path",
               Cat(Quoted(path->domain()), " is no sender domain of tenant ", Quoted(tenant.name),
                   ": use one of its domains, or add this one to the policy"));
  }
  return *std::move(path);
}

void CheckTimes(const SubmissionRequest& request, const StreamPolicy& stream, Instant now,
                Envelope& envelope, Violations& wrong) {
  // The past is now: clients' clocks differ.
  envelope.due_at = std::max(now, request.first_attempt_at.value_or(now));
  if (envelope.due_at > now + limits::kLongestSchedule) {
    wrong.Add("first_attempt_at",
              Cat(ToString(envelope.due_at), " is too far ahead: at most 30 days"));
  }
  envelope.expires_at = request.expires_at.value_or(envelope.due_at + stream.expiry);
  if (!request.expires_at.has_value()) return;
  const std::string given = ToString(envelope.expires_at);
  if (envelope.expires_at <= now) {
    wrong.Add("expires_at", Cat(given, " is in the past: give a later time, or leave it out"));
  } else if (envelope.expires_at <= envelope.due_at) {
    wrong.Add("expires_at",
              Cat(given, " is not after first_attempt_at: give a later time, or leave it out"));
  } else if (envelope.expires_at > envelope.due_at + limits::kLongestExpiry) {
    wrong.Add("expires_at", Cat(given, " is too late: at most 30 days after the first attempt"));
  }
}

void CheckPairs(const Pairs& pairs, const std::string& field, size_t most, size_t most_name,
                size_t most_value, Violations& wrong) {
  if (pairs.size() > most)
    wrong.Add(field, Cat("it has ", pairs.size(), " entries: at most ", most));
  for (const auto& [name, value] : pairs) {
    if (name.empty()) wrong.Add(field, "a name in it is empty: name it");
    if (name.size() > most_name) {
      wrong.Add(field, Cat("the name ", Quoted(name), " has ", name.size(), " bytes: at most ",
                           most_name));
    }
    if (value.size() > most_value) {
      wrong.Add(field, Cat("the value of ", Quoted(name), " has ", value.size(), " bytes: at most ",
                           most_value));
    }
  }
}

size_t BytesOf(const Pairs& pairs) {
  size_t bytes = 0;
  for (const auto& [name, value] : pairs) bytes += name.size() + value.size();
  return bytes;
}

void CheckNotify(int16_t notify, const std::string& field, Violations& wrong) {
  if ((notify & kNotifyNever) != 0 && notify != kNotifyNever) {
    wrong.Add(field, "NEVER stands beside others: give it alone, or leave it out (RFC 3461)");
  }
}

void CheckRecipient(const RecipientRequest& recipient, size_t index, Violations& wrong) {
  const auto field = [&](const char* name) { return Cat("recipients[", index, "].", name); };
  if (recipient.engagement < 0 || recipient.engagement > 100) {
    wrong.Add(field("engagement"), Cat(recipient.engagement, " is out of range: give 0 to 100"));
  }
  if (recipient.dsn_notify != 0) CheckNotify(recipient.dsn_notify, field("dsn_notify"), wrong);
  if (!recipient.metadata.empty()) {
    CheckPairs(recipient.metadata, field("metadata"), limits::kMetadataEntries,
               limits::kMetadataKeyBytes, limits::kMetadataValueBytes, wrong);
  }
  if (!recipient.merge_values.empty()) {
    CheckPairs(recipient.merge_values, field("merge_values"), limits::kMergeEntries,
               limits::kMergeKeyBytes, limits::kMergeValueBytes, wrong);
  }
}

void CheckRecipients(const SubmissionRequest& request, Violations& wrong) {
  const size_t count = request.recipients.size();
  if (count == 0) wrong.Add("recipients", "there is none: give at least one");
  if (count > limits::kRecipients) {
    wrong.Add("recipients", Cat("there are ", count, ": at most ", limits::kRecipients,
                                ", split them over several submissions"));
    return;
  }
  // The message's metadata is kept with each recipient.
  size_t bytes = count * BytesOf(request.metadata);
  for (size_t i = 0; i < count; ++i) {
    const RecipientRequest& recipient = request.recipients[i];
    CheckRecipient(recipient, i, wrong);
    bytes += BytesOf(recipient.metadata) + BytesOf(recipient.merge_values);
  }
  if (bytes > limits::kRecipientDataBytes) {
    wrong.Add("recipients",
              Cat("metadata and merge values of all have ", bytes, " bytes: at most ",
                  limits::kRecipientDataBytes, ", split them over several submissions"));
  }
}

void CheckUrl(std::string_view url, Violations& wrong) {
  if (url.empty()) return;
  const bool is_known =
      url.starts_with("https://") || url.starts_with("http://") || url.starts_with("mailto:");
  const bool is_clean =
      IsPrintableAscii(url) && url.find_first_of("<>,\"") == std::string_view::npos;
  if (is_known && is_clean && url.size() <= limits::kUrlBytes) return;
  wrong.Add("list_unsubscribe_url",
            Cat(Quoted(url),
                " cannot stand in a header: give an https:, http: or mailto: URL of at most ",
                limits::kUrlBytes, " bytes, other characters percent-encoded"));
}

void CheckDsn(const SubmissionRequest& request, Violations& wrong) {
  if (request.dsn_envelope_id.size() > limits::kDsnEnvelopeIdBytes ||
      !IsPrintableAscii(request.dsn_envelope_id)) {
    wrong.Add("dsn_envelope_id",
              Cat("it must have at most ", limits::kDsnEnvelopeIdBytes,
                  " printable ASCII characters, no blanks: encode or shorten it"));
  }
}

void CheckNames(const SubmissionRequest& request, Violations& wrong) {
  if (request.idempotency_key.size() > limits::kIdempotencyKeyBytes) {
    wrong.Add("idempotency_key", Cat("it has ", request.idempotency_key.size(), " bytes: at most ",
                                     limits::kIdempotencyKeyBytes, ", hash it"));
  }
  if (request.campaign.size() > limits::kCampaignBytes) {
    wrong.Add("campaign",
              Cat("it has ", request.campaign.size(), " bytes: at most ", limits::kCampaignBytes));
  }
  if (HasControl(request.campaign))
    wrong.Add("campaign", "it has a control character in it: remove it");
}

}  // namespace

Envelope CheckEnvelope(const SubmissionRequest& request, const TenantPolicy& tenant,
                       const Directory& directory, Instant now, Violations& wrong) {
  Envelope envelope;
  const StreamPolicy* stream = CheckStream(request.stream, tenant, directory, wrong);
  const StreamPolicy rules = stream != nullptr ? *stream : StreamPolicy{};
  envelope.priority =
      request.priority != 0 ? request.priority : static_cast<int16_t>(rules.priority);
  envelope.uses_verp = request.return_path.empty() && !tenant.verp_domain.empty();
  if (!envelope.uses_verp) {
    envelope.return_path = CheckReturnPath(request.return_path, tenant, wrong);
  }
  CheckTimes(request, rules, now, envelope, wrong);
  CheckNames(request, wrong);
  if (!request.metadata.empty()) {
    CheckPairs(request.metadata, "metadata", limits::kMetadataEntries, limits::kMetadataKeyBytes,
               limits::kMetadataValueBytes, wrong);
  }
  CheckRecipients(request, wrong);
  CheckUrl(request.list_unsubscribe_url, wrong);
  CheckDsn(request, wrong);
  return envelope;
}

}  // namespace sluice::ingest
