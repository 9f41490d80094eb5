// Abuse reports (RFC 5965): what feedback loops send when a recipient complains.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "smtp/mime.h"

namespace sluice {

struct AbuseReport {
  std::string feedback_type{};  // `abuse`, `fraud`, `not-spam`, `opt-out` …: lower case.
  std::string user_agent{}, source_ip{}, reported_domain{};
  std::string original_mail_from{};
  std::vector<std::string> original_recipients{};  // Often withheld; at most 100.
};

// Nothing when the message has no part of feedback report.
std::optional<AbuseReport> ReadAbuseReport(const MimeMessage& message);

}  // namespace sluice
