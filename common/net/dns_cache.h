// Decoded DNS answers by question, bounded in number, each until its time is over. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/text.h"
#include "net/dns_records.h"

namespace sluice {

class DnsCache {
 public:
  explicit DnsCache(size_t most) : most_(most) {}

  struct Entry {
    std::shared_ptr<const DnsRecords> records;
    SteadyInstant until;
  };
  // Null if there is none that is still good at `now`.
  const Entry* Find(std::string_view key, SteadyInstant now) const;
  // Replaces; forgets the oldest entries when full.
  void Put(const std::string& key, std::shared_ptr<const DnsRecords> records, SteadyInstant until);
  size_t size() const { return entries_.size(); }

 private:
  size_t most_;
  std::unordered_map<std::string, Entry, StringHash, std::equal_to<>> entries_;
  std::deque<std::string> order_;  // keys as they were put, each once
};

}  // namespace sluice
