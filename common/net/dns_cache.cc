#include "net/dns_cache.h"

#include <utility>

namespace sluice {

const DnsCache::Entry* DnsCache::Find(std::string_view key, SteadyInstant now) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.until > now ? &found->second : nullptr;
}

void DnsCache::Put(const std::string& key, std::shared_ptr<const DnsRecords> records,
                   SteadyInstant until) {
  if (most_ == 0) {
    return;
  }
  const auto [entry, is_new] = entries_.insert_or_assign(key, Entry{std::move(records), until});
  if (!is_new) {
    return;
  }
  order_.push_back(key);
  if (order_.size() > most_) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
}

}  // namespace sluice
