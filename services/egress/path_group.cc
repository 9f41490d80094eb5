#include "egress/path_group.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "egress/path.h"

namespace sluice::egress {
namespace {

size_t Most(const Limit<int>& limit) {
  if (!limit.value) return std::numeric_limits<size_t>::max();
  return static_cast<size_t>(std::max(*limit.value, 0));
}

bool IsMuchOther(const std::optional<int64_t>& a, const std::optional<int64_t>& b) {
  if (!a || !b) return a != b;
  return *a != *b && (std::min(*a, *b) == 0 || std::abs(*a - *b) * 8 > std::min(*a, *b));
}

}  // namespace

PathGroup::PathGroup(const Surroundings& around, asio::io_context& io, SourceName source, Provider provider,
                     SiteName site, ConnectionBudget& source_connections)
    : around_(around),
      source_(std::move(source)),
      provider_(std::move(provider)),
      site_(HasLimitsPerSite(provider_.value()) ? std::move(site) : SiteName()),
      source_connections_(source_connections),
      timer_(io) {}

// Whoever comes after it knows nothing of what it has told.
PathGroup::~PathGroup() {
  if (room_) around_.on_room({.source = source_, .provider = provider_, .site = site_, .most_in_flight = std::nullopt});
}

std::string PathGroup::KeyOf(const Provider& provider, const SiteName& site) {
  if (!HasLimitsPerSite(provider.value())) return provider.value();
  return Cat(provider.value(), "\n", site.value());
}

void PathGroup::Refresh(const BoundSource& source, Instant now) {
  if (source.book == book_ && now >= looked_at_ && now - looked_at_ < kLookEvery) return;
  book_ = source.book;
  looked_at_ = now;
  limits_ = book_->Resolve({.source = source.assigned.name.value(),
                            .provider = provider_.value(),
                            .site = site_.value(),
                            .pools = source.assigned.pools},
                           now);
  connections_.SetMost(Most(limits_.connections));
  source_connections_.SetMost(Most(limits_.source_connections));
  windows_.SetLimits(limits_, around_.clock.Steady());
  TellRoom();
  // A limit that is higher now lets go what waits for the lower one.
  if (!waiting_.empty()) PumpWaiting();
}

void PathGroup::TellRoom() {
  const std::optional<int64_t> room = windows_.Room();
  if (!IsMuchOther(room, room_)) return;
  room_ = room;
  around_.on_room({.source = source_, .provider = provider_, .site = site_, .most_in_flight = room_});
}

bool PathGroup::MayBegin(Path& path, size_t ahead, size_t bytes) {
  const SteadyInstant now = around_.clock.Steady();
  const SteadyInstant at = windows_.BeginAt(static_cast<int64_t>(ahead), static_cast<int64_t>(bytes), now);
  if (at <= now) return true;
  Await(path, at);
  return false;
}

size_t PathGroup::MostRecipients(size_t most) const {
  return static_cast<size_t>(windows_.RecipientsNow(static_cast<int64_t>(most), around_.clock.Steady()));
}

void PathGroup::Began(size_t recipients, size_t bytes) {
  windows_.Began(static_cast<int64_t>(recipients), static_cast<int64_t>(bytes), around_.clock.Steady());
}

bool PathGroup::MayConnect(Path& path) {
  const SteadyInstant now = around_.clock.Steady();
  const SteadyInstant at = windows_.ConnectAt(now);
  if (at <= now) return true;
  Await(path, at);
  return false;
}

void PathGroup::Connecting() { windows_.Connecting(around_.clock.Steady()); }

void PathGroup::Await(Path& path, SteadyInstant at) {
  if (std::find(waiting_.begin(), waiting_.end(), &path) == waiting_.end()) {
    waiting_.push_back(&path);
    around_.metrics.limit_waits.Add();
  }
  if (timer_at_ && *timer_at_ <= at) return;
  timer_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this, alive = std::weak_ptr<bool>(is_alive_)](const asio::error_code& error) {
    if (error || alive.expired()) return;
    timer_at_.reset();
    PumpWaiting();
  });
}

// Those that cannot begin yet come back by Await, behind the others.
void PathGroup::PumpWaiting() {
  const std::deque<Path*> paths = std::exchange(waiting_, {});
  for (Path* path : paths) path->Pump();
}

void PathGroup::Left(Path& path) {
  std::erase(waiting_, &path);
  --path_count_;
}

bool PathGroup::IsDisposable() const { return path_count_ == 0 && windows_.IsBlank(around_.clock.Steady()); }

}  // namespace sluice::egress
