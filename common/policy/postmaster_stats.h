// Google Postmaster Tools v2: what to ask, and what the answers say, in the documented shapes (deploy/docs/reputation.md). A day without
// a value is a gap, not a zero. Pure; any bytes may come.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice {

struct PostmasterValue {
  std::string metric = {};  // As it was named in the question.
  std::string date = {};    // `2026-11-01`; empty = overall.
  double value = 0;
};
struct PostmasterStats {
  std::vector<PostmasterValue> values = {};  // Days without a value are not there.
  int gaps = 0;                              // Rows without one.
  std::string next_page_token = {};
};
// Spam rate, SPF, DKIM and DMARC success, TLS of the days from `first` to `last` (UTC).
std::string PostmasterQuestion(Instant first, Instant last, std::string_view page_token);
absl::StatusOr<PostmasterStats> ParsePostmasterStats(std::string_view json);
// Of the latest day that has one.
const PostmasterValue* LatestPostmasterValue(const PostmasterStats& stats, std::string_view metric);

struct PostmasterRequirement {
  std::string name = {}, status = {};
};
// Requirements that are not met, wherever they stand in the answer: its inner names are not documented.
absl::StatusOr<std::vector<PostmasterRequirement>> ParsePostmasterCompliance(std::string_view json);

}  // namespace sluice
