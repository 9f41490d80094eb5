// Any bytes as a message that came back: bounded, printable, and the pieces that are read (delivery
// status, abuse report) hold together.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "policy/bounce_class.h"
#include "smtp/arf.h"
#include "smtp/dsn.h"
#include "smtp/feedback_message.h"
#include "smtp/token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string_view from : {"", "someone@example.com"}) {
    const auto message =
        sluice::ReadFeedbackMessage(bytes, "b-es030c8xkkrmbe57k10517hyp30t25zs@b.example", from);
    SLUICE_CHECK(!message.tokens.empty() && message.tokens.size() <= 64);
    SLUICE_CHECK(message.tokens.front() == "es030c8xkkrmbe57k10517hyp30t25zs");
    for (const std::string& token : message.tokens) SLUICE_CHECK(token.size() == sluice::kTokenTextSize);
    SLUICE_CHECK(message.recipients.size() <= 100);
    if (message.kind == sluice::FeedbackKind::kBounce) SLUICE_CHECK(!message.recipients.empty());
    for (const auto& recipient : message.recipients) {
      SLUICE_CHECK(recipient.reply.text.size() <= sluice::kMaxReplyTextBytes);
      for (const char c : recipient.reply.text) {
        SLUICE_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
      }
      (void)sluice::ClassifyBounce(recipient.reply);
    }
  }
  const auto mime = sluice::ReadMimeMessage(bytes);
  SLUICE_CHECK(mime.parts.size() <= 32);
  if (const auto dsn = sluice::ReadDsn(mime)) SLUICE_CHECK(!dsn->recipients.empty());
  (void)sluice::ReadAbuseReport(mime);
  return 0;
}
