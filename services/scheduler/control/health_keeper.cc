#include "scheduler/control/health_keeper.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kLookEvery = std::chrono::minutes(1);   // At what stands still and is healthy …
constexpr auto kLookAgain = std::chrono::seconds(1);   // … and at what is not.
constexpr auto kForgetEvery = std::chrono::minutes(10);
constexpr auto kRemember = std::chrono::hours(24 * 7);  // Strikes.
constexpr auto kHistory = std::chrono::hours(24);
constexpr std::string_view kEverywhere = "*";
constexpr size_t kMostTracks = 100'000;
constexpr double kScoreStep = 5;  // Smaller moves are not stored.

HealthSubject SubjectOf(const Scope& scope) { return {scope.source, scope.tenant, scope.sender_domain, scope.provider}; }

bool IsOverridden(const std::optional<HealthOverride>& override, Instant now) {
  return override && (!override->until || *override->until > now);
}

// What a row would say differently, to people or to whoever goes on from it.
bool Differs(const HealthStatus& a, const HealthStatus& b) {
  return a.state != b.state || a.rule != b.rule || a.since != b.since || a.until != b.until || a.probing_since != b.probing_since ||
         a.rested_at != b.rested_at || a.worst.empty() != b.worst.empty() || std::abs(a.score - b.score) >= kScoreStep;
}

}  // namespace

HealthMetrics::HealthMetrics(telemetry::Metrics& metrics)
    : state(metrics.AddGauges("sluice_health_state_count",
                              "0 healthy, 1 watch, 2 throttled, 3 suspended, 4 quarantined; provider * = everywhere.",
                              {telemetry::Label::kSource, telemetry::Label::kProvider})),
      changes(metrics.AddCounters("sluice_health_changes_total", "Changes of state by the state that began.", {telemetry::Label::kResult})) {}

void HealthKeeper::SetPolicy(const PolicyDocument& policy) {
  const std::lock_guard lock(mutex_);
  rules_ = HealthRulesOf(policy.health);
  for (auto& [subject, track] : tracks_) track.look_at = {};
}

void HealthKeeper::SetOpinions(std::map<HealthSubject, std::vector<Opinion>> opinions) {
  const std::lock_guard lock(mutex_);
  for (auto& [subject, track] : tracks_) {
    if (opinions.contains(subject) || track.opinions.empty()) continue;
    track.opinions.clear();
    track.look_at = {};
  }
  for (auto& [subject, said] : opinions) {
    Track& track = tracks_[subject];
    if (track.opinions == said) continue;
    track.opinions = std::move(said);
    track.look_at = {};
  }
}

void HealthKeeper::Observe(const std::vector<storage::TallyCount>& counts) {
  const std::lock_guard lock(mutex_);
  for (const storage::TallyCount& count : counts) Count(count);
}

void HealthKeeper::Count(const storage::TallyCount& count) {
  const ReplyClass reply_class = ParseReplyClass(count.reply_class).value_or(ReplyClass::kUnknown);
  const HealthCounts counts = CountsOf(count.kind, reply_class, count.reply_scope, count.count);
  const bool refuses_sender = At(counts, HealthSignal::kSenderRefused) > 0;
  const auto add = [&](HealthSubject subject) {
    if (tracks_.size() >= kMostTracks && !tracks_.contains(subject)) return;
    Track& track = tracks_[std::move(subject)];
    track.history.Add(count.last_at, counts, count.kind == "delivered" ? "" : count.last_reply);
    track.look_at = {};
  };
  add({.source = count.source, .provider = count.provider});
  add({.source = count.source});
  // Whom the reply names is meant, not all that the tenant sends.
  if (refuses_sender && !count.sender_domain.empty()) {
    add({.sender_domain = count.sender_domain, .provider = count.provider});
  } else if (!count.tenant.empty()) {
    add({.tenant = count.tenant, .provider = count.provider});
  }
}

absl::Status HealthKeeper::Load(Instant now) {
  if (is_loaded_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto stored, parts_.store.List());
  ASSIGN_OR_RETURN(const auto counts, parts_.tally.Read(now - kHistory, "", "", /*by_time=*/true));
  ASSIGN_OR_RETURN(const auto constraints, parts_.constraints.List(now));
  in_force_.clear();
  for (const storage::TallyCount& count : counts) Count(count);
  for (const storage::StoredHealth& one : stored) {
    Track& track = tracks_[one.subject];
    track.status = track.saved = one.status;
    track.override = one.override;
    track.is_stored = true;
  }
  for (const Constraint& constraint : constraints.constraints) {
    if (constraint.cause == ConstraintCause::kHealth) in_force_[SubjectOf(constraint.scope)] = constraint;
  }
  generation_ = constraints.generation;
  is_loaded_ = true;
  return absl::OkStatus();
}

void HealthKeeper::Forget() {
  const std::lock_guard lock(mutex_);
  is_loaded_ = false;
  tracks_.clear();
}

int HealthKeeper::SuspendedProviders(const std::string& source) const {
  int count = 0;
  for (auto it = tracks_.lower_bound({.source = source}); it != tracks_.end() && it->first.source == source; ++it) {
    if (!it->first.provider.empty() && it->second.status.state >= HealthState::kSuspended) ++count;
  }
  return count;
}

void HealthKeeper::JudgeOne(const HealthSubject& subject, Track& track, Instant now) {
  const HealthState before = track.status.state;
  const HealthInputs inputs{.history = track.history,
                            .opinions = track.opinions,
                            .suspended_providers = KindOf(subject) == HealthOf::kSource ? SuspendedProviders(subject.source) : 0};
  HealthStatus after = JudgeHealth(rules_, subject, track.status, inputs, now);
  // What comes is told apart from what was, wherever it begins to count anew.
  if (after.counted_from != track.status.counted_from || after.probing_since != track.status.probing_since) track.history.Cut();
  track.status = std::move(after);
  const bool was_overridden = track.override.has_value();
  if (was_overridden && !IsOverridden(track.override, now)) track.override.reset();
  track.look_at = now + (track.status.state == HealthState::kHealthy && !track.override ? Duration(kLookEvery) : Duration(kLookAgain));
  if (track.status.state != before) Tell(subject, track, before);
  const bool is_worth_a_row = track.status.state != HealthState::kHealthy || track.override || track.is_stored;
  if (is_worth_a_row && (Differs(track.status, track.saved) || was_overridden != track.override.has_value())) {
    to_save_[subject] = {subject, track.status, track.override};
  }
}

void HealthKeeper::Tell(const HealthSubject& subject, const Track& track, HealthState before) {
  const HealthStatus& status = track.status;
  const std::string state(ToString(status.state));
  const HealthRule* rule = FindHealthRule(rules_, status.rule);
  const std::string remedy(rule == nullptr ? "" : rule->remedy);
  parts_.metrics.changes.With({state}).Add();
  const std::string fields = ToString(subject);
  if (status.state >= HealthState::kSuspended) {
    parts_.log.Error("health", {{"subject", fields}, {"state", state}, {"rule", status.rule}, {"evidence", status.evidence}, {"remedy", remedy}});
  } else {
    parts_.log.Warn("health", {{"subject", fields}, {"state", state}, {"rule", status.rule}, {"evidence", status.evidence}, {"remedy", remedy}});
  }
  storage::InboxNote note;
  note.source = subject.source;
  note.tenant = subject.tenant;
  note.provider = subject.provider;
  note.detail = Cat(fields, ": ", ToString(before), " to ", state, status.evidence.empty() ? "" : Cat("; ", status.evidence),
                    remedy.empty() ? "" : Cat("; remedy: ", remedy));
  if (status.state == HealthState::kQuarantined) {
    note.kind = "quarantined";
  } else if (status.state > before && status.state >= HealthState::kThrottled) {
    note.kind = "suspended";
  } else if (before >= HealthState::kThrottled && status.state < before) {
    note.kind = status.state == HealthState::kHealthy || before >= HealthState::kSuspended ? "restored" : "resumed";
  } else {
    return;
  }
  notes_.push_back(std::move(note));
}

absl::Status HealthKeeper::Save() {
  std::vector<storage::StoredHealth> rows;
  for (const auto& [subject, row] : to_save_) rows.push_back(row);
  RETURN_IF_ERROR(parts_.store.Save(rows, notes_));
  for (const storage::StoredHealth& row : rows) {
    Track& track = tracks_[row.subject];
    track.saved = row.status;
    track.is_stored = true;
  }
  to_save_.clear();
  notes_.clear();
  return absl::OkStatus();
}

std::optional<Constraint> HealthKeeper::ConstraintOf(const HealthSubject& subject, const Track& track, Instant now) const {
  Constraint out{.scope = HealthScope(subject), .cause = ConstraintCause::kHealth, .since = now, .author = "health"};
  const HealthRule* rule = FindHealthRule(rules_, track.status.rule);
  if (IsOverridden(track.override, now)) {
    HealthStatus status = track.status;
    status.state = track.override->state;
    status.probing_since = {};
    const auto value = HealthValue(status, rule);
    if (!value) return std::nullopt;
    out.value = *value;
    out.evidence = Cat(ToString(status.state), " by ", track.override->author, ": ", track.override->reason);
    return out;
  }
  const auto value = HealthValue(track.status, rule);
  if (!value) return std::nullopt;
  out.value = *value;
  out.evidence = Cat(ToString(track.status.state), ", ", track.status.rule, ": ", track.status.evidence);
  return out;
}

absl::StatusOr<int64_t> HealthKeeper::Constrain(Instant now) {
  std::vector<Constraint> changed;
  std::vector<int64_t> ended;
  std::vector<HealthSubject> put, gone;
  for (const auto& [subject, track] : tracks_) {
    std::optional<Constraint> wanted = ConstraintOf(subject, track, now);
    const auto have = in_force_.find(subject);
    if (!wanted) continue;
    if (have != in_force_.end() && have->second.value == wanted->value && have->second.evidence == wanted->evidence) continue;
    put.push_back(subject);
    changed.push_back(*std::move(wanted));
  }
  for (const auto& [subject, constraint] : in_force_) {
    const auto track = tracks_.find(subject);
    if (track != tracks_.end() && ConstraintOf(subject, track->second, now)) continue;
    ended.push_back(constraint.id);
    gone.push_back(subject);
  }
  if (!changed.empty()) {
    ASSIGN_OR_RETURN(const auto change, parts_.constraints.Put(ConstraintCause::kHealth, changed));
    for (size_t i = 0; i < put.size(); ++i) {
      changed[i].id = change.ids[i];
      in_force_[put[i]] = changed[i];
    }
    generation_ = change.generation;
  }
  if (!ended.empty()) {
    ASSIGN_OR_RETURN(const auto change, parts_.constraints.End(ConstraintCause::kHealth, ended));
    for (const HealthSubject& subject : gone) in_force_.erase(subject);
    generation_ = change.generation;
  }
  return generation_;
}

absl::Status HealthKeeper::Judge() {
  const std::lock_guard lock(mutex_);
  const Instant now = parts_.clock.Now();
  RETURN_IF_ERROR(Load(now));
  // Providers first: what a source is everywhere follows from them.
  for (const bool everywhere : {false, true}) {
    for (auto& [subject, track] : tracks_) {
      if (subject.provider.empty() != everywhere || track.look_at > now) continue;
      JudgeOne(subject, track, now);
      if (!subject.source.empty() && (track.status.state != HealthState::kHealthy || track.is_stored)) {
        const HealthState acts = IsOverridden(track.override, now) ? track.override->state : track.status.state;
        parts_.metrics.state.With({subject.source, subject.provider.empty() ? kEverywhere : subject.provider}).Set(static_cast<int64_t>(acts));
      }
    }
  }
  RETURN_IF_ERROR(Save());
  RETURN_IF_ERROR(Constrain(now).status());
  return ForgetIdle(now);
}

absl::Status HealthKeeper::ForgetIdle(Instant now) {
  if (now < forgotten_at_ + kForgetEvery) return absl::OkStatus();
  forgotten_at_ = now;
  std::vector<HealthSubject> rows;
  for (auto& [subject, track] : tracks_) {
    const bool empty = track.history.Trim(now);
    const bool idle = track.status.state == HealthState::kHealthy && !track.override && track.opinions.empty() &&
                      track.status.rested_at < now - kRemember;
    if (idle && track.is_stored) rows.push_back(subject);
    if (idle && track.is_stored) track.is_stored = false;
    track.look_at = idle && empty ? Instant::max() : track.look_at;
  }
  RETURN_IF_ERROR(parts_.store.Forget(rows));
  std::erase_if(tracks_, [](const auto& item) { return item.second.look_at == Instant::max(); });
  return absl::OkStatus();
}

absl::StatusOr<int64_t> HealthKeeper::Override(const HealthSubject& subject, std::optional<HealthOverride> override) {
  const std::lock_guard lock(mutex_);
  const Instant now = parts_.clock.Now();
  RETURN_IF_ERROR(Load(now));
  Track& track = tracks_[subject];
  track.override = std::move(override);
  track.look_at = {};
  to_save_[subject] = {subject, track.status, track.override};
  RETURN_IF_ERROR(Save());
  return Constrain(now);
}

}  // namespace sluice::scheduler
