// What pollers learn, kept: the last good answer of each question with its freshness, which survives the process; and what of it is an
// opinion for health. A failure changes nothing but freshness. Not thread-safe: the poll loop's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/blocklist.h"
#include "policy/health.h"
#include "storage/event_inbox.h"
#include "storage/signal_store.h"

namespace sluice::scheduler {

// Of one question.
struct SignalKey {
  std::string source = {}, sender_domain = {}, provider = {}, name = {};
  friend auto operator<=>(const SignalKey&, const SignalKey&) = default;
};

struct SignalAnswer {
  std::string verdict = "good";  // `good`, `warning`, `bad`, `unknown`.
  std::string word = {}, value = {}, detail = {}, raw = {};
  double amount = 0;  // What the word is about, as a share.
};

class SignalKeeper {
 public:
  SignalKeeper(storage::SignalStore& store, const Clock& clock, const Logger& log) : store_(store), clock_(clock), log_(log) {}

  // What is known, once; again after Forget.
  absl::Status Load();
  void Forget() { is_loaded_ = false; }

  void Report(const SignalKey& key, SignalAnswer answer);
  void Fail(const SignalKey& key, std::string_view why);
  // An answer of a blocklist, which has to be confirmed first. `is_opinion`: rules of health hear of it.
  void ReportListing(const SignalKey& key, const Blocklist& list, const BlocklistReading& reading, std::string_view reason,
                     const ConfirmationRules& rules, bool is_opinion);
  // What was last confirmed so long ago is no opinion of the provider's any more; its value stays to be seen.
  void Lapse(std::string_view provider, Duration age);
  // Those for which `is_ours` answers no go.
  template <class IsOurs>
  void KeepOnly(IsOurs is_ours) {
    for (auto& [key, signal] : signals_) {
      if (!is_ours(key)) gone_.push_back(signal);
    }
    std::erase_if(signals_, [&](const auto& item) { return !is_ours(item.first); });
  }

  // What has changed, with the events that tell of new listings, in one transaction.
  absl::Status Save();
  std::map<HealthSubject, std::vector<Opinion>> Opinions() const;
  // Of verdict `bad`; without a newer answer.
  std::pair<int64_t, int64_t> Counts() const;
  // By provider: since its reports were last answered, the oldest of them (signals without source and domain).
  std::map<std::string, Duration> ReportAges() const;
  const storage::StoredSignal* Find(const SignalKey& key) const;

 private:
  storage::StoredSignal& At(const SignalKey& key);
  void Put(storage::StoredSignal& signal, SignalAnswer answer);

  storage::SignalStore& store_;
  const Clock& clock_;
  const Logger& log_;
  bool is_loaded_ = false;
  std::map<SignalKey, storage::StoredSignal> signals_;
  std::map<SignalKey, bool> changed_;
  std::vector<storage::StoredSignal> gone_;
  std::vector<storage::InboxNote> notes_;
};

}  // namespace sluice::scheduler
