#include "policy/provider.h"

#include <array>

namespace sluice {
namespace {

// The largest shared providers; reviewed rows with their sources follow in data.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kShipped = {{
    {".google.com", "google"},
    {".googlemail.com", "google"},
    {".smtp.goog", "google"},
    {".olc.protection.outlook.com", "ms-consumer"},
    {".mail.protection.outlook.com", "m365"},
    {".mx.microsoft", "m365"},
    {".yahoodns.net", "yahoo"},
    {".mail.yahoo.co.jp", "yahoo-jp"},
    {".mail.icloud.com", "apple"},
    {".comcast.net", "comcast"},
    {".mimecast.com", "mimecast"},
    {".pphosted.com", "proofpoint"},
    {".barracudanetworks.com", "barracuda"},
    {".gmx.net", "united-internet"},
    {".web.de", "united-internet"},
    {".orange.fr", "orange"},
}};

std::string Normalised(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

}  // namespace

ProviderCatalogue::ProviderCatalogue() {
  for (const auto& [suffix, provider] : kShipped) Add(suffix, provider);
}

void ProviderCatalogue::Add(std::string_view mx_suffix, std::string_view provider) {
  rows_[Normalised(mx_suffix)] = std::string(provider);
}

std::string_view ProviderCatalogue::Match(std::string_view host) const {
  if (const auto it = rows_.find(host); it != rows_.end()) return it->second;
  // From the longest suffix to the shortest, each beginning with its dot.
  for (size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    if (const auto it = rows_.find(host.substr(dot)); it != rows_.end()) return it->second;
  }
  return kOtherProvider;
}

std::string ProviderCatalogue::ProviderOf(const std::vector<MxHost>& hosts) const {
  for (const MxHost& host : hosts) {
    const std::string_view provider = Match(host.name);
    if (provider != kOtherProvider) return std::string(provider);
  }
  return std::string(kOtherProvider);
}

}  // namespace sluice
