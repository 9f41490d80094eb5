// The header lines that Sluice puts before a submitted message. Submitted bytes are never changed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "mail/content.h"

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

// Complete lines with CRLF: Date and Message-ID where absent, List-Unsubscribe for
// `list_unsubscribe_url` (checked, empty = none) with One-Click (RFC 8058) when it is https.
std::string AddedHeaders(const ContentFacts& facts, std::string_view list_unsubscribe_url,
                         Instant now, MessageIdTokens& tokens);

}  // namespace sluice::ingest
