#include "scheduler/domains.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "policy/shaping.h"
#include "policy/site.h"

namespace sluice::scheduler {
namespace {

constexpr auto kLeastFresh = std::chrono::seconds(5);
constexpr auto kMostFresh = std::chrono::hours(24);
constexpr auto kFailureFresh = std::chrono::seconds(15);

}  // namespace

// A hash: names of sites come and go by the million, and two that meet would only share their room.
uint64_t LimitGroupOf(std::string_view provider, std::string_view site) {
  if (!HasLimitsPerSite(provider)) return std::hash<std::string_view>{}(provider);
  return std::hash<std::string>{}(Cat(provider, "\n", site));
}

uint32_t Domains::Number(std::string_view domain) {
  const uint32_t number = names_.Number(domain);
  if (number == domains_.size()) domains_.Add();
  Domain& known = domains_[number];
  if (known.is_free) known = Domain();
  known.is_marked = mark_;
  return number;
}

uint32_t Domains::SiteOf(std::string_view domain, const MxAnswer& answer,
                         const std::vector<MxHost>& ordered) {
  std::vector<std::string> hosts;
  for (const MxHost& host : ordered) hosts.push_back(host.name);
  const auto [it, fresh] = site_numbers_.try_emplace(MxSetName(domain, answer.hosts), kNoSite);
  if (fresh) {
    if (free_sites_.empty()) {
      it->second = static_cast<uint32_t>(sites_.size());
      sites_.emplace_back();
    } else {
      it->second = free_sites_.back();
      free_sites_.pop_back();
    }
    Site& site = sites_[it->second];
    site = Site();
    site.domain = domain;
    site.mx = answer.hosts;
    Classify(site);
  }
  sites_[it->second].hosts = std::move(hosts);
  return it->second;
}

uint32_t Domains::SiteOf(const SmartHostPolicy& smart_host) {
  // No MX set has such a name.
  const std::string name = Cat("smart_host:", smart_host.name);
  const auto [it, fresh] = site_numbers_.try_emplace(name, static_cast<uint32_t>(sites_.size()));
  if (fresh) sites_.emplace_back();
  Site& site = sites_[it->second];
  site.name = name;
  site.hosts = smart_host.hosts;
  site.smart_host = std::make_shared<const SmartHostPolicy>(smart_host);
  Classify(site);
  return it->second;
}

void Domains::Classify(Site& site) {
  if (site.smart_host != nullptr) {
    site.provider = "smart_host";
    site.provider_number = providers_.Number(site.provider);
    site.limit_group = LimitGroupOf(site.provider, site.name);
    return;
  }
  site.provider = catalogue_.ProviderOf(site.mx);
  site.provider_number = providers_.Number(site.provider);
  site.name = SiteName(site.domain, site.mx, site.provider);
  site.limit_group = LimitGroupOf(site.provider, site.name);
}

void Domains::Reclassify() {
  for (Site& site : sites_) {
    if (!site.mx.empty()) Classify(site);
  }
}

std::string Domains::Failure(uint32_t number) const {
  const auto it = failures_.find(number);
  return it == failures_.end() ? std::string() : it->second;
}

bool Domains::ForgetAnswer(uint32_t number) {
  Domain& domain = domains_[number];
  const uint32_t site = std::exchange(domain.site, kNoSite);
  domain.state = DomainState::kUnknown;
  domain.fresh_until = 0;
  if (site == kNoSite || --sites_[site].domains > 0) return false;
  EndSite(site);
  return true;
}

void Domains::EndSite(uint32_t site) {
  site_numbers_.erase(MxSetName(sites_[site].domain, sites_[site].mx));
  sites_[site] = Site();
  free_sites_.push_back(site);
}

// Its flights and flows go on.
void Domains::LeaveSite(uint32_t number) {
  Site& site = sites_[number];
  if (--site.domains > 0 || site.is_left) return;
  site.is_left = true;
  left_.push_back(number);
}

void Domains::Answer(uint32_t number, const MxAnswer& answer, const std::vector<MxHost>& ordered,
                     Instant now) {
  Domain& domain = domains_[number];
  domain.resolving = false;
  if (answer.status == DnsStatus::kTempFail) {
    failures_[number] = answer.detail.empty() ? "lookup failed" : answer.detail;
    domain.fresh_until = ToTicks(now + kFailureFresh);
    return;
  }
  const Duration ttl = std::clamp<Duration>(answer.ttl, kLeastFresh, kMostFresh);
  domain.fresh_until = ToTicks(now + ttl);
  failures_.erase(number);
  if (answer.status == DnsStatus::kNxDomain) {
    domain.state = DomainState::kNotFound;
  } else if (answer.kind == MxKind::kNull) {
    domain.state = DomainState::kNullMx;
  } else if (answer.kind == MxKind::kUnusable || answer.hosts.empty()) {
    domain.state = DomainState::kUnusable;
  } else {
    const uint32_t site = SiteOf(names_.Text(number), answer, ordered);
    if (site != domain.site) {
      ++sites_[site].domains;
      if (domain.site != kNoSite) LeaveSite(domain.site);
      domain.site = site;
    }
    domain.state = DomainState::kSite;
  }
}

}  // namespace sluice::scheduler
