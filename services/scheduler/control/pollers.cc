#include "scheduler/control/pollers.h"

#include <random>

#include "base/status.h"
#include "scheduler/control/blocklist_poller.h"
#include "scheduler/control/dns_poller.h"
#include "scheduler/control/postmaster_poller.h"
#include "scheduler/control/snds_poller.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostReportBytes = 4 << 20;
// The public client of Microsoft's own portal, which the credentials are for.
constexpr const char* kSndsScope = "a53a6cc1-a1cd-46f7-a4aa-281cdabec33c/.default offline_access openid profile";

absl::Status AddReports(const Options::Reputation& given, storage::TokenStore& store, const Clock& clock, Pollers& out) {
  const bool snds = !given.snds_credentials_file.empty() || !given.snds_links_file.empty();
  if (!snds && given.postmaster_credentials_file.empty()) return absl::OkStatus();
  HttpsFetcherOptions https;
  https.ca_file = given.ca_file;
  https.most_bytes = kMostReportBytes;
  ASSIGN_OR_RETURN(out.fetcher, HttpsFetcher::Start(https));
  const AskHttp ask = HttpBy(*out.fetcher, *out.resolver, *out.cancel);
  std::random_device seeds;
  const auto tokens = [&](OauthOptions options) {
    return std::make_unique<OauthTokenSource>(std::move(options), store, ask, clock);
  };
  if (snds) {
    // Where both are named the interface is meant.
    SndsOptions options{.every = given.snds_every, .url = given.snds_url, .links_file = given.snds_links_file, .seed = seeds()};
    OauthOptions oauth{
        .name = "snds", .credentials_file = given.snds_credentials_file, .token_url = given.snds_token_url, .scope = kSndsScope};
    const bool by_links = oauth.credentials_file.empty();
    out.all.push_back(std::make_unique<SndsPoller>(std::move(options), by_links ? nullptr : tokens(std::move(oauth)), ask));
  }
  if (!given.postmaster_credentials_file.empty()) {
    PostmasterOptions options{.every = given.postmaster_every, .url = given.postmaster_url, .seed = seeds()};
    OauthOptions oauth{
        .name = "postmaster", .credentials_file = given.postmaster_credentials_file, .token_url = given.postmaster_token_url};
    out.all.push_back(std::make_unique<PostmasterPoller>(std::move(options), tokens(std::move(oauth)), ask));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Pollers> MakePollers(const Options& options, storage::TokenStore& store, const Clock& clock, const Logger& log) {
  const Options::Reputation& given = options.reputation;
  Pollers out;
  if (!given.polls) return out;
  ResolverOptions dns;
  dns.forwarders = given.resolvers.empty() ? options.dns_forwarders : given.resolvers;
  dns.timeout = std::chrono::seconds(10);
  // Each question wants to know how it is now.
  dns.min_ttl = dns.negative_ttl = std::chrono::seconds(1);
  dns.max_ttl = std::chrono::minutes(5);
  ASSIGN_OR_RETURN(out.resolver, CreateResolver(dns, clock));
  BlocklistOptions lists;
  std::random_device seeds;
  lists.every = given.lists_every;
  lists.seed = seeds();
  lists.confirmation.apart = given.confirm_after;
  lists.on = given.lists_on;
  lists.off = given.lists_off;
  lists.ask_for_every_address = !given.resolvers.empty();
  ASSIGN_OR_RETURN(lists.keys, ReadBlocklistKeys(given.keys_file));
  out.all.push_back(std::make_unique<BlocklistPoller>(std::move(lists), *out.resolver, log));
  out.all.push_back(std::make_unique<DnsPoller>(given.dns_every, seeds(), !given.resolvers.empty(), *out.resolver));
  RETURN_IF_ERROR(AddReports(given, store, clock, out));
  return out;
}

}  // namespace sluice::scheduler
