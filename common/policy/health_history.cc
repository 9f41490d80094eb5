#include "policy/health_history.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr Duration kFine = std::chrono::seconds(5), kCoarse = std::chrono::minutes(5);
constexpr Duration kKeepFine = std::chrono::minutes(15);
constexpr Duration kKeep = std::chrono::hours(24);
constexpr size_t kMostSlices = 600;  // A day of coarse ones, a quarter of an hour of fine ones, and cuts.
constexpr size_t kMostReplyBytes = 300;

int64_t Bin(Instant at, Duration width) { return at.time_since_epoch() / width; }

bool MeansSender(ReplyScope scope) {
  return scope == ReplyScope::kSender || scope == ReplyScope::kSenderProvider;
}

HealthSignal SignalOf(ReplyClass reply_class, ReplyScope scope) {
  switch (reply_class) {
    case ReplyClass::kThrottle:
    case ReplyClass::kConnLimit:
      return MeansSender(scope) ? HealthSignal::kSenderRefused : HealthSignal::kThrottle;
    case ReplyClass::kBlockIp:
    case ReplyClass::kDnsbl:
    case ReplyClass::kAuth:
    case ReplyClass::kBlockDomain:
      return MeansSender(scope) ? HealthSignal::kSenderRefused : HealthSignal::kBlock;
    case ReplyClass::kContent:
    case ReplyClass::kPolicy:
      return MeansSender(scope) ? HealthSignal::kSenderRefused : HealthSignal::kAttempt;
    case ReplyClass::kRcptBad:
      return HealthSignal::kBadRecipient;
    case ReplyClass::kRemoteSys:
      return HealthSignal::kTrouble;
    case ReplyClass::kNone:
    case ReplyClass::kUnknown:
    case ReplyClass::kMsgPerConn:
    case ReplyClass::kGreylist:
    case ReplyClass::kRcptQuota:
    case ReplyClass::kRcptRate:
    case ReplyClass::kOurBug:
      return HealthSignal::kAttempt;
  }
  return HealthSignal::kAttempt;
}

}  // namespace

std::string_view ToString(HealthSignal signal) {
  constexpr std::array<std::string_view, kHealthSignals> kNames = {
      "attempt",       "delivered", "throttle", "block",         "block_everywhere",
      "bad_recipient", "complaint", "trouble",  "sender_refused"};
  return kNames[static_cast<size_t>(signal)];
}

HealthCounts CountsOf(std::string_view kind, ReplyClass reply_class, ReplyScope scope, int64_t n) {
  HealthCounts out{};
  if (kind == "delivered") {
    At(out, HealthSignal::kAttempt) = At(out, HealthSignal::kDelivered) = n;
  } else if (kind == "complained") {
    At(out, HealthSignal::kComplaint) = n;
  } else if (kind == "bounced_later") {
    // Accepted, and counted as an attempt, long before.
    if (reply_class == ReplyClass::kRcptBad) At(out, HealthSignal::kBadRecipient) = n;
  } else if (kind == "deferred" || kind == "bounced") {
    const HealthSignal signal = SignalOf(reply_class, scope);
    At(out, signal) = n;
    At(out, HealthSignal::kAttempt) = n;
    if (signal == HealthSignal::kBlock && scope == ReplyScope::kSource) At(out, HealthSignal::kBlockEverywhere) = n;
  }
  return out;
}

void HealthHistory::Add(Instant at, const HealthCounts& counts, std::string_view reply) {
  for (size_t i = 0; i < kHealthSignals; ++i) {
    if (counts[i] > 0 && !reply.empty()) last_replies_[i] = reply.substr(0, kMostReplyBytes);
  }
  if (cut_ || slices_.empty() || Bin(slices_.back().first, kFine) != Bin(at, kFine)) {
    if (slices_.size() >= kMostSlices) Coarsen(at);
    slices_.push_back({at, at, {}});
    cut_ = false;
  }
  Slice& slice = slices_.back();
  slice.first = std::min(slice.first, at);
  slice.last = std::max(slice.last, at);
  for (size_t i = 0; i < kHealthSignals; ++i) slice.counts[i] += counts[i];
}

HealthCounts HealthHistory::Sum(Instant from) const {
  HealthCounts out{};
  for (const Slice& slice : slices_) {
    if (slice.first < from) continue;
    for (size_t i = 0; i < kHealthSignals; ++i) out[i] += slice.counts[i];
  }
  return out;
}

void HealthHistory::Coarsen(Instant now) {
  std::vector<Slice> kept;
  for (const Slice& slice : slices_) {
    const bool old = slice.last < now - kKeepFine;
    if (old && !kept.empty() && Bin(kept.back().first, kCoarse) == Bin(slice.first, kCoarse)) {
      kept.back().last = slice.last;
      for (size_t i = 0; i < kHealthSignals; ++i) kept.back().counts[i] += slice.counts[i];
    } else {
      kept.push_back(slice);
    }
  }
  // Cuts in quick succession: the oldest go.
  if (kept.size() >= kMostSlices) kept.erase(kept.begin(), kept.begin() + static_cast<long>(kept.size() - kMostSlices / 2));
  slices_ = std::move(kept);
}

bool HealthHistory::Trim(Instant now) {
  std::erase_if(slices_, [&](const Slice& slice) { return slice.last < now - kKeep; });
  return slices_.empty();
}

}  // namespace sluice
