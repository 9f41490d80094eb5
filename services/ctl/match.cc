#include "ctl/match.h"

#include "base/text.h"

namespace sluice::ctl {

v1::Match MatchOf(const QueueOptions& options) {
  v1::Match match;
  match.set_tenant(options.tenant);
  match.set_stream(options.stream);
  match.set_campaign(options.campaign);
  match.set_domain(options.domain);
  match.set_provider(options.provider);
  match.set_site(options.site);
  match.set_pool(options.pool);
  match.set_source(options.source);
  return match;
}

std::string MatchText(const v1::Match& match) {
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) Append(text, text.empty() ? "" : " ", name, "=", value);
  };
  add("tenant", match.tenant());
  add("stream", match.stream());
  add("campaign", match.campaign());
  add("domain", match.domain());
  add("provider", match.provider());
  add("site", match.site());
  add("pool", match.pool());
  add("source", match.source());
  add("sender_domain", match.sender_domain());
  return text;
}

}  // namespace sluice::ctl
