#include "egress/waiting_room.h"

namespace sluice::egress {
namespace {

std::string_view DomainOf(const Entry& entry) {
  const std::string_view recipient = entry.recipient;
  return recipient.substr(recipient.rfind('@') + 1);
}

}  // namespace

EntryPtr WaitingRoom::Pass(EntryPtr entry, SteadyInstant now) {
  const std::string_view domain = DomainOf(*entry);
  if (const auto known = known_.find(domain); known != known_.end() && now < known->second.until) {
    entry->tls = known->second.tls;
    return entry;
  }
  const auto [place, is_new] = waiting_.try_emplace(std::string(domain));
  place->second.push_back(std::move(entry));
  if (is_new) ask_(place->first);
  return nullptr;
}

std::vector<EntryPtr> WaitingRoom::Arrived(DomainTlsPtr tls, SteadyInstant now) {
  std::vector<EntryPtr> entries;
  if (const auto found = waiting_.find(tls->domain); found != waiting_.end()) {
    entries = std::move(found->second);
    waiting_.erase(found);
  }
  for (const EntryPtr& entry : entries) entry->tls = tls;
  if (known_.size() >= kMostKnown) known_.clear();
  Known& known = known_[tls->domain];
  known.until = now + kKnownFor;
  known.tls = std::move(tls);
  return entries;
}

}  // namespace sluice::egress
