// Limits of connections that hold for several sources together (policy/shared_limit.h): what this I/O thread has of each, as schedulers
// give it out (policy/rate_share.h), and what its paths use of it. Belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "egress/connection_budget.h"
#include "policy/rate_share.h"
#include "policy/shaping.h"
#include "policy/shared_limit.h"

namespace sluice::egress {

// One such limit. The paths that it covers hold it: what goes on counts until it has ended.
struct SharedConnections {
  SharedLimit::Unit unit = SharedLimit::Unit::kConnections;
  // Of kConnections: paths take from it as from a budget of their own.
  ConnectionBudget budget{0};
  ShareGrant grant;
  // Of kNewConnections; nobody knows when the next is wanted, so that they are not spread out.
  RateShare opened{/*is_even=*/false};
  // None of our sources is in its pool any more, or no rule says so: its share goes back.
  bool is_leaving = false;
  bool was_wanted = false;
  SteadyInstant wanted_at{};

  bool is_rate() const { return unit == SharedLimit::Unit::kNewConnections; }
  void Want(SteadyInstant now);
  int64_t Used(SteadyInstant now) const;
  // Its share has lapsed so long ago that others will have it soon: connections end that have not sent their final dot.
  bool MustEnd(SteadyInstant now) const;
};

// What a thread uses of one limit, and what it has of it.
struct ShareUse {
  std::string limit;
  bool is_rate = false;
  int64_t used = 0;
  bool wants = false;
  std::optional<int64_t> lowered_to = {};
};
struct GivenShare {
  std::string limit;
  int64_t most = 0, target = 0, of = 0;
};

class SharedConnectionTable {
 public:
  using Limits = std::vector<std::shared_ptr<SharedConnections>>;

  // Those of these pools, as the book says; what stays keeps its share.
  void SetBook(const LimitBook& book, const absl::flat_hash_set<std::string>& pools, SteadyInstant now);
  Limits Find(const LimitBook& book, const ShapingFacts& facts) const;
  // Comes down from shares that are too high, and tells of each.
  std::vector<ShareUse> Uses(SteadyInstant now);
  // Those not named have nothing; good until `until`.
  void Give(const std::vector<GivenShare>& shares, SteadyInstant until, SteadyInstant now);
  // Shares lapse by themselves.
  void Tick(SteadyInstant now);

 private:
  // Shares must not go to and fro with each lull.
  static constexpr Duration kWantsFor = std::chrono::seconds(2);

  std::map<std::string, std::shared_ptr<SharedConnections>> limits_;  // By KeyOf(SharedLimit).
};

}  // namespace sluice::egress
