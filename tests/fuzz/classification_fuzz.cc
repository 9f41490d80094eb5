// Any reply at any stage from any host: a verdict within its bounds, the same twice.
#include <array>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "policy/classification.h"
#include "smtp/reply_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  static constexpr std::array<std::string_view, 4> kHosts{"aspmx.l.google.com", "x.mail.protection.outlook.com",
                                                          "mta5.am0.yahoodns.net", "mx.corp.example"};
  if (size < 2) return 0;
  const auto stage = static_cast<Stage>(data[0] % 10U);
  const ReplyOrigin origin{.provider = "other", .mx_host = kHosts[data[1] % kHosts.size()]};
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  ReplyParser parser;
  while (!bytes.empty()) {
    size_t consumed = 0;
    const auto result = parser.Feed(bytes, consumed);
    if (result == ReplyParser::Result::kMalformed || consumed == 0) return 0;
    bytes.remove_prefix(consumed);
    if (result != ReplyParser::Result::kReply) continue;
    const SmtpReply reply = parser.reply();
    const Verdict verdict = Classify(reply, stage, origin);
    const Verdict again = Classify(reply, stage, origin);
    SLUICE_CHECK(verdict.rule == again.rule && verdict.disposition == again.disposition);
    SLUICE_CHECK(!verdict.rule.empty());
    SLUICE_CHECK(verdict.disposition != Disposition::kBounced || reply.is_permanent());
    SLUICE_CHECK(verdict.disposition != Disposition::kDelivered || (reply.is_positive() && stage == Stage::kBody));
    SLUICE_CHECK(!verdict.retry_after || (*verdict.retry_after > Duration::zero() && *verdict.retry_after <= kMostRetryAfter));
    SLUICE_CHECK(!verdict.retry_after || verdict.disposition == Disposition::kDeferred);
    SLUICE_CHECK(verdict.culprit_name.size() <= 255);
  }
  return 0;
}
