// Google Postmaster Tools v2: what to ask, and what the answers say, in the documented shapes (deploy/docs/reputation.md). A day without
// a value is a gap, not a zero. Pure; any bytes may come.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice {

// Asked for under a name of ours, which comes back with each value.
struct PostmasterMetric {
  std::string name = {}, standard = {};
  std::string filter = {};  // Empty = none.
};
// `spam_rate`; what passes `spf`, `dkim`, `dmarc`; `tls`.
const std::vector<PostmasterMetric>& PostmasterRates();
// Delivery errors: `rejected` and `deferred` as shares, `…_count` as numbers, `rejected_REASON` and `deferred_REASON` as shares.
const std::vector<PostmasterMetric>& PostmasterErrors();
// `loop_ids`: feedback loops (of Feedback-ID) that have data.
const std::vector<PostmasterMetric>& PostmasterLoopIds();
// Their spam rates: `loop_0` is that of the first id.
std::vector<PostmasterMetric> PostmasterLoopRates(std::span<const std::string> ids);

struct PostmasterValue {
  std::string metric = {};  // As it was named in the question.
  std::string date = {};    // `2026-11-01`; empty = overall.
  double value = 0;
};
struct PostmasterTexts {
  std::string metric = {}, date = {};
  std::vector<std::string> texts = {};
};
struct PostmasterStats {
  std::vector<PostmasterValue> values = {};  // Days without a value are not there.
  std::vector<PostmasterTexts> lists = {};   // Values that are lists of text.
  int gaps = 0;                              // Rows without one.
  std::string next_page_token = {};
};
// Of the days from `first` to `last` (UTC).
std::string PostmasterQuestion(std::span<const PostmasterMetric> metrics, Instant first, Instant last, std::string_view page_token);
absl::StatusOr<PostmasterStats> ParsePostmasterStats(std::string_view json);
// Of the latest day that has one.
const PostmasterValue* LatestPostmasterValue(const PostmasterStats& stats, std::string_view metric);

struct PostmasterRequirement {
  std::string name = {}, status = {};
};
// Requirements that are not met, wherever they stand in the answer: its inner names are not documented.
absl::StatusOr<std::vector<PostmasterRequirement>> ParsePostmasterCompliance(std::string_view json);

}  // namespace sluice
