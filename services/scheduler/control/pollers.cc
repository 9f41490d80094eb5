#include "scheduler/control/pollers.h"

#include "base/status.h"
#include "scheduler/control/blocklist_poller.h"
#include "scheduler/control/dns_poller.h"

namespace sluice::scheduler {

absl::StatusOr<Pollers> MakePollers(const Options& options, const Clock& clock, const Logger& log) {
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
  lists.every = given.lists_every;
  lists.confirmation.apart = given.confirm_after;
  lists.on = given.lists_on;
  lists.off = given.lists_off;
  lists.ask_for_every_address = !given.resolvers.empty();
  ASSIGN_OR_RETURN(lists.keys, ReadBlocklistKeys(given.keys_file));
  out.all.push_back(std::make_unique<BlocklistPoller>(std::move(lists), *out.resolver, log));
  out.all.push_back(std::make_unique<DnsPoller>(given.dns_every, !given.resolvers.empty(), *out.resolver));
  return out;
}

}  // namespace sluice::scheduler
