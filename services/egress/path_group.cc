#include "egress/path_group.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "egress/path.h"

namespace sluice::egress {
namespace {

// Nobody has edited it for so long: the egress that made it is gone.
constexpr auto kForgetAimd = std::chrono::hours(24);

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
                     SiteName site, ConnectionBudget& source_connections, PeerBudgets& peers)
    : around_(around),
      source_(std::move(source)),
      provider_(std::move(provider)),
      site_(HasLimitsPerSite(provider_.value()) ? std::move(site) : SiteName()),
      source_connections_(source_connections),
      peers_(peers),
      timer_(std::in_place, io) {}

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
  const ShapingFacts facts = Facts(source);
  of_book_ = book_->Resolve(facts, now, /*with_aimd=*/false);
  if (!std::exchange(is_seeded_, true)) {
    if (const auto rate = book_->AimdRate(facts, now)) aimd_.Seed(PerSecond(*rate), around_.clock.Steady());
  }
  TickAimd();
  HandOver(now);
  Tighten(now);
}

void PathGroup::HandOver(Instant now) {
  for (Reaction& reaction : reactions_) {
    // By then every scheduler acts on what it has kept.
    if (reaction.value.suspend && now - reaction.since >= kHandOverAfter && !around_.reactions.IsPending(reaction)) reaction.value.suspend = false;
  }
  std::erase_if(reactions_, [](const Reaction& reaction) { return reaction.value == ConstraintValue(); });
}

ShapingFacts PathGroup::Facts(const BoundSource& source) const {
  return {.source = source.assigned.name.value(), .provider = provider_.value(), .site = site_.value(), .pools = source.assigned.pools};
}

void PathGroup::Tighten(Instant now) {
  std::erase_if(reactions_, [now](const Reaction& reaction) { return reaction.until && *reaction.until <= now; });
  suspended_until_.reset();
  limits_ = of_book_;
  for (const Reaction& reaction : reactions_) {
    sluice::Tighten(limits_, {.scope = reaction.scope, .cause = reaction.cause, .rule = reaction.rule, .value = reaction.value});
    if (reaction.value.suspend) suspended_until_ = std::max(suspended_until_.value_or(Instant()), reaction.until.value_or(Instant::max()));
  }
  if (const std::optional<double> rate = aimd_.rate()) {
    sluice::Tighten(limits_, {.cause = ConstraintCause::kAimd, .value = {.rate = RateOf(*rate)}});
  }
  connections_.SetMost(Most(limits_.connections));
  source_connections_.SetMost(Most(limits_.source_connections));
  windows_.SetLimits(limits_, around_.clock.Steady());
  TellRoom();
  // A limit that is higher now lets go what waits for the lower one.
  if (!waiting_.empty()) PumpWaiting();
}

void PathGroup::TellRoom() {
  const std::optional<int64_t> room = suspended_until_ ? std::optional<int64_t>(0) : windows_.Room();
  if (!IsMuchOther(room, room_)) return;
  room_ = room;
  around_.on_room({.source = source_, .provider = provider_, .site = site_, .most_in_flight = room_});
}

bool PathGroup::MayBegin(Path& path, size_t ahead, size_t bytes) {
  const SteadyInstant now = around_.clock.Steady();
  // Looked at again with the limits.
  if (suspended_until_ && around_.clock.Now() < *suspended_until_) return false;
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

void PathGroup::NotConnecting() { windows_.NotConnecting(); }

bool PathGroup::CountsAnew(Instant started_at, std::string_view reply) {
  if (counted_.first == started_at && counted_.second == reply) return false;
  counted_ = {started_at, std::string(reply)};
  return true;
}

void PathGroup::Concluded(const egress::Concluded& concluded, bool counts, Duration duration) {
  const SteadyInstant now = around_.clock.Steady();
  const double before = aimd_.rate().value_or(Taken());
  bool has_changed = false;
  if (concluded.is_delivered) {
    taken_.Add(now);
    has_changed = aimd_.OnAccepted(now);
  } else if (concluded.is_throttled && counts) {
    has_changed = aimd_.OnThrottled(now - duration, now);
  }
  for (const Reaction& reaction : concluded.reactions) {
    const Scope& scope = reaction.scope;
    const bool is_ours = scope.source == source_.value() && scope.tenant.empty() && scope.domain.empty() && scope.campaign.empty();
    if (!is_ours) continue;  // Others' as well: by the scheduler.
    std::erase_if(reactions_, [&](const Reaction& other) { return other.rule == reaction.rule && other.scope == scope; });
    reactions_.push_back(reaction);
    // After a suspension it does not begin where it ended.
    if (reaction.value.suspend) has_changed = aimd_.SlowDown(now);
  }
  if (has_changed) KeepAimd(before, concluded.is_delivered ? "taken again" : Cat("reply '", concluded.reply, "'"));
  if (has_changed || !concluded.reactions.empty()) Tighten(around_.clock.Now());
}

void PathGroup::TickAimd() {
  const double before = aimd_.rate().value_or(0);
  const std::optional<double> ceiling = of_book_.rate.value ? std::optional(PerSecond(*of_book_.rate.value)) : std::nullopt;
  if (aimd_.OnTick(waiting_count_ > 0 && !suspended_until_, ceiling, around_.clock.Steady())) KeepAimd(before, "no complaint");
}

void PathGroup::KeepAimd(double before, std::string_view why) {
  const auto text = [](double per_second) { return Cat(std::llround(per_second * 3600), "/h"); };
  const std::optional<double> rate = aimd_.rate();
  Reaction reaction{.cause = ConstraintCause::kAimd,
                    .scope = {.source = source_.value(), .provider = provider_.value(), .site = site_.value()},
                    .evidence = Cat(why, "; from ", text(before), " to ", rate ? text(*rate) : "no limit"),
                    .since = around_.clock.Now()};
  if (rate) {
    reaction.value.rate = Rate{.count = std::max<int64_t>(1, std::llround(*rate * 3600)), .per = std::chrono::hours(1)};
    reaction.until = around_.clock.Now() + kForgetAimd;
  }
  around_.metrics.reactions.With({rate && *rate < before ? "aimd_down" : "aimd_up"}).Add();
  around_.reactions.Add(std::move(reaction));
}

void PathGroup::Await(Path& path, SteadyInstant at) {
  if (std::find(waiting_.begin(), waiting_.end(), &path) == waiting_.end()) {
    waiting_.push_back(&path);
    around_.metrics.limit_waits.Add();
  }
  if (!timer_ || (timer_at_ && *timer_at_ <= at)) return;
  timer_at_ = at;
  timer_->expires_at(at);
  timer_->async_wait([this, alive = std::weak_ptr<bool>(is_alive_)](const asio::error_code& error) {
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

bool PathGroup::IsDisposable() const { return path_count_ == 0 && windows_.IsBlank(around_.clock.Steady()) && !aimd_.rate() && reactions_.empty(); }

}  // namespace sluice::egress
