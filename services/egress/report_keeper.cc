#include "egress/report_keeper.h"

#include <algorithm>
#include <utility>

namespace sluice::egress {

void ReportKeeper::Open(uint64_t session) { streams_.try_emplace(session); }

void ReportKeeper::Close(uint64_t session) {
  const auto found = streams_.find(session);
  if (found == streams_.end()) return;
  Stream stream = std::move(found->second);
  streams_.erase(found);
  absl::erase_if(owners_, [session](const auto& item) { return item.second == session; });
  for (ReportPtr& report : stream.sent) {
    if (report != nullptr) Route(std::move(report));
  }
  for (ReportPtr& report : stream.queued) Route(std::move(report));
}

void ReportKeeper::OwnShards(uint64_t session, std::span<const int> shards) {
  const auto found = streams_.find(session);
  if (found == streams_.end()) return;
  for (auto& [shard, owner] : owners_) {
    if (owner != session || std::find(shards.begin(), shards.end(), shard) != shards.end())
      continue;
    owner = kNobody;
    MoveAway(found->second, ShardId(shard));
  }
  for (const int shard : shards) {
    if (shard < 0 || shard >= kMaxShards) continue;
    const auto [place, is_new] = owners_.try_emplace(shard, kNobody);
    const uint64_t before = std::exchange(place->second, session);
    if (before == kNobody || before == session) continue;
    if (const auto old = streams_.find(before); old != streams_.end()) {
      MoveAway(old->second, ShardId(shard));
    }
  }
  RouteUnowned();
}

bool ReportKeeper::MayBegin(uint64_t session, ShardId shard) const {
  const auto found = owners_.find(shard.value());
  return found == owners_.end() || found->second == session;
}

void ReportKeeper::Add(ReportPtr report) {
  ++size_;
  Route(std::move(report));
}

size_t ReportKeeper::QueuedCount(uint64_t session) const {
  const auto found = streams_.find(session);
  return found == streams_.end() ? 0 : found->second.queued.size();
}

std::vector<NumberedReport> ReportKeeper::Take(uint64_t session, size_t most) {
  std::vector<NumberedReport> taken;
  const auto found = streams_.find(session);
  if (found == streams_.end()) return taken;
  Stream& stream = found->second;
  const size_t count = std::min(most, stream.queued.size());
  taken.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t number = stream.first_sent + static_cast<int64_t>(stream.sent.size());
    taken.push_back({number, stream.queued.front()});
    stream.sent.push_back(std::move(stream.queued.front()));
    stream.queued.pop_front();
  }
  return taken;
}

size_t ReportKeeper::Settle(uint64_t session, int64_t through) {
  const auto found = streams_.find(session);
  if (found == streams_.end()) return 0;
  Stream& stream = found->second;
  size_t count = 0;
  while (!stream.sent.empty() && stream.first_sent <= through) {
    if (stream.sent.front() != nullptr) ++count;
    stream.sent.pop_front();
    ++stream.first_sent;
  }
  size_ -= count;
  return count;
}

void ReportKeeper::NotOwned(uint64_t session, std::span<const int64_t> numbers) {
  const auto found = streams_.find(session);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  for (const int64_t number : numbers) {
    const int64_t index = number - stream.first_sent;
    if (index < 0 || index >= static_cast<int64_t>(stream.sent.size())) continue;
    ReportPtr report = std::move(stream.sent[static_cast<size_t>(index)]);
    if (report == nullptr) continue;
    const auto owner = owners_.find(ShardOf(report->entry).value());
    // Otherwise it would go straight back to where it was refused.
    if (owner != owners_.end() && owner->second == session) owner->second = kNobody;
    Route(std::move(report));
  }
}

std::vector<QueueEntryId> ReportKeeper::Pending() const {
  std::vector<QueueEntryId> ids;
  ids.reserve(size_);
  for (const auto& [session, stream] : streams_) {
    for (const ReportPtr& report : stream.sent) {
      if (report != nullptr) ids.push_back(report->entry);
    }
    for (const ReportPtr& report : stream.queued) ids.push_back(report->entry);
  }
  for (const ReportPtr& report : unowned_) ids.push_back(report->entry);
  return ids;
}

void ReportKeeper::Route(ReportPtr report) {
  const auto owner = owners_.find(ShardOf(report->entry).value());
  if (owner != owners_.end()) {
    if (const auto found = streams_.find(owner->second); found != streams_.end()) {
      found->second.queued.push_back(std::move(report));
      return;
    }
  }
  unowned_.push_back(std::move(report));
}

void ReportKeeper::MoveAway(Stream& stream, ShardId shard) {
  for (ReportPtr& report : stream.sent) {
    if (report != nullptr && ShardOf(report->entry) == shard) unowned_.push_back(std::move(report));
  }
  std::erase_if(stream.queued, [&](ReportPtr& report) {
    if (ShardOf(report->entry) != shard) return false;
    unowned_.push_back(std::move(report));
    return true;
  });
}

void ReportKeeper::RouteUnowned() {
  std::deque<ReportPtr> all = std::exchange(unowned_, {});
  for (ReportPtr& report : all) Route(std::move(report));
}

}  // namespace sluice::egress
