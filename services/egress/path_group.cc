#include "egress/path_group.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace sluice::egress {
namespace {

size_t Most(const Limit<int>& limit) {
  if (!limit.value) return std::numeric_limits<size_t>::max();
  return static_cast<size_t>(std::max(*limit.value, 0));
}

}  // namespace

std::string PathGroup::KeyOf(const Provider& provider, const SiteName& site) {
  if (!HasLimitsPerSite(provider.value())) return provider.value();
  return Cat(provider.value(), "\n", site.value());
}

void PathGroup::Refresh(const BoundSource& source, Instant now) {
  if (source.book == book_ && now >= looked_at_ && now - looked_at_ < kLookEvery) return;
  book_ = source.book;
  looked_at_ = now;
  limits_ = book_->Resolve({.source = source.assigned.name.value(),
                            .provider = provider_.value(),
                            .site = site_.value(),
                            .pools = source.assigned.pools},
                           now);
  connections_.SetMost(Most(limits_.connections));
  source_connections_.SetMost(Most(limits_.source_connections));
}

}  // namespace sluice::egress
