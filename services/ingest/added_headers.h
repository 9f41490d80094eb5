// The header lines that Sluice puts before a submitted message. Submitted bytes are never changed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "ingest/submission.h"
#include "mail/content.h"
#include "mail/policy_document.h"

namespace sluice::ingest {

// Tokens for Message-ID, unique for ever: 80 random bits of this process and a counter.
// Thread-safe.
class MessageIdTokens {
 public:
  // Seeds from the system's random numbers.
  MessageIdTokens();
  std::string Next();

 private:
  std::string prefix_;
  std::atomic<uint64_t> next_{0};
};

// Complete lines with CRLF: Date and Message-ID where absent; List-Unsubscribe for the request's URL
// (checked) with One-Click (RFC 8058) when it is https; the token header, its value a placeholder
// (smtp/token.h), and Feedback-ID where the tenant's policy asks for them.
std::string AddedHeaders(const ContentFacts& facts, const SubmissionRequest& request,
                         const TenantPolicy& tenant, Instant now, MessageIdTokens& tokens);

}  // namespace sluice::ingest
