#include "scheduler/control/signal_keeper.h"

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostRawBytes = 16 << 10, kMostDetailBytes = 2'000;

// As it can be stored and shown, whatever bytes somebody answered with.
std::string Plain(std::string_view text, size_t most) {
  std::string out(text.substr(0, most));
  for (char& c : out) c = (c >= ' ' && c < '\x7f') || c == '\r' || c == '\n' || c == '\t' ? c : '?';
  return out;
}

SignalKey KeyOf(const storage::StoredSignal& s) { return {s.source, s.sender_domain, s.provider, s.name}; }

}  // namespace

absl::Status SignalKeeper::Load() {
  if (is_loaded_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto stored, store_.List(/*with_raw=*/true));
  signals_.clear();
  changed_.clear();
  for (const storage::StoredSignal& signal : stored) signals_[KeyOf(signal)] = signal;
  is_loaded_ = true;
  return absl::OkStatus();
}

storage::StoredSignal& SignalKeeper::At(const SignalKey& key) {
  const auto [it, fresh] = signals_.try_emplace(key);
  if (fresh) {
    it->second = {.source = key.source, .sender_domain = key.sender_domain, .provider = key.provider, .name = key.name, .verdict = "unknown"};
    it->second.changed_at = clock_.Now();
  }
  changed_[key] = true;
  return it->second;
}

const storage::StoredSignal* SignalKeeper::Find(const SignalKey& key) const {
  const auto found = signals_.find(key);
  return found == signals_.end() ? nullptr : &found->second;
}

void SignalKeeper::Put(storage::StoredSignal& signal, SignalAnswer answer) {
  const Instant now = clock_.Now();
  if (signal.verdict != answer.verdict || signal.word != answer.word) {
    signal.changed_at = now;
    if (answer.verdict != "good") {
      log_.Warn("reputation_signal", {{"signal", signal.name}, {"source", signal.source}, {"sender_domain", signal.sender_domain},
                                      {"verdict", answer.verdict}, {"value", answer.value}, {"detail", answer.detail}});
    }
  }
  signal.verdict = std::move(answer.verdict);
  signal.word = std::move(answer.word);
  signal.amount = answer.amount;
  signal.value = Plain(answer.value, kMostDetailBytes);
  signal.detail = Plain(answer.detail, kMostDetailBytes);
  signal.raw = Plain(answer.raw, kMostRawBytes);
  signal.checked_at = now;
  signal.failed_at.reset();
  signal.failure.clear();
}

void SignalKeeper::Report(const SignalKey& key, SignalAnswer answer) { Put(At(key), std::move(answer)); }

void SignalKeeper::Fail(const SignalKey& key, std::string_view why) {
  storage::StoredSignal& signal = At(key);
  if (!signal.failed_at) {
    signal.failed_at = clock_.Now();
    log_.Warn("reputation_poll_failed", {{"signal", key.name}, {"source", key.source}, {"sender_domain", key.sender_domain}, {"error", why}});
  }
  signal.failure = Plain(why, kMostDetailBytes);
}

void SignalKeeper::ReportListing(const SignalKey& key, const Blocklist& list, const BlocklistReading& reading, std::string_view reason,
                                 const ConfirmationRules& rules, bool is_opinion) {
  storage::StoredSignal& signal = At(key);
  const bool is_listed = reading.kind == BlocklistReading::Kind::kListed;
  const bool stood = signal.verdict == "bad";
  const Confirmation before{stood, signal.positives, signal.negatives, signal.first_positive_at};
  const Confirmation after = Confirm(before, is_listed, is_listed ? reading.code->confirm : 1, rules, clock_.Now());
  SignalAnswer answer{.verdict = after.stands ? "bad" : is_listed ? "warning" : "good"};
  if (is_listed) {
    answer.value = reading.text;
    answer.detail = Cat(reason.empty() ? std::string_view("listed") : reason, "; delist: ", list.delist,
                        after.stands ? "" : "; to be confirmed");
    if (after.stands && is_opinion) answer.word = std::string(reading.code->word);
  } else if (after.stands) {
    answer.word = signal.word;
    answer.value = signal.value;
    answer.detail = Cat("answered clean ", after.negatives, " of ", rules.clean, " times; ", signal.detail.substr(0, 500));
  }
  Put(signal, std::move(answer));
  signal.positives = after.positives;
  signal.negatives = after.negatives;
  signal.first_positive_at = after.first_positive_at;
  if (!after.stands || stood) return;
  storage::InboxNote note;
  note.kind = "listed";
  note.source = key.source;
  note.detail = Cat(key.source.empty() ? key.sender_domain : key.source, " on ", key.name, ": ", signal.value, "; ", signal.detail);
  notes_.push_back(std::move(note));
}

void SignalKeeper::Lapse(std::string_view provider, Duration age) {
  for (auto& [key, signal] : signals_) {
    if (key.provider != provider || signal.word.empty() || signal.checked_at >= clock_.Now() - age) continue;
    signal.word.clear();
    signal.amount = 0;
    signal.verdict = "unknown";
    signal.detail = Cat("nothing newer for ", ToString(age));
    signal.changed_at = clock_.Now();
    changed_[key] = true;
  }
}

std::map<std::string, Duration> SignalKeeper::ReportAges() const {
  std::map<std::string, Duration> out;
  for (const auto& [key, signal] : signals_) {
    if (key.provider.empty() || !key.source.empty() || !key.sender_domain.empty()) continue;
    const Instant last = signal.checked_at == Instant{} ? signal.changed_at : signal.checked_at;
    Duration& oldest = out[key.provider];
    oldest = std::max(oldest, clock_.Now() - last);
  }
  return out;
}

std::pair<int64_t, int64_t> SignalKeeper::Counts() const {
  int64_t bad = 0, failing = 0;
  for (const auto& [key, signal] : signals_) {
    bad += signal.verdict == "bad" ? 1 : 0;
    failing += signal.failed_at ? 1 : 0;
  }
  return {bad, failing};
}

absl::Status SignalKeeper::Save() {
  std::vector<storage::StoredSignal> rows;
  for (const auto& [key, yes] : changed_) {
    if (const storage::StoredSignal* signal = Find(key)) rows.push_back(*signal);
  }
  RETURN_IF_ERROR(store_.Save(rows, notes_));
  changed_.clear();
  notes_.clear();
  RETURN_IF_ERROR(store_.Forget(gone_));
  gone_.clear();
  return absl::OkStatus();
}

std::map<HealthSubject, std::vector<Opinion>> SignalKeeper::Opinions() const {
  std::map<HealthSubject, std::vector<Opinion>> out;
  for (const auto& [key, signal] : signals_) {
    if (signal.word.empty()) continue;
    const HealthSubject subject{.source = key.source, .sender_domain = key.sender_domain, .provider = key.provider};
    const bool both = !signal.value.empty() && !signal.detail.empty();
    out[subject].push_back({signal.word, Cat(key.name, ": ", signal.value, both ? "; " : "", signal.detail), signal.amount});
  }
  return out;
}

}  // namespace sluice::scheduler
