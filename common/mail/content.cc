#include "mail/content.h"

#include <cstring>

#include "base/status.h"
#include "base/text.h"
#include "mail/header_address.h"
#include "mail/line_scan.h"

namespace sluice {
namespace {

absl::Status Bad(std::string_view why) { return absl::InvalidArgumentError(std::string(why)); }
absl::Status Bad(size_t line, std::string_view why) { return Bad(Cat("line ", line, ": ", why)); }

bool Contains(std::string_view bytes, char c) {
  return !bytes.empty() && std::memchr(bytes.data(), c, bytes.size()) != nullptr;
}

std::string WithCrlf(std::string_view lf_only) {
  std::string out;
  out.reserve(lf_only.size() + lf_only.size() / 32 + 2);
  while (true) {
    const size_t lf = lf_only.find('\n');
    out.append(lf_only.substr(0, lf));
    if (lf == std::string_view::npos) return out;
    out.append("\r\n");
    lf_only.remove_prefix(lf + 1);
  }
}

// The message with CRLF line ends, or nothing when it has them already. What is neither all LF nor
// all CRLF is left for the line scan to refuse.
absl::StatusOr<std::optional<std::string>> Normalise(std::string_view submitted,
                                                     const ContentRules& rules) {
  std::optional<std::string> normalised;
  const size_t lf = submitted.find('\n');
  const bool lf_first = lf != std::string_view::npos && (lf == 0 || submitted[lf - 1] != '\r');
  if (lf_first && !Contains(submitted, '\r')) {
    if (!rules.normalise_line_ends) return Bad(1, "lines end with LF: end them with CRLF");
    normalised = WithCrlf(submitted);
  }
  const std::string_view bytes = normalised.has_value() ? *normalised : submitted;
  // A final CR or LF of its own is refused later, not completed.
  if (bytes.back() != '\n' && bytes.back() != '\r') {
    if (!normalised.has_value()) normalised.emplace(submitted);
    normalised->append("\r\n");
  }
  return normalised;
}

absl::Status Explain(const LineScan& scan, std::string_view bytes) {
  const size_t line = LineNumber(bytes, scan.at);
  switch (scan.problem) {
    case LineProblem::kNone:
      return absl::OkStatus();
    case LineProblem::kNul:
      return Bad(line, "there is a NUL byte: encode binary parts as base64");
    case LineProblem::kBareCr:
      return Bad(line, "there is a CR without LF: end lines with CRLF");
    case LineProblem::kBareLf:
      return Bad(line, "the line ends with LF where others end with CRLF: end all lines with CRLF");
    case LineProblem::kLongLine:
      return Bad(line, Cat("the line is over ", limits::kLineBytes,
                           " bytes: fold it, or encode the part as quoted-printable or base64"));
  }
  return absl::OkStatus();
}

// Offset of the body: after the first empty line, or the end.
absl::StatusOr<size_t> FindBody(std::string_view bytes) {
  if (bytes.starts_with("\r\n")) {
    return Bad(1, "the message begins with a blank line, so it has no header: remove the line");
  }
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::string_view front = bytes.substr(0, limits::kHeaderBytes + kEnd.size());
  const size_t end = front.find(kEnd);
  if (end != std::string_view::npos) return end + kEnd.size();
  if (bytes.size() <= limits::kHeaderBytes) return bytes.size();
  return Bad(Cat("the header is over ", limits::kHeaderBytes, " bytes: shorten it"));
}

absl::Status CheckNotEmpty(const HeaderSection& header, SingleField field, std::string_view name) {
  if (!header.has(field) || !Unfold(header.at(field).value).empty()) return absl::OkStatus();
  return Bad(header.at(field).line,
             Cat("the header '", name, "' is empty: give a value, or remove it to have it added"));
}

absl::StatusOr<std::vector<EmailAddress>> Addresses(const HeaderSection& header, SingleField field,
                                                    std::string_view name) {
  const HeaderSection::Field& found = header.at(field);
  absl::StatusOr<std::vector<EmailAddress>> addresses = ParseMailboxList(found.value);
  if (addresses.ok()) return addresses;
  return Bad(found.line, Cat("the header '", name, "': ", addresses.status().message()));
}

absl::Status ReadOriginators(const HeaderSection& header, ContentFacts& facts) {
  if (!header.has(SingleField::kFrom)) {
    return Bad("there is no From header: add From: Name <user@example.com>");
  }
  ASSIGN_OR_RETURN(facts.from, Addresses(header, SingleField::kFrom, "From"));
  if (!header.has(SingleField::kSender)) {
    if (facts.from.size() == 1) return absl::OkStatus();
    return Bad(header.at(SingleField::kFrom).line,
               "the header 'From' has several addresses and there is no Sender: add Sender with "
               "one of them");
  }
  ASSIGN_OR_RETURN(const std::vector<EmailAddress> senders,
                   Addresses(header, SingleField::kSender, "Sender"));
  if (senders.size() != 1) {
    return Bad(header.at(SingleField::kSender).line,
               "the header 'Sender' has several addresses: give one");
  }
  facts.sender = senders[0];
  return absl::OkStatus();
}

absl::Status ReadHeader(std::string_view header_bytes, const ContentRules& rules,
                        ContentFacts& facts) {
  ASSIGN_OR_RETURN(HeaderSection header, ReadHeaderSection(header_bytes, rules.tag_names));
  RETURN_IF_ERROR(ReadOriginators(header, facts));
  RETURN_IF_ERROR(CheckNotEmpty(header, SingleField::kDate, "Date"));
  RETURN_IF_ERROR(CheckNotEmpty(header, SingleField::kMessageId, "Message-ID"));
  facts.has_date = header.has(SingleField::kDate);
  facts.has_message_id = header.has(SingleField::kMessageId);
  facts.has_list_unsubscribe =
      header.has(SingleField::kListUnsubscribe) || header.has(SingleField::kListUnsubscribePost);
  facts.has_feedback_id = header.has(SingleField::kFeedbackId);
  facts.has_utf8_header = header.has_utf8;
  facts.tags = std::move(header.tags);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ContentFacts> CheckContent(std::string_view submitted, const ContentRules& rules) {
  if (submitted.empty()) return Bad("the message is empty: give header and body");
  const auto too_large = [&](size_t size) {
    return Bad(
        Cat("the message has ", size, " bytes: at most ", rules.content_bytes, " are allowed"));
  };
  if (submitted.size() > rules.content_bytes) return too_large(submitted.size());
  ContentFacts facts;
  ASSIGN_OR_RETURN(facts.normalised, Normalise(submitted, rules));
  const std::string_view bytes = facts.Bytes(submitted);
  if (bytes.size() > rules.content_bytes) return too_large(bytes.size());
  ASSIGN_OR_RETURN(facts.body_offset, FindBody(bytes));
  facts.size_bytes = bytes.size();
  LineScan header_scan = ScanLines(bytes.substr(0, facts.body_offset), limits::kLineBytes);
  RETURN_IF_ERROR(Explain(header_scan, bytes));
  LineScan body_scan = ScanLines(bytes.substr(facts.body_offset), limits::kLineBytes);
  body_scan.at += facts.body_offset;
  RETURN_IF_ERROR(Explain(body_scan, bytes));
  facts.has_8bit_body = body_scan.has_8bit;
  // Without the empty line between header and body.
  const bool has_separator = facts.body_offset != bytes.size() || bytes.ends_with("\r\n\r\n");
  RETURN_IF_ERROR(
      ReadHeader(bytes.substr(0, facts.body_offset - (has_separator ? 2 : 0)), rules, facts));
  return facts;
}

}  // namespace sluice
