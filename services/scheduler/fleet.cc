#include "scheduler/fleet.h"

#include <algorithm>
#include <utility>

namespace sluice::scheduler {
namespace {
constexpr size_t kMostIdlePaths = 100'000;
}

void ReportAcks::Arrived(int64_t number) {
  if (number < base_) return;
  const auto offset = static_cast<size_t>(number - base_);
  if (offset >= done_.size()) done_.resize(offset + 1, false);
}

void ReportAcks::Done(int64_t number) {
  if (number < base_) return;
  Arrived(number);
  done_[static_cast<size_t>(number - base_)] = true;
}

int64_t ReportAcks::TakeThrough() {
  size_t through = 0;
  while (through < done_.size() && done_[through]) ++through;
  done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(through));
  base_ += static_cast<int64_t>(through);
  if (base_ - 1 == last_taken_) return -1;
  last_taken_ = base_ - 1;
  return last_taken_;
}

EgressNumber Fleet::EgressOf(const std::string& id) {
  const auto [it, fresh] = egress_numbers_.try_emplace(id, static_cast<EgressNumber>(egresses_.size()));
  if (fresh) {
    egresses_.emplace_back();
    egresses_.back().id = id;
  }
  return it->second;
}

EgressNumber Fleet::FindEgress(const std::string& id) const {
  const auto it = egress_numbers_.find(id);
  return it == egress_numbers_.end() ? kNoEgress : it->second;
}

uint16_t Fleet::SourceOf(const std::string& name) {
  const auto [it, fresh] = source_numbers_.try_emplace(name, static_cast<uint16_t>(sources_.size()));
  if (fresh) sources_.push_back({.name = name});
  return it->second;
}

int64_t Fleet::FreeCredit() const {
  int64_t sum = 0;
  for (const Egress& egress : egresses_) {
    if (egress.HasCredit()) sum += egress.free_credit();
  }
  return sum;
}

int64_t Fleet::FreeProbes() const {
  int64_t sum = 0;
  for (const Egress& egress : egresses_) {
    if (egress.HasCredit()) sum += std::max<int64_t>(0, egress.free_probes());
  }
  return sum;
}

bool Fleet::AnyCreditFor(uint32_t tenant) const {
  return std::any_of(egresses_.begin(), egresses_.end(),
                     [&](const Egress& e) { return e.HasCredit() && e.HasCreditFor(tenant); });
}

void Fleet::LeaveRoom(uint16_t source, uint64_t group) {
  const auto it = rooms_.find({source, group});
  if (it == rooms_.end()) return;
  --it->second.in_flight;
  if (it->second.in_flight <= 0 && !it->second.most) rooms_.erase(it);
}

void Fleet::SetRoom(uint16_t source, uint64_t group, std::optional<int64_t> most) {
  Room& room = rooms_[{source, group}];
  room.most = most;
  if (!most && room.in_flight <= 0) rooms_.erase({source, group});
}

void Fleet::ForgetRooms(EgressNumber egress) {
  absl::erase_if(rooms_, [&](auto& item) {
    if (sources_[item.first.first].egress != egress) return false;
    item.second.most.reset();
    return item.second.in_flight <= 0;
  });
}

void Fleet::Delivered(uint16_t source, uint32_t site) {
  Path& to = path(source, site);
  if (to.IsDown()) --down_count_;
  to.Delivered();
}

void Fleet::Failed(uint16_t source, uint32_t site, uint64_t attempt, uint64_t next, SteadyInstant now) {
  Path& to = path(source, site);
  const bool was_down = to.IsDown();
  if (const auto until = to.Failed(attempt, next, now)) rests_.emplace(*until, Key(source, site));
  if (!was_down && to.IsDown()) ++down_count_;
}

std::vector<uint32_t> Fleet::TakeRested(SteadyInstant now) {
  std::vector<uint32_t> sites;
  while (!rests_.empty() && rests_.begin()->first <= now) {
    const auto [until, key] = *rests_.begin();
    rests_.erase(rests_.begin());
    const auto it = paths_.find(key);
    if (it == paths_.end() || !it->second.resting || it->second.rests_until != until) continue;
    it->second.EndRest();
    sites.push_back(static_cast<uint32_t>(key));
  }
  return sites;
}

void Fleet::EndRests(uint32_t site) {
  for (uint16_t source = 0; source < sources_.size(); ++source) {
    const auto it = paths_.find(Key(source, site));
    if (it == paths_.end() || !it->second.resting) continue;
    it->second.EndRest();
    it->second.rests = 0;
  }
}

std::optional<SteadyInstant> Fleet::NextRested() const {
  if (rests_.empty()) return std::nullopt;
  return rests_.begin()->first;
}

Duration Fleet::RestOf(uint16_t source, uint32_t site, SteadyInstant now) const {
  const auto it = paths_.find(Key(source, site));
  if (it == paths_.end() || !it->second.resting) return Duration::zero();
  return std::max<Duration>(Duration::zero(), std::chrono::duration_cast<Duration>(it->second.rests_until - now));
}

void Fleet::SlowStart() {
  for (auto& [key, path] : paths_) path.window = std::min(path.window, Path::kFirst);
}

void Fleet::ForgetSite(uint32_t site) {
  for (uint16_t source = 0; source < sources_.size(); ++source) {
    const auto it = paths_.find(Key(source, site));
    if (it == paths_.end()) continue;
    if (it->second.IsDown()) --down_count_;
    paths_.erase(it);
  }
}

void Fleet::Settle(uint16_t source, uint32_t site) {
  const auto it = paths_.find(Key(source, site));
  if (it == paths_.end()) return;
  if (it->second.in_flight > 0 || it->second.window < Path::kFirst) return;
  if (!it->second.proven || paths_.size() > kMostIdlePaths) paths_.erase(it);
}

}  // namespace sluice::scheduler
