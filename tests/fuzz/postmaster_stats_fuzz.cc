// Whatever a server sends instead of Postmaster's JSON or tokens: no crash, and every value is a number.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "policy/oauth_tokens.h"
#include "policy/postmaster_stats.h"
#include "policy/postmaster_summary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto stats = sluice::ParsePostmasterStats(text); stats.ok()) {
    for (const sluice::PostmasterValue& value : stats->values) {
      if (value.metric.empty() || !std::isfinite(value.value)) std::abort();
    }
    sluice::LatestPostmasterValue(*stats, "spam_rate");
    if (const auto day = sluice::LatestPostmasterErrors(*stats, "rejected"); day && !(day->surely >= 0 && day->surely <= 1)) std::abort();
    const auto ids = sluice::PostmasterLoopIdsOf(*stats, 50);
    // What a server named as a loop becomes a part of our next question, as one value of a filter.
    const auto asked = nlohmann::json::parse(sluice::PostmasterQuestion(sluice::PostmasterLoopRates(ids), {}, {}, stats->next_page_token));
    for (const auto& metric : asked["metricDefinitions"]) {
      const std::string filter = metric["filter"];
      if (std::count(filter.begin(), filter.end(), '"') != 2) std::abort();
    }
    sluice::PostmasterLoopsOf(*stats, ids);
  }
  (void)sluice::ParsePostmasterCompliance(text);
  if (const auto tokens = sluice::ParseOauthTokens(text); tokens.ok() && tokens->access_token.empty()) std::abort();
  return 0;
}
