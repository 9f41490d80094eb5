// What Postmaster's answers add up to: delivery errors of a day, with their reasons and with what the numbers allow to say; and which
// feedback loops are called spam. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/postmaster_stats.h"

namespace sluice {

struct PostmasterErrorDay {
  std::string date = {};
  double share = 0;
  std::optional<int64_t> count = {};  // Absent = not told.
  double surely = 0;                  // The share at its lower confidence bound (95 %); 0 where too few, or no number, were told.
  std::string reasons = {};           // `ip_in_rbls 4.00 %, other 1.00 %`, the most frequent first.
};
// `kind`: `rejected` or `deferred`. Of the latest day that has a share.
std::optional<PostmasterErrorDay> LatestPostmasterErrors(const PostmasterStats& stats, std::string_view kind);

// Ids that can be asked about, those of later days first, each once, at most `most`.
std::vector<std::string> PostmasterLoopIdsOf(const PostmasterStats& stats, size_t most);

struct PostmasterLoop {
  std::string id = {}, date = {};
  double spam_rate = 0;  // Of the latest day that has one.
};
// `ids`: as they were put into PostmasterLoopRates. Those without a value are not there; the highest rate first.
std::vector<PostmasterLoop> PostmasterLoopsOf(const PostmasterStats& stats, std::span<const std::string> ids);

// `0.20 %`.
std::string SharePercent(double share);

}  // namespace sluice
