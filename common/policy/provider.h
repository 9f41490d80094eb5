// MX hosts → provider: a catalogue name, or `other`. The rows are reviewed data (policy/data/providers.yaml), compiled in; an
// operator's rows go above them. Pure.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "mail/mx_host.h"
#include "mail/policy_document.h"

namespace sluice {

inline constexpr std::string_view kOtherProvider = "other";

// What one source keeps to at a provider unless the policy says otherwise. Absent = nothing is said here.
struct ProviderLimits {
  std::optional<int> connections = {};
  // Connections at once from one source to one address of theirs.
  std::optional<int> connections_per_address = {};
  std::optional<int> messages_per_connection = {};
  std::optional<Rate> rate = {}, connection_rate = {};
  std::optional<TlsMode> tls = {};
  std::optional<Ipv6Mode> ipv6 = {};
};

struct ShippedProvider {
  std::string_view name;
  std::string_view operated_by;
  ProviderLimits limits = {};
  // Each of its sites has machines of its own: the limits are for (source, site).
  bool limits_per_site = false;
  bool is_disposable = false;
};

// The shipped layer of shaping. Constant, valid for ever.
std::span<const ShippedProvider> ShippedProviders();
// Null: not in the shipped catalogue (an operator's own, or `other`).
const ShippedProvider* FindShippedProvider(std::string_view name);
// For every provider and site, below what its own row says.
const ProviderLimits& ShippedDefaults();

// Why a host belongs to a provider; views live as long as the catalogue and the hosts asked about.
struct ProviderMatch {
  std::string_view provider = kOtherProvider;
  std::string_view host = {}, suffix = {};  // Empty when no row matches.
  bool is_operators = false;
};

// Immutable but for Add; lookups cost a few hash probes for each label of a host, however many rows there are.
class ProviderCatalogue {
 public:
  // The shipped rows.
  ProviderCatalogue();
  // With the rows of a policy above them.
  explicit ProviderCatalogue(const std::vector<ProviderRule>& operators);

  // An operator's row: where any of these matches a host, no shipped row is asked. `.example.net` covers hosts below it; a name
  // without a leading dot that host only; `*` stands for one label. Case and a trailing dot do not matter. A later row replaces an
  // earlier one for the same suffix.
  void Add(std::string_view mx_suffix, std::string_view provider);

  // `hosts` ordered by preference. The hosts of the lowest preference decide: the provider of most of them, at equal numbers of
  // the first; when none is known, those of the next preference. A filter in front of a mailbox is the provider.
  ProviderMatch Match(const std::vector<MxHost>& hosts) const;
  std::string ProviderOf(const std::vector<MxHost>& hosts) const { return std::string(Match(hosts).provider); }
  // Whether any row, shipped or an operator's, has this name.
  bool Knows(std::string_view provider) const;

 private:
  static constexpr size_t kMostLabels = 32;

  // Rows by suffix; those with a `*` are found by asking for the host with that label replaced, in the places where one can be.
  struct Rows {
    void Add(std::string suffix, std::string_view provider);
    // The longest that matches; null when none does.
    const std::pair<const std::string, std::string>* Find(std::string_view host) const;
    const std::pair<const std::string, std::string>* Probe(std::string_view suffix, size_t label_count) const;

    std::unordered_map<std::string, std::string, StringHash, std::equal_to<>> by_suffix;
    // For suffixes of so many labels: bit i = the ith label is a `*` somewhere.
    std::array<uint32_t, kMostLabels + 1> stars = {};
  };

  ProviderMatch MatchHost(std::string_view host) const;

  Rows shipped_, operators_;
};

}  // namespace sluice
