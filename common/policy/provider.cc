#include "policy/provider.h"

#include <algorithm>

#include "policy/shipped_data.h"

namespace sluice {
namespace {

std::string Normalised(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

bool IsNormal(std::string_view name) {
  return (name.empty() || name.back() != '.') &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Labels of a name or of a suffix with its leading dot.
size_t LabelCount(std::string_view name) {
  if (!name.empty() && name.front() == '.') name.remove_prefix(1);
  return name.empty() ? 0 : static_cast<size_t>(std::count(name.begin(), name.end(), '.')) + 1;
}

// `suffix` with its `place`th label replaced by `*`.
std::string WithStar(std::string_view suffix, size_t place) {
  size_t from = !suffix.empty() && suffix.front() == '.' ? 1 : 0;
  while (place-- > 0) from = suffix.find('.', from) + 1;
  const size_t to = suffix.find('.', from);
  std::string out(suffix.substr(0, from));
  out += '*';
  if (to != std::string_view::npos) out += suffix.substr(to);
  return out;
}

}  // namespace

const ShippedProvider* FindShippedProvider(std::string_view name) {
  static const auto* const kByName = [] {
    auto* map = new std::unordered_map<std::string_view, const ShippedProvider*>();
    for (const ShippedProvider& provider : ShippedProviders()) map->emplace(provider.name, &provider);
    return map;
  }();
  const auto it = kByName->find(name);
  return it == kByName->end() ? nullptr : it->second;
}

// ---- rows ---------------------------------------------------------------------------------------

void ProviderCatalogue::Rows::Add(std::string suffix, std::string_view provider) {
  const size_t label_count = LabelCount(suffix);
  if (label_count == 0 || label_count > kMostLabels) return;
  size_t place = 0;
  for (size_t i = suffix.front() == '.' ? 1 : 0; i < suffix.size(); ++i) {
    if (suffix[i] == '.') ++place;
    if (suffix[i] == '*') stars[label_count] |= uint32_t{1} << place;
  }
  by_suffix[std::move(suffix)] = std::string(provider);
}

const std::pair<const std::string, std::string>* ProviderCatalogue::Rows::Probe(
    std::string_view suffix, size_t label_count) const {
  if (const auto it = by_suffix.find(suffix); it != by_suffix.end()) return &*it;
  for (uint32_t left = stars[label_count]; left != 0; left &= left - 1) {
    const auto place = static_cast<size_t>(__builtin_ctz(left));
    if (const auto it = by_suffix.find(WithStar(suffix, place)); it != by_suffix.end()) return &*it;
  }
  return nullptr;
}

const std::pair<const std::string, std::string>* ProviderCatalogue::Rows::Find(
    std::string_view host) const {
  size_t label_count = LabelCount(host);
  if (label_count > kMostLabels) return nullptr;
  if (const auto* row = Probe(host, label_count)) return row;
  // From the longest suffix to the shortest, each beginning with its dot.
  for (size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    if (const auto* row = Probe(host.substr(dot), --label_count)) return row;
  }
  return nullptr;
}

// ---- catalogue ----------------------------------------------------------------------------------

ProviderCatalogue::ProviderCatalogue() {
  for (const ShippedSuffix& row : ShippedSuffixes()) {
    shipped_.Add(std::string(row.suffix), ShippedProviders()[row.provider].name);
  }
}

ProviderCatalogue::ProviderCatalogue(const std::vector<ProviderRule>& operators)
    : ProviderCatalogue() {
  for (const ProviderRule& rule : operators) Add(rule.mx_suffix, rule.provider);
}

void ProviderCatalogue::Add(std::string_view mx_suffix, std::string_view provider) {
  operators_.Add(Normalised(mx_suffix), provider);
}

bool ProviderCatalogue::Knows(std::string_view provider) const {
  return provider == kOtherProvider || FindShippedProvider(provider) != nullptr ||
         std::any_of(operators_.by_suffix.begin(), operators_.by_suffix.end(),
                     [&](const auto& row) { return row.second == provider; });
}

ProviderMatch ProviderCatalogue::MatchHost(std::string_view host) const {
  std::string normal;
  std::string_view name = host;
  if (!IsNormal(host)) name = normal = Normalised(host);
  if (const auto* row = operators_.Find(name)) return {row->second, host, row->first, true};
  if (const auto* row = shipped_.Find(name)) return {row->second, host, row->first, false};
  return {};
}

ProviderMatch ProviderCatalogue::Match(const std::vector<MxHost>& hosts) const {
  for (size_t from = 0, to = 0; from < hosts.size(); from = to) {
    std::vector<std::pair<ProviderMatch, int>> votes;
    for (to = from; to < hosts.size() && hosts[to].preference == hosts[from].preference; ++to) {
      const ProviderMatch match = MatchHost(hosts[to].name);
      if (match.suffix.empty()) continue;
      const auto same = std::find_if(votes.begin(), votes.end(), [&](const auto& vote) {
        return vote.first.provider == match.provider;
      });
      if (same == votes.end()) {
        votes.emplace_back(match, 1);
      } else {
        ++same->second;
      }
    }
    if (votes.empty()) continue;
    return std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) {
             return a.second < b.second;
           })->first;
  }
  return {};
}

}  // namespace sluice
