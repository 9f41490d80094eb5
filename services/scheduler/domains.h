// Recipient domains, the sites (MX host sets) behind them and the provider of each site. Pure state: lookups are asked for and
// answered from outside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mail/policy_document.h"
#include "net/dns.h"
#include "policy/provider.h"
#include "scheduler/entry_index.h"
#include "scheduler/names.h"

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
  DomainState state = DomainState::kUnknown;
  bool resolving = false;
  Instant fresh_until{};
  std::string failure;  // Of the last lookup, for the deferral's text.
  EntryList waiting;    // Entries in place kResolving.
};

// Domains whose mail goes to the same MX hosts. Several may have one name (policy/site.h), but never share hosts.
struct Site {
  std::string name;
  std::string provider;
  uint32_t provider_number = 0;
  std::vector<std::string> hosts;  // In the order to try; equals were shuffled at resolution.
  std::string domain;              // The first that led here.
  std::vector<MxHost> mx;          // By preference and name.
  std::shared_ptr<const SmartHostPolicy> smart_host;  // Null = MX hosts.
};

// Not thread-safe.
class Domains {
 public:
  explicit Domains(const ProviderCatalogue& catalogue) : catalogue_(catalogue) {}

  uint32_t Number(std::string_view domain);
  const std::string& Name(uint32_t number) const { return names_.Name(number); }
  Domain& operator[](uint32_t number) { return domains_[number]; }
  const Site& site(uint32_t number) const { return sites_[number]; }
  size_t size() const { return domains_.size(); }
  uint32_t ProviderNumber(std::string_view provider) { return providers_.Number(provider); }
  const Names& providers() const { return providers_; }

  // The site that stands for a smart host: as the policy says now.
  uint32_t SiteOf(const SmartHostPolicy& smart_host);

  // Takes a lookup's answer. On temporary failure the last known site stays; it is asked again after a short while.
  void Answer(uint32_t domain, const MxAnswer& answer, const std::vector<MxHost>& ordered, Instant now);
  // The catalogue has changed: every site's provider and name are found anew.
  void Reclassify();

 private:
  uint32_t SiteOf(std::string_view domain, const MxAnswer& answer, const std::vector<MxHost>& ordered);
  void Classify(Site& site);

  const ProviderCatalogue& catalogue_;
  Names names_;
  Names providers_;
  std::vector<Domain> domains_;
  std::vector<Site> sites_;
  std::unordered_map<std::string, uint32_t> site_numbers_;  // By MX set.
};

}  // namespace sluice::scheduler
