#include "rig/token_ledger.h"

#include <xxhash.h>

#include "base/text.h"
#include "rig/command.h"

namespace sluice::rig {

TokenLedger::Key TokenLedger::KeyOf(std::string_view token, std::string_view recipient) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(recipient.data(), recipient.size(),
                                                   XXH3_64bits(token.data(), token.size()));
  return {hash.high64, hash.low64};
}

// Index 0 stands for the addresses there was no room for.
uint32_t TokenLedger::SourceIndex(const std::string& source) {
  if (sources_.empty()) sources_.emplace_back("other");
  const auto found = source_index_.find(source);
  if (found != source_index_.end()) return found->second;
  if (sources_.size() >= kMaxSourceNames) return 0;
  const auto index = static_cast<uint32_t>(sources_.size());
  sources_.push_back(source);
  source_index_.emplace(source, index);
  return index;
}

void TokenLedger::Accept(std::string_view token, std::string_view recipient,
                         const Acceptance& acceptance) {
  const Key key = KeyOf(token, recipient);
  const std::lock_guard lock(mutex_);
  ++totals_.acceptances;
  if (!acceptance.answered) ++totals_.unanswered;
  const auto found = seen_.find(key);
  if (found == seen_.end()) {
    if (seen_.size() >= capacity_) {
      ++totals_.untracked;
      return;
    }
    ++totals_.distinct;
    const uint32_t source = SourceIndex(acceptance.source) << 1 | (acceptance.answered ? 1U : 0U);
    seen_.emplace(key, Seen{ToMicros(acceptance.at), 1, source});
    return;
  }
  ++totals_.extra;
  if (++found->second.times == 2) ++totals_.duplicated;
  NoteDuplicate(key, found->second, token, recipient, acceptance);
}

void TokenLedger::NoteDuplicate(const Key& key, const Seen& seen, std::string_view token,
                                std::string_view recipient, const Acceptance& acceptance) {
  auto found = duplicate_index_.find(key);
  if (found == duplicate_index_.end()) {
    if (duplicates_.size() >= kMaxDuplicates) return;
    const Acceptance first{FromMicros(seen.first_at_micros),
                           sources_[seen.source_and_answered >> 1],
                           (seen.source_and_answered & 1) != 0};
    duplicates_.push_back({std::string(token), std::string(recipient), 1, {first}});
    found = duplicate_index_.emplace(key, duplicates_.size() - 1).first;
  }
  Duplicate& duplicate = duplicates_[found->second];
  duplicate.times = seen.times;
  if (duplicate.acceptances.size() < kMaxAcceptances) duplicate.acceptances.push_back(acceptance);
}

TokenLedger::Totals TokenLedger::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::vector<Duplicate> TokenLedger::Duplicates() const {
  const std::lock_guard lock(mutex_);
  return duplicates_;
}

uint64_t TokenLedger::Times(std::string_view token, std::string_view recipient) const {
  const std::lock_guard lock(mutex_);
  const auto found = seen_.find(KeyOf(token, recipient));
  return found == seen_.end() ? 0 : found->second.times;
}

}  // namespace sluice::rig
