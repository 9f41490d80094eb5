// Paths of one source that share limits: all to one provider, or where every site counts for itself
// (policy/shaping.h, architecture §3), those to one site. Belongs to one thread.
#pragma once

#include <string>
#include <utility>

#include "egress/connection_budget.h"
#include "egress/surroundings.h"

namespace sluice::egress {

class PathGroup {
 public:
  // `source_connections`, of the source as a whole, outlives it.
  PathGroup(Provider provider, SiteName site, ConnectionBudget& source_connections)
      : provider_(std::move(provider)), site_(std::move(site)), source_connections_(source_connections) {}

  // Which group an entry belongs to, among those of its source.
  static std::string KeyOf(const Provider& provider, const SiteName& site);

  // Looks the limits up when the source has another book, or the last look is a while ago:
  // constraints end by themselves.
  void Refresh(const BoundSource& source, Instant now);
  const EffectiveLimits& limits() const { return limits_; }

  ConnectionBudget& connections() { return connections_; }
  ConnectionBudget& source_connections() { return source_connections_; }

  void Joined() { ++path_count_; }
  void Left() { --path_count_; }
  bool IsEmpty() const { return path_count_ == 0; }

 private:
  static constexpr Duration kLookEvery = std::chrono::seconds(1);

  const Provider provider_;
  const SiteName site_;
  ConnectionBudget& source_connections_;
  ConnectionBudget connections_{0};
  std::shared_ptr<const LimitBook> book_;
  EffectiveLimits limits_;
  Instant looked_at_{};
  size_t path_count_ = 0;
};

}  // namespace sluice::egress
