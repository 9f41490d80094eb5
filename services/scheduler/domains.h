// Recipient domains, the sites (MX host sets) behind them and the provider of each site. Pure state: lookups are asked for and
// answered from outside.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "mail/policy_document.h"
#include "net/dns.h"
#include "policy/provider.h"
#include "scheduler/entry_index.h"
#include "scheduler/names.h"
#include "scheduler/text_table.h"

namespace sluice::scheduler {

inline constexpr uint32_t kNoSite = UINT32_MAX;

// What a lookup said last.
enum class DomainState : uint8_t {
  kUnknown,   // Never answered, or temporarily failed without an earlier answer.
  kSite,      // `site` is where it goes.
  kNullMx,    // Takes no mail: 556 5.1.10 (RFC 7505).
  kUnusable,  // MX records that name no host: 5.4.4.
  kNotFound,  // NXDOMAIN: deferred until expiry, names come back.
};

struct Domain {
  uint32_t site = kNoSite;
  uint32_t fresh_until = 0;  // Ticks.
  EntryRing waiting;         // Entries in place kResolving.
  uint16_t pending_for = 0;  // Tenant (its low bits), while pending.
  DomainState state = DomainState::kUnknown;
  bool pending : 1 = false;    // In Lookups.
  bool resolving : 1 = false;  // Asked, not answered.
  bool is_marked : 1 = false;  // As Domains::mark_ says.
  bool is_free : 1 = false;    // Forgotten.
};
static_assert(sizeof(Domain) == 16);

// Domains whose mail goes to the same MX hosts. Several may have one name (policy/site.h), but never share hosts.
struct Site {
  std::string name;
  std::string provider;
  uint32_t provider_number = 0;
  // Sites with the same one share the limits of a source (policy/shaping.h): LimitGroupOf of their names.
  uint64_t limit_group = 0;
  std::vector<std::string> hosts;  // In the order to try; equals were shuffled at resolution.
  std::string domain;              // The first that led here.
  std::vector<MxHost> mx;          // By preference and name.
  std::shared_ptr<const SmartHostPolicy> smart_host;  // Null = MX hosts.
  uint32_t domains = 0;            // That point here.
  uint32_t flights = 0;            // Entries in flight to it.
  bool is_left = false;            // By its last domain; in Domains::left_.
};

// What limits are counted for: the provider, or the site where each counts for itself.
uint64_t LimitGroupOf(std::string_view provider, std::string_view site);

// Not thread-safe.
class Domains {
 public:
  explicit Domains(const ProviderCatalogue& catalogue) : catalogue_(catalogue) {}

  uint32_t Number(std::string_view domain);
  std::string_view Name(uint32_t number) const { return names_.Text(number); }
  Domain& operator[](uint32_t number) { return domains_[number]; }
  // What was answered may still be used.
  bool IsFresh(uint32_t number, Instant now) const { return domains_[number].fresh_until > ToTicks(now); }
  // Of the last lookup, for the deferral's text; empty = it was answered.
  std::string Failure(uint32_t number) const;
  const Site& site(uint32_t number) const { return sites_[number]; }
  void AddFlight(uint32_t site) { ++sites_[site].flights; }
  void EndFlight(uint32_t site) { --sites_[site].flights; }
  // Those that are not forgotten.
  size_t size() const { return names_.size(); }
  size_t site_count() const { return sites_.size() - free_sites_.size(); }
  uint32_t ProviderNumber(std::string_view provider) { return providers_.Number(provider); }
  const Names& providers() const { return providers_; }

  // The site that stands for a smart host: as the policy says now.
  uint32_t SiteOf(const SmartHostPolicy& smart_host);

  // Takes a lookup's answer. On temporary failure the last known site stays; it is asked again after a short while.
  void Answer(uint32_t domain, const MxAnswer& answer, const std::vector<MxHost>& ordered, Instant now);
  // The catalogue has changed: every site's provider and name are found anew.
  void Reclassify();
  // Sites that no domain points to any more end when nothing uses them. When there are more sites than are worth keeping: looks at the next few domains, and forgets the answers of those whose site
  // nothing uses (`in_use(site)`, flights). Answers the sites that ended: their numbers will name others.
  template <class InUse>
  std::vector<uint32_t> ForgetIdle(InUse in_use);

  // As of Names, see forgetting.h: domains that something waits for stay, and those that `spares`. Sites that end with them are
  // appended to `ended`.
  void BeginMarks() { mark_ = !mark_; }
  void Mark(uint32_t number) { domains_[number].is_marked = mark_; }
  template <class InUse, class Spares>
  bool ForgetUnmarked(size_t& at, size_t most, InUse in_use, Spares spares, std::vector<uint32_t>& ended);

 private:
  static constexpr size_t kMostSites = 30'000;
  static constexpr size_t kLookedAt = 500;
  // The domain's answer is gone; true when its site ended with it.
  bool ForgetAnswer(uint32_t domain);
  void EndSite(uint32_t site);
  void LeaveSite(uint32_t site);
  uint32_t SiteOf(std::string_view domain, const MxAnswer& answer, const std::vector<MxHost>& ordered);
  void Classify(Site& site);

  const ProviderCatalogue& catalogue_;
  TextTable names_;
  Names providers_;
  Chunked<Domain> domains_;
  absl::flat_hash_map<uint32_t, std::string> failures_;  // By domain; only the last lookup's.
  std::vector<Site> sites_;
  std::vector<uint32_t> free_sites_, left_;
  size_t forget_at_ = 0;
  bool mark_ = false;
  std::unordered_map<std::string, uint32_t> site_numbers_;  // By MX set.
};

template <class InUse>
std::vector<uint32_t> Domains::ForgetIdle(InUse in_use) {
  std::vector<uint32_t> ended;
  std::erase_if(left_, [&](uint32_t number) {
    Site& site = sites_[number];
    if (!site.is_left) return true;  // It ended; maybe another has its number.
    if (site.domains > 0) {
      site.is_left = false;
      return true;
    }
    if (site.flights > 0 || in_use(number)) return false;
    EndSite(number);
    ended.push_back(number);
    return true;
  });
  if (sites_.size() - free_sites_.size() <= kMostSites) return ended;
  for (size_t i = 0; i < kLookedAt && i < domains_.size(); ++i) {
    forget_at_ = forget_at_ + 1 < domains_.size() ? forget_at_ + 1 : 0;
    const auto number = static_cast<uint32_t>(forget_at_);
    const Domain& domain = domains_[number];
    const uint32_t site = domain.site;
    if (site == kNoSite || domain.resolving || sites_[site].flights > 0 || in_use(site)) continue;
    if (ForgetAnswer(number)) ended.push_back(site);
  }
  return ended;
}

template <class InUse, class Spares>
bool Domains::ForgetUnmarked(size_t& at, size_t most, InUse in_use, Spares spares, std::vector<uint32_t>& ended) {
  for (const size_t end = std::min(domains_.size(), at + most); at < end; ++at) {
    Domain& domain = domains_[at];
    if (domain.is_free || domain.is_marked == mark_ || domain.pending || domain.resolving || domain.waiting.last != kNoSlot) continue;
    const uint32_t site = domain.site;
    const bool holds_site = site != kNoSite && sites_[site].domains == 1 && (sites_[site].flights > 0 || in_use(site));
    if (holds_site || spares(domain)) continue;
    const auto number = static_cast<uint32_t>(at);
    if (ForgetAnswer(number)) ended.push_back(site);
    failures_.erase(number);
    names_.Forget(number);
    domain.is_free = true;
  }
  return at >= domains_.size();
}

}  // namespace sluice::scheduler
