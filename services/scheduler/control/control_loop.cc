#include "scheduler/control/control_loop.h"

#include <algorithm>
#include <future>

#include "base/status.h"
#include "base/text.h"
#include "policy/signing.h"
#include "scheduler/control/assignment.h"

namespace sluice::scheduler {
namespace {

constexpr auto kRound = std::chrono::milliseconds(500);
constexpr auto kBeatEvery = std::chrono::seconds(2);
constexpr auto kAskAgain = std::chrono::milliseconds(50);
constexpr int kDefaultConnections = 20;

// Rules for every path of a source: those that name nothing, or the source alone.
AssignedSource WithLimits(const PolicyDocument& policy, const SourcePolicy& source, int64_t epoch) {
  AssignedSource out{.name = source.name,
                     .bind = source.bind,
                     .ehlo = source.ehlo,
                     .epoch = epoch,
                     .connections = kDefaultConnections};
  out.proxy = source.proxy;
  for (const bool named : {false, true}) {
    for (const ShapingRule& rule : policy.shaping) {
      Match only;
      if (named) only.source = source.name;
      if (rule.match != only) continue;
      if (rule.connections) out.connections = *rule.connections;
      if (rule.messages_per_connection) out.messages_per_connection = *rule.messages_per_connection;
      if (rule.recipients_per_transaction) out.recipients_per_transaction = *rule.recipients_per_transaction;
      if (rule.tls) out.tls = ToString(*rule.tls);
    }
  }
  return out;
}

bool Same(const std::vector<AssignedSource>& a, const std::vector<AssignedSource>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const AssignedSource& x, const AssignedSource& y) {
    return x.name == y.name && x.bind == y.bind && x.ehlo == y.ehlo && x.epoch == y.epoch &&
           x.connections == y.connections && x.messages_per_connection == y.messages_per_connection &&
           x.recipients_per_transaction == y.recipients_per_transaction && x.tls == y.tls &&
           x.proxy == y.proxy;
  });
}

}  // namespace

ControlLoop::ControlLoop(ControlOptions options, storage::ConnectionOptions connection,
                         storage::PolicyStore& policies, storage::AssignmentStore& assignments,
                         storage::NodeStore& nodes, storage::SuppressionStore& suppression_store,
                         storage::SuppressionSet& suppressions, ParsePolicy parse, Core& core, Mailbox& mailbox, const Clock& clock, const Logger& log)
    : options_(options),
      connection_(std::move(connection)),
      policies_(policies),
      assignments_(assignments),
      nodes_(nodes),
      suppression_store_(suppression_store),
      suppressions_(suppressions),
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

std::vector<std::string> ControlLoop::AwaitIngests(Duration patience) {
  const SteadyInstant end = clock_.Steady() + patience;
  const absl::StatusOr<Instant> since = nodes_.DatabaseNow();
  if (!since.ok()) return {std::string("PostgreSQL: ") + std::string(View(since.status().message()))};
  while (true) {
    std::vector<std::string> behind;
    if (const auto nodes = nodes_.Alive(); nodes.ok()) {
      for (const storage::ServiceNode& node : *nodes) {
        if (node.kind == "ingest" && node.acted_at < *since) behind.push_back(node.id);
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
  const absl::StatusOr<std::vector<storage::ServiceNode>> nodes = nodes_.Alive();
  if (!nodes.ok()) return {std::string("PostgreSQL: ") + std::string(View(nodes.status().message()))};
  for (const storage::ServiceNode& node : *nodes) {
    if (node.id != options_.id && node.policy_revision < revision) behind.push_back(node.id);
  }
  return behind;
}

absl::Status ControlLoop::Beat() {
  const SteadyInstant steady = clock_.Steady();
  int64_t revision = 0;
  {
    const std::lock_guard lock(mutex_);
    revision = revision_;
  }
  if (revision == beat_revision_ && steady < beat_at_ + kBeatEvery) return absl::OkStatus();
  RETURN_IF_ERROR(nodes_.Beat({options_.id, "scheduler", options_.endpoint, revision, clock_.Now()}));
  beat_at_ = steady;
  beat_revision_ = revision;
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
  auto promise = std::make_shared<std::promise<std::vector<Core::ConnectedEgress>>>();
  auto future = promise->get_future();
  mailbox_.Post([&core = core_, promise] { promise->set_value(core.ConnectedEgresses()); });
  if (future.wait_for(std::chrono::seconds(5)) != std::future_status::ready) return {};
  return future.get();
}

absl::Status ControlLoop::Round() {
  RETURN_IF_ERROR(FollowPolicy());
  RETURN_IF_ERROR(suppressions_.Follow(suppression_store_, clock_.Steady()));
  RETURN_IF_ERROR(Beat());
  RETURN_IF_ERROR(RecordResults());
  ASSIGN_OR_RETURN(std::vector<storage::SourceAssignment> current, assignments_.List());
  const bool control = has_control();
  if (control) RETURN_IF_ERROR(Assign(current));
  std::vector<AssignedTo> assigned;
  for (const storage::SourceAssignment& assignment : current) {
    const bool known = FindSource(policy_, assignment.source) != nullptr;
    assigned.push_back({assignment.source, assignment.egress, known && assignment.state == "bound"});
  }
  mailbox_.Post([&core = core_, assigned = std::move(assigned)] { core.SetAssignments(assigned); });
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
  auto promise = std::make_shared<std::promise<void>>();
  auto future = promise->get_future();
  const int64_t revision = stored->revision.revision;
  mailbox_.Post([&core = core_, revision, policy = policy_, promise] {
    core.SetPolicy(revision, policy);
    promise->set_value();
  });
  if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
    return absl::DeadlineExceededError("the core did not take the policy");
  }
  const std::lock_guard lock(mutex_);
  revision_ = revision;
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
      log_.Info("source_bound", {{"source", result.source}, {"egress", result.egress}});
    } else {
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
  const AssignmentPlan plan = PlanAssignments(policy_.sources, candidates, holders);
  std::vector<std::pair<std::string, int64_t>> ended;
  for (const storage::SourceAssignment& a : current) {
    const bool release = std::find(plan.releases.begin(), plan.releases.end(), a.source) != plan.releases.end();
    // A source that left the policy is given up; its lease must not be renewed.
    if (!a.expired && (release || FindSource(policy_, a.source) == nullptr)) ended.emplace_back(a.source, a.epoch);
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
      if (due && a.egress == egress.id && !a.expired && FindSource(policy_, a.source) != nullptr) {
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
  for (const Core::ConnectedEgress& egress : egresses) {
    std::vector<AssignedSource> list;
    for (const storage::SourceAssignment& a : current) {
      const SourcePolicy* source = FindSource(policy_, a.source);
      if (a.egress != egress.id || a.expired || source == nullptr) continue;
      list.push_back(WithLimits(policy_, *source, a.epoch));
    }
    auto& [session, told] = told_[egress.id];
    if (session == egress.session && Same(told, list)) continue;
    session = egress.session;
    told = list;
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
