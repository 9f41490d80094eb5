#include "smtp/arf.h"

#include <algorithm>

#include "smtp/dsn.h"

namespace sluice {
namespace {

constexpr size_t kMostReportBytes = 64 << 10;
constexpr size_t kMostRecipients = 100;

}  // namespace

std::optional<AbuseReport> ReadAbuseReport(const MimeMessage& message) {
  const auto part = std::find_if(message.parts.begin(), message.parts.end(), [](const MimePart& one) {
    return one.type == "message/feedback-report";
  });
  if (part == message.parts.end()) return std::nullopt;
  const std::string body = DecodedBody(*part, kMostReportBytes);
  std::string_view rest = body;
  const HeaderFields fields = ReadHeaderFields(rest);
  AbuseReport report;
  report.feedback_type = LowerCase(fields.Find("feedback-type"));
  report.user_agent = fields.Find("user-agent");
  report.source_ip = fields.Find("source-ip");
  report.reported_domain = LowerCase(fields.Find("reported-domain"));
  report.original_mail_from = AddressInText(fields.Find("original-mail-from"));
  for (const auto& [name, value] : fields.all()) {
    if (name != "original-rcpt-to" || report.original_recipients.size() >= kMostRecipients) continue;
    report.original_recipients.push_back(AddressInText(value));
  }
  return report;
}

}  // namespace sluice
