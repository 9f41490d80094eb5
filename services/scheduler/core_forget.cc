// What is known of names that no entry uses, see forgetting.h.
#include <algorithm>

#include "scheduler/core.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kLookedAt = 4'000;  // Each turn.

}  // namespace

bool Core::KnowsTooMany() const {
  const size_t used = 2 * index_.size();
  return facts_.size() > options_.most_idle_facts + used || domains_.size() > options_.most_idle_domains + used;
}

void Core::ForgetNames(Instant now) {
  // Sweeps remember numbers.
  if (!sweeps_.empty()) forgetting_ = {};
  if (!sweeps_.empty() || (forgetting_.step == Forgetting::Step::kNot && !KnowsTooMany())) return;
  size_t& at = forgetting_.at;
  bool is_done = true;
  switch (forgetting_.step) {
    case Forgetting::Step::kNot:
      facts_.BeginMarks();
      texts_.BeginMarks();
      domains_.BeginMarks();
      break;
    case Forgetting::Step::kMark:
      is_done = MarkEntries();
      break;
    case Forgetting::Step::kFacts:
      is_done = facts_.ForgetUnmarked(at, kLookedAt, [this](const Facts& facts) {
        texts_.Mark(facts.campaign);
        texts_.Mark(facts.sender_domain);
        texts_.Mark(facts.tags);
      });
      break;
    case Forgetting::Step::kTexts:
      is_done = texts_.ForgetUnmarked(at, kLookedAt);
      break;
    case Forgetting::Step::kDomains:
      is_done = ForgetDomains(now);
      break;
  }
  if (!is_done) return;
  at = 0;
  forgetting_.step = forgetting_.step == Forgetting::Step::kDomains
                         ? Forgetting::Step::kNot
                         : static_cast<Forgetting::Step>(static_cast<uint8_t>(forgetting_.step) + 1);
}

bool Core::MarkEntries() {
  size_t& at = forgetting_.at;
  for (const size_t end = std::min(index_.capacity(), at + kLookedAt); at < end; ++at) {
    const Entry& entry = index_[static_cast<Slot>(at)];
    if (entry.place == Place::kFree) continue;
    facts_.Mark(entry.facts);
    domains_.Mark(entry.domain);
  }
  return at >= index_.capacity();
}

bool Core::ForgetDomains(Instant now) {
  // Until there are twice too many, an answer of DNS is kept while it may be used.
  const bool keeps_fresh = domains_.size() <= 2 * options_.most_idle_domains + 2 * index_.size();
  const uint32_t ticks = ToTicks(now);
  std::vector<uint32_t> ended;
  const bool is_done = domains_.ForgetUnmarked(
      forgetting_.at, kLookedAt, [this](uint32_t site) { return flows_.HasSite(site); },
      [&](const Domain& domain) { return keeps_fresh && domain.fresh_until > ticks; }, ended);
  for (const uint32_t site : ended) ForgetSite(site);
  return is_done;
}

void Core::ForgetSite(uint32_t site) {
  fleet_.ForgetSite(site);
  flows_.WakeSite(site);
  families_.ForgetSite(site);
}

}  // namespace sluice::scheduler
