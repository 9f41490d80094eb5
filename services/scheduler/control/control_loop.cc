#include "scheduler/control/control_loop.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "base/status.h"
#include "base/text.h"
#include "policy/signing.h"
#include "scheduler/control/assignment.h"

namespace sluice::scheduler {
namespace {

constexpr auto kRound = std::chrono::milliseconds(500);
constexpr auto kBeatEvery = std::chrono::seconds(2);
// Then the beat says whom it still waits for.
constexpr auto kEgressPatience = std::chrono::milliseconds(500);
// What ended by itself stays in the table this long, for people.
constexpr auto kKeepEnded = std::chrono::hours(24);
constexpr auto kAskAgain = std::chrono::milliseconds(50);

}  // namespace

ControlLoop::ControlLoop(ControlOptions options, storage::ConnectionOptions connection,
                         storage::PolicyStore& policies, storage::AssignmentStore& assignments,
                         storage::NodeStore& nodes, storage::ConstraintStore& constraints,
                         storage::SuppressionStore& suppression_store, storage::SuppressionSet& suppressions, ParsePolicy parse,
                         Core& core, Mailbox& mailbox, const Clock& clock, const Logger& log)
    : options_(options),
      connection_(std::move(connection)),
      policies_(policies),
      assignments_(assignments),
      nodes_(nodes),
      suppression_store_(suppression_store),
      suppressions_(suppressions),
      constraints_(constraints),
      parse_(std::move(parse)),
      core_(core),
      mailbox_(mailbox),
      clock_(clock),
      log_(log),
      thread_([this] { Run(); }) {}

ControlLoop::~ControlLoop() { Stop(); }

void ControlLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (!thread_.joinable()) return;
  thread_.join();
  if (const absl::Status status = nodes_.Leave(options_.id); !status.ok()) {
    log_.Warn("node_not_removed", {{"error", View(status.message())}});
  }
}

void ControlLoop::SetControl(bool held) {
  log_.Info("control", {{"held", held ? "true" : "false"}});
  const std::lock_guard lock(mutex_);
  control_ = held;
}

bool ControlLoop::has_control() const {
  const std::lock_guard lock(mutex_);
  return control_;
}

void ControlLoop::OnAssignmentResult(const std::string& egress, const std::string& source, int64_t epoch, bool bound,
                                     const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    results_.push_back({egress, source, epoch, bound, error});
    hurry_ = true;
  }
  wake_.notify_one();
}

void ControlLoop::Hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_one();
}

std::vector<std::string> ControlLoop::AwaitRevision(int64_t revision, Duration patience) {
  const SteadyInstant end = clock_.Steady() + patience;
  Hurry();
  std::vector<std::string> behind = Behind(revision);
  while (!behind.empty() && clock_.Steady() < end) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kAskAgain);
    if (stop_) break;
    lock.unlock();
    behind = Behind(revision);
  }
  return behind;
}

std::vector<std::string> ControlLoop::AwaitActing(std::string_view kind, Duration patience) {
  const SteadyInstant end = clock_.Steady() + patience;
  const absl::StatusOr<Instant> since = nodes_.DatabaseNow();
  if (!since.ok()) return {std::string("PostgreSQL: ") + std::string(View(since.status().message()))};
  while (true) {
    std::vector<std::string> behind;
    if (const auto nodes = nodes_.Alive(); nodes.ok()) {
      for (const storage::ServiceNode& node : *nodes) {
        if (node.kind == kind && node.acted_at < *since) behind.push_back(node.id);
      }
    }
    if (behind.empty() || clock_.Steady() >= end) return behind;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kAskAgain);
    if (stop_) return behind;
  }
}

std::vector<std::string> ControlLoop::Behind(int64_t revision) {
  std::vector<std::string> behind;
  {
    const std::lock_guard lock(mutex_);
    if (revision_ < revision) behind.push_back(options_.id);
    if (told_revision_ < revision) behind.emplace_back("egresses");
  }
  if (const std::optional<Core::Acted> here = AskCore(); here && here->policy_revision < revision) {
    behind.insert(behind.end(), here->waits_for.begin(), here->waits_for.end());
  }
  const absl::StatusOr<std::vector<storage::ServiceNode>> nodes = nodes_.Alive();
  if (!nodes.ok()) return {std::string("PostgreSQL: ") + std::string(View(nodes.status().message()))};
  for (const storage::ServiceNode& node : *nodes) {
    if (node.id != options_.id && node.policy_revision < revision) behind.push_back(node.id);
  }
  return behind;
}

std::vector<std::string> ControlLoop::AwaitConstraints(int64_t generation, Duration patience) {
  const SteadyInstant end = clock_.Steady() + patience;
  Hurry();
  std::vector<std::string> behind = BehindConstraints(generation);
  while (!behind.empty() && clock_.Steady() < end) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kAskAgain);
    if (stop_) break;
    lock.unlock();
    behind = BehindConstraints(generation);
  }
  return behind;
}

std::vector<std::string> ControlLoop::BehindConstraints(int64_t generation) {
  std::vector<std::string> behind;
  const std::optional<Core::Acted> here = AskCore();
  if (!here || here->constraint_generation < generation) {
    behind = here ? here->waits_for : std::vector<std::string>();
    if (behind.empty()) behind.push_back(options_.id);
  }
  const absl::StatusOr<std::vector<storage::ServiceNode>> nodes = nodes_.Alive();
  if (!nodes.ok()) return {std::string("PostgreSQL: ") + std::string(View(nodes.status().message()))};
  for (const storage::ServiceNode& node : *nodes) {
    if (node.kind != "scheduler" || node.id == options_.id || node.constraint_generation >= generation) continue;
    behind.push_back(node.waits_for.empty() ? node.id : Cat(node.id, " (waits for ", node.waits_for, ")"));
  }
  return behind;
}

std::optional<Core::Acted> ControlLoop::AskCore() {
  return mailbox_.Ask([&core = core_] { return core.ActsOn(); }, std::chrono::seconds(2));
}

void ControlLoop::AwaitEgresses() {
  const SteadyInstant end = clock_.Steady() + kEgressPatience;
  while (clock_.Steady() < end) {
    const std::optional<Core::Acted> acted = AskCore();
    if (!acted || acted->waits_for.empty()) return;
    std::unique_lock lock(mutex_);
    if (stop_) return;
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
}

absl::Status ControlLoop::Beat() {
  const std::optional<Core::Acted> acted = AskCore();
  if (!acted) return absl::DeadlineExceededError("the core does not answer");
  std::string waits_for;
  for (const std::string& egress : acted->waits_for) Append(waits_for, waits_for.empty() ? "" : ", ", egress);
  storage::ServiceNode node{.id = options_.id,
                            .kind = "scheduler",
                            .endpoint = options_.endpoint,
                            .policy_revision = std::max<int64_t>(acted->policy_revision, 0),
                            .acted_at = {},
                            .constraint_generation = acted->constraint_generation,
                            .waits_for = std::move(waits_for)};
  const SteadyInstant steady = clock_.Steady();
  const bool same = node.policy_revision == beat_.policy_revision && node.waits_for == beat_.waits_for &&
                    node.constraint_generation == beat_.constraint_generation;
  if (same && steady < beat_at_ + kBeatEvery) return absl::OkStatus();
  node.acted_at = round_at_;
  RETURN_IF_ERROR(nodes_.Beat(node));
  beat_at_ = steady;
  beat_ = std::move(node);
  return absl::OkStatus();
}

void ControlLoop::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    hurry_ = false;
    lock.unlock();
    if (const absl::Status status = Round(); !status.ok()) {
      log_.Warn("control_round_failed", {{"error", View(status.message())}});
    }
    lock.lock();
    wake_.wait_for(lock, kRound, [&] { return stop_ || hurry_; });
  }
}

std::vector<Core::ConnectedEgress> ControlLoop::Egresses() {
  return mailbox_.Ask([&core = core_] { return core.ConnectedEgresses(); }, std::chrono::seconds(5))
      .value_or(std::vector<Core::ConnectedEgress>());
}

absl::Status ControlLoop::Round() {
  const Instant begun = clock_.Now();
  RETURN_IF_ERROR(FollowConstraints());
  RETURN_IF_ERROR(FollowPolicy());
  // A plan that cannot be read stops its sources' mail, not the beat of everything else; who waits for us to act on warmup waits.
  const absl::Status warmup = options_.warmup ? options_.warmup(policy_, has_control()) : absl::OkStatus();
  if (warmup.ok()) {
    round_at_ = begun;
  } else {
    log_.Warn("warmup_failed", {{"error", View(warmup.message())}});
  }
  RETURN_IF_ERROR(suppressions_.Follow(suppression_store_, clock_.Steady()));
  RETURN_IF_ERROR(Beat());
  RETURN_IF_ERROR(RecordResults());
  ASSIGN_OR_RETURN(std::vector<storage::SourceAssignment> current, assignments_.List());
  const bool control = has_control();
  if (control) RETURN_IF_ERROR(Assign(current));
  std::vector<AssignedTo> assigned;
  for (const storage::SourceAssignment& assignment : current) {
    if (assignment.egress.empty()) continue;  // Given up by one, taken by none yet.
    const bool known = sources_by_name_.contains(assignment.source);
    assigned.push_back({assignment.source, assignment.egress, known && assignment.state == "bound"});
  }
  mailbox_.Post([&core = core_, assigned = std::move(assigned)] { core.SetAssignments(assigned); });
  if (options_.at_end) RETURN_IF_ERROR(options_.at_end(policy_, control));
  if (control) {
    Upkeep();
  } else {
    told_.clear();
    told_keys_.clear();
  }
  {
    const std::lock_guard lock(mutex_);
    if (!control) told_revision_ = revision_;
  }
  changed_.notify_all();
  return absl::OkStatus();
}

absl::Status ControlLoop::FollowPolicy() {
  ASSIGN_OR_RETURN(const int64_t current, policies_.CurrentRevision());
  {
    const std::lock_guard lock(mutex_);
    if (current == revision_) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::optional<storage::StoredPolicy> stored, policies_.Current());
  if (!stored.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(policy_, parse_(stored->document_json));
  sources_by_name_.clear();
  for (const SourcePolicy& source : policy_.sources) sources_by_name_[source.name] = &source;
  const int64_t revision = stored->revision.revision;
  const auto set = [&core = core_, revision, policy = policy_] {
    core.SetPolicy(revision, policy);
    return true;
  };
  if (!mailbox_.Ask(set, std::chrono::seconds(30))) return absl::DeadlineExceededError("the core did not take the policy");
  {
    const std::lock_guard lock(mutex_);
    revision_ = revision;
  }
  AwaitEgresses();
  return absl::OkStatus();
}

absl::Status ControlLoop::FollowConstraints() {
  ASSIGN_OR_RETURN(const int64_t current, constraints_.Generation());
  if (current == generation_) return absl::OkStatus();
  ASSIGN_OR_RETURN(storage::ConstraintsInForce in_force, constraints_.List(clock_.Now()));
  generation_ = in_force.generation;
  in_force_ = in_force.constraints;
  mailbox_.Post([&core = core_, in_force = std::move(in_force)] {
    core.SetConstraints(in_force.generation, in_force.constraints);
  });
  AwaitEgresses();
  return absl::OkStatus();
}

absl::Status ControlLoop::RecordResults() {
  std::vector<Result> results;
  {
    const std::lock_guard lock(mutex_);
    results.swap(results_);
  }
  for (const Result& result : results) {
    ASSIGN_OR_RETURN(const bool current, assignments_.SetState(result.source, result.epoch,
                                                               result.bound ? "bound" : "bind_failed", result.error));
    if (!current) continue;
    if (result.bound) {
      bind_failures_.Forget(result.source, result.egress);
      log_.Info("source_bound", {{"source", result.source}, {"egress", result.egress}});
    } else {
      bind_failures_.Add(result.source, result.egress, clock_.Steady());
      log_.Error("source_not_bound",
                 {{"source", result.source}, {"egress", result.egress}, {"error", result.error}});
    }
  }
  return absl::OkStatus();
}

absl::Status ControlLoop::Assign(std::vector<storage::SourceAssignment>& current) {
  const std::vector<Core::ConnectedEgress> egresses = Egresses();
  std::vector<Candidate> candidates;
  for (const Core::ConnectedEgress& egress : egresses) candidates.push_back({egress.id, egress.bind_addresses});
  std::vector<Holder> holders;
  for (const storage::SourceAssignment& a : current) {
    holders.push_back({a.source, a.egress, a.expired, a.state == "bind_failed"});
  }
  const AssignmentPlan plan = PlanAssignments(policy_.sources, candidates, holders, bind_failures_, clock_.Steady());
  std::vector<std::pair<std::string, int64_t>> ended;
  for (const storage::SourceAssignment& a : current) {
    const bool release = std::find(plan.releases.begin(), plan.releases.end(), a.source) != plan.releases.end();
    // A source that left the policy is given up; its lease must not be renewed.
    if (!a.expired && (release || !sources_by_name_.contains(a.source))) ended.emplace_back(a.source, a.epoch);
  }
  if (!ended.empty()) RETURN_IF_ERROR(assignments_.Release(ended));
  bool changed = !ended.empty();
  for (const auto& [egress, sources] : plan.claims) {
    ASSIGN_OR_RETURN(const auto claimed, assignments_.Claim(egress, sources, options_.assignment_lease));
    changed = changed || !claimed.empty();
  }
  for (const Core::ConnectedEgress& egress : egresses) {
    std::vector<std::pair<std::string, int64_t>> held;
    for (const storage::SourceAssignment& a : current) {
      // Thrice within the lease is enough; more would only churn the table.
      const bool due = a.lease_until < clock_.Now() + options_.assignment_lease * 2 / 3;
      if (due && a.egress == egress.id && !a.expired && sources_by_name_.contains(a.source)) {
        held.emplace_back(a.source, a.epoch);
      }
    }
    if (!held.empty()) RETURN_IF_ERROR(assignments_.Renew(egress.id, held, options_.assignment_lease).status());
  }
  if (changed) {
    ASSIGN_OR_RETURN(current, assignments_.List());
  }
  SendSigningKeys(egresses);
  return SendAssignments(current, egresses);
}

absl::Status ControlLoop::SendAssignments(const std::vector<storage::SourceAssignment>& current,
                                          const std::vector<Core::ConnectedEgress>& egresses) {
  std::map<std::string_view, std::vector<std::string>> pools_of;
  for (const PoolPolicy& pool : policy_.pools) {
    for (const PoolMember& member : pool.members) pools_of[member.source].push_back(pool.name);
  }
  for (const Core::ConnectedEgress& egress : egresses) {
    std::vector<AssignedSource> list;
    for (const storage::SourceAssignment& a : current) {
      const SourcePolicy* source = sources_by_name_.contains(a.source) ? sources_by_name_[a.source] : nullptr;
      if (a.egress != egress.id || a.expired || source == nullptr) continue;
      list.push_back({.name = a.source, .bind = source->bind, .ehlo = source->ehlo, .epoch = a.epoch, .proxy = source->proxy,
                      .pools = pools_of[a.source]});
    }
    Told& told = told_[egress.id];
    if (told.session != egress.session) told = {.session = egress.session};
    SendShaping(egress, list, told);
    if (told.sources == list) continue;
    told.sources = list;
    mailbox_.Post([&core = core_, id = egress.id, session = egress.session, list] {
      core.SendAssignment(id, session, list);
    });
  }
  const std::lock_guard lock(mutex_);
  told_revision_ = revision_;
  return absl::OkStatus();
}

void ControlLoop::SendSigningKeys(const std::vector<Core::ConnectedEgress>& egresses) {
  const std::vector<SigningKey> keys = SigningKeysOf(policy_);
  for (const Core::ConnectedEgress& egress : egresses) {
    auto& [session, told] = told_keys_[egress.id];
    if (session == egress.session && told == keys) continue;
    session = egress.session;
    told = keys;
    mailbox_.Post([&core = core_, id = egress.id, session = egress.session, keys] {
      core.SendSigningKeys(id, session, keys);
    });
  }
}

// Before its sources, so that none sends without its limits.
void ControlLoop::SendShaping(const Core::ConnectedEgress& egress, const std::vector<AssignedSource>& sources, Told& told) {
  absl::flat_hash_set<std::string_view> own;
  for (const AssignedSource& source : sources) own.insert(source.name);
  const auto concerns = [&](const std::string& source) { return source.empty() || own.contains(source); };
  ShapingOrder order;
  for (PlacedRule& placed : PlacedRules(policy_)) {
    if (concerns(placed.rule.match.source)) order.rules.push_back(std::move(placed));
  }
  for (const Constraint& constraint : in_force_) {
    if (IsLimit(constraint) && concerns(constraint.scope.source)) order.constraints.push_back(constraint);
  }
  order.reply_rules = policy_.reply_rules;
  order.automation = PlacedAutomations(policy_);
  if (told.shaping == order) return;
  told.shaping = order;
  mailbox_.Post([&core = core_, id = egress.id, session = egress.session, order = std::move(order)] {
    core.SendShaping(id, session, order);
  });
}

void ControlLoop::Upkeep() {
  if (clock_.Steady() < upkeep_at_) return;
  upkeep_at_ = clock_.Steady() + options_.upkeep_every;
  if (upkeep_ == nullptr) {
    auto opened = storage::OpenUpkeep(connection_);
    if (!opened.ok()) {
      log_.Warn("upkeep_failed", {{"error", View(opened.status().message())}});
      return;
    }
    upkeep_ = *std::move(opened);
  }
  const Instant now = clock_.Now();
  if (const absl::Status swept = constraints_.Sweep(now - kKeepEnded); !swept.ok()) {
    log_.Warn("upkeep_failed", {{"what", "constraints"}, {"error", View(swept.message())}});
  }
  const auto report = [&](std::string_view what, const absl::StatusOr<storage::UpkeepReport>& result) {
    if (!result.ok()) {
      log_.Warn("upkeep_failed", {{"what", what}, {"error", View(result.status().message())}});
      upkeep_at_ = clock_.Steady() + kRound;
      return;
    }
    for (const std::string& name : result->created) log_.Info("partition_created", {{"name", name}});
    for (const std::string& name : result->dropped) log_.Info("partition_dropped", {{"name", name}});
  };
  if (const auto expired = suppression_store_.Expire(now); !expired.ok()) {
    log_.Warn("upkeep_failed", {{"what", "suppressions"}, {"error", View(expired.status().message())}});
  }
  report("content", upkeep_->KeepContent(options_.content, now));
  report("events", upkeep_->KeepEvents(policy_.event_retention, now));
  if (const auto rotated = upkeep_->RotateSubmissions(std::chrono::hours(24), now); !rotated.ok()) {
    log_.Warn("upkeep_failed", {{"what", "submissions"}, {"error", View(rotated.status().message())}});
    upkeep_.reset();
  }
}

}  // namespace sluice::scheduler
