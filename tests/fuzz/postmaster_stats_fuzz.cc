// Whatever a server sends instead of Postmaster's JSON or tokens: no crash, and every value is a number.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/oauth_tokens.h"
#include "policy/postmaster_stats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto stats = sluice::ParsePostmasterStats(text); stats.ok()) {
    for (const sluice::PostmasterValue& value : stats->values) {
      if (value.metric.empty() || !std::isfinite(value.value)) std::abort();
    }
    sluice::LatestPostmasterValue(*stats, "spam_rate");
  }
  (void)sluice::ParsePostmasterCompliance(text);
  if (const auto tokens = sluice::ParseOauthTokens(text); tokens.ok() && tokens->access_token.empty()) std::abort();
  return 0;
}
