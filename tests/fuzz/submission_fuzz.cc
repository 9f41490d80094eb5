// Any bytes as a submission: fields separated by NUL, the content last. What is accepted can be stored (valid text, whole lines, content
// that comes back), what is refused names a field and a cure, and nothing of a field becomes a header line of its own.
#include <lz4.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "ingest/compress.h"
#include "ingest/stored_text.h"
#include "ingest/submit.h"
#include "mail/address.h"
#include "mail/trace_context.h"
#include "mail/utf8.h"

namespace {

using namespace sluice;
using namespace sluice::ingest;

const Instant kNow = FromMicros(1'800'000'000'000'000);

std::string_view Cut(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return field;
}

// `name=value;name=value`, names once, as a proto map has them.
Pairs PairsOf(std::string_view text) {
  Pairs out;
  while (!text.empty()) {
    std::string_view value = Cut(text, ';');
    const std::string_view name = Cut(value, '=');
    if (std::none_of(out.begin(), out.end(), [&](const auto& pair) { return pair.first == name; })) out.emplace_back(name, value);
  }
  return out;
}

Directory MakeRules() {
  PolicyDocument policy;
  policy.tenants = {{.name = "shop", .streams = {"news", "bulk"}, .sender_domains = {"shop.example", "xn--bcher-kva.example"}},
                    {.name = "verp",
                     .streams = {"news"},
                     .sender_domains = {"shop.example"},
                     .verp_domain = "b.shop.example",
                     .token_header = "X-Token",
                     .feedback_sender = "shop"}};
  policy.streams = {{.name = "news"}, {.name = "bulk"}};
  policy.tag_headers = {"X-Kind", "List-Id"};
  return *MakeDirectory(1, policy, {});
}

// One byte of options, then the fields. Protobuf lets no string through that is not UTF-8.
bool Decode(std::string_view input, SubmissionRequest& out) {
  if (input.empty()) return false;
  const auto options = static_cast<uint8_t>(input.front());
  input.remove_prefix(1);
  std::array<std::string_view, 8> text;
  for (std::string_view& field : text) field = Cut(input, '\0');
  if (!std::all_of(text.begin(), text.end(), IsValidUtf8)) return false;
  out.stream = (options & 1U) != 0 ? "news" : text[0];
  out.campaign = text[0];
  out.return_path = text[1];
  out.idempotency_key = text[2];
  out.metadata = PairsOf(text[3]);
  out.list_unsubscribe_url = text[5];
  out.dsn_envelope_id = text[6];
  std::string_view recipients = text[4];
  while (!recipients.empty() && out.recipients.size() < 50) {
    out.recipients.push_back({.address = Cut(recipients, '|'), .metadata = {}, .merge_values = {}});
    RecipientRequest& added = out.recipients.back();
    if ((options & 2U) != 0) added.merge_values = PairsOf(text[7]);
    if ((options & 4U) != 0) added.metadata = PairsOf(text[7]);
    added.dsn_notify = static_cast<int16_t>(options >> 3 & 15U);
  }
  out.merge = (options & 2U) != 0;
  out.dsn_return = static_cast<int16_t>(options >> 6 & 3U);
  if (const auto trace = ParseTraceparent(text[2]); trace && *trace == text[2]) out.traceparent = text[2];
  out.content = input;
  return true;
}

bool IsText(std::string_view text) { return IsValidUtf8(text) && text.find('\0') == std::string_view::npos; }

void CheckLines(std::string_view lines) {
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    SLUICE_CHECK(end != std::string_view::npos && end > 0);
    const std::string_view line = lines.substr(0, end);
    SLUICE_CHECK(line.find_first_of("\r\n") == std::string_view::npos);
    lines.remove_prefix(end + 2);
  }
}

void CheckContentIsWhole(const storage::AcceptedMessage& message) {
  std::string bytes = message.content;
  if (message.encoding == kEncodingLz4) {
    bytes.resize(static_cast<size_t>(message.size_bytes));
    const int size = LZ4_decompress_safe(message.content.data(), bytes.data(), static_cast<int>(message.content.size()), message.size_bytes);
    SLUICE_CHECK(size == message.size_bytes);
  }
  SLUICE_CHECK(bytes.size() == static_cast<size_t>(message.size_bytes));
  SLUICE_CHECK(bytes.ends_with("\r\n"));
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\n') SLUICE_CHECK(i > 0 && bytes[i - 1] == '\r');
    if (bytes[i] == '\r') SLUICE_CHECK(i + 1 < bytes.size() && bytes[i + 1] == '\n');
  }
}

void CheckAccepted(const SubmissionRequest& request, const CheckedSubmission& checked) {
  const storage::AcceptedMessage& message = checked.message;
  for (const std::string* text : {&message.tenant, &message.stream, &message.campaign, &message.return_path, &message.sender_domain,
                                  &message.tags, &message.dsn_envelope_id}) {
    SLUICE_CHECK(IsText(*text));
  }
  CheckLines(message.prepended_headers);
  SLUICE_CHECK(message.due_at >= message.accepted_at && message.expires_at > message.due_at);
  SLUICE_CHECK(message.recipients.size() + checked.refused.size() == request.recipients.size());
  SLUICE_CHECK(message.key_hash.has_value() != request.idempotency_key.empty());
  for (const storage::AcceptedRecipient& recipient : message.recipients) {
    const auto parsed = EmailAddress::Parse(recipient.address);
    SLUICE_CHECK(parsed.ok() && parsed->ToString() == recipient.address);
    SLUICE_CHECK(IsText(recipient.address) && IsText(recipient.domain));
    SLUICE_CHECK(IsText(recipient.metadata_json) && IsText(recipient.merge_values_json));
    const auto metadata = DecodeJsonMap(recipient.metadata_json);
    SLUICE_CHECK(recipient.metadata_json.empty() == metadata.empty());
    if (recipient.traceparent.empty()) continue;
    SLUICE_CHECK(ParseTraceparent(recipient.traceparent) == recipient.traceparent && metadata.contains(std::string(kTraceparent)));
  }
  SLUICE_CHECK(DecodeVerdicts(message.verdicts) == checked.refused);
  for (const Verdict& verdict : checked.refused) SLUICE_CHECK(!verdict.description.empty() && IsValidUtf8(verdict.description));
  if (!message.recipients.empty()) CheckContentIsWhole(message);
}

void CheckRefused(const SubmitError& error) {
  SLUICE_CHECK(error.code == absl::StatusCode::kInvalidArgument || error.code == absl::StatusCode::kPermissionDenied);
  SLUICE_CHECK(!error.violations.empty() && error.violations.size() <= kMostViolations + 1);
  for (const FieldViolation& violation : error.violations) {
    SLUICE_CHECK(!violation.field.empty() && !violation.description.empty());
    // They go back as strings of a proto.
    SLUICE_CHECK(IsValidUtf8(violation.field) && IsValidUtf8(violation.description));
    SLUICE_CHECK(violation.description.size() < 4096);
  }
  SLUICE_CHECK(IsValidUtf8(error.message));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Directory directory = MakeRules();
  static const storage::SuppressionSet suppressions;
  static MessageIdTokens tokens;
  SubmissionRequest request;
  if (!Decode({reinterpret_cast<const char*>(data), size}, request)) return 0;
  for (const auto& [name, tenant] : directory.tenants) {
    const auto outcome = CheckSubmission(request, tenant, directory, suppressions, {}, kNow, tokens);
    if (const auto* error = std::get_if<SubmitError>(&outcome)) {
      CheckRefused(*error);
    } else {
      CheckAccepted(request, std::get<CheckedSubmission>(outcome));
    }
  }
  return 0;
}
