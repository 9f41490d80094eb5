// The real admin face on a free port, over stores in memory.
#pragma once

#include "scheduler/admin/admin_service.h"
#include "unit/admin/fakes.h"
#include "unit/storage/fake_event_inbox.h"
#include "unit/storage/fake_feedback_store.h"
#include "unit/storage/fake_reputation_stores.h"
#include "unit/storage/fake_warmup_stores.h"
#include "unit/storage/fake_operation_store.h"
#include "unit/storage/fake_suppression_store.h"
#include "wire/policy_convert.h"
#include "wire/server.h"

namespace sluice::testing {

struct FakeScheduler {
  FakeScheduler() {
    wire::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.credentials.plaintext = true;
    server = *wire::Server::Start(options, {&face->service()});
    live.snapshot.scheduler_id = "sched-1";
  }
  const std::string& address() const { return server->addresses()[0]; }

  FakeClock clock;
  CapturingSink sink;
  Logger log{sink, clock, "scheduler"};
  FakePolicyStore policies;
  FakeKeyStore key_store;
  FakeConstraintStore constraint_store;
  FakeAuditStore audit_store;
  FakeAssignmentStore assignments;
  FakeEntryStore entries;
  FakeNodeStore nodes;
  FakeLiveState live;
  std::vector<storage::Lease> leases;
  scheduler::AuditTrail audit{audit_store, clock, log};
  scheduler::PolicyAdmin policy{policies, live, audit, clock};
  scheduler::KeyAdmin keys{key_store, [](const std::string& tenant) { return tenant == "shop"; },
                           live, audit, clock};
  FakeSuppressionStore suppression_store;
  scheduler::SuppressionAdmin suppressions{
      suppression_store, [](const std::string& tenant) { return tenant == "shop"; }, live, audit,
      clock};
  FakeOperationStore operation_store;
  scheduler::OperationAdmin operations{operation_store, [](const std::string& pool) { return pool == "warm"; }, [] {},
                                       live, audit};
  scheduler::QueueVerbs queue{entries, operations};
  scheduler::StatusAdmin status{
      policies,
      assignments,
      entries,
      nodes,
      [this] { return leases; },
      [](const std::string& json) { return wire::PolicyDocumentFromJson(json); },
      live,
      clock};
  scheduler::ConstraintAdmin constraints{
      constraint_store,
      policies,
      [](const std::string& json) { return wire::PolicyDocumentFromJson(json); },
      live,
      audit,
      clock};
  FakeMxResolver resolver;
  std::map<std::string, Duration> down_paths;  // To whatever site.
  scheduler::ExplainAdmin explain{
      policies,
      constraint_store,
      assignments,
      entries,
      resolver,
      [](const std::string& json) { return wire::PolicyDocumentFromJson(json); },
      [this](std::string_view provider) { return warmup.Lacking(provider); },
      [this](const std::string&) { return down_paths; },
      clock};
  FakeFeedbackStore feedback_store;
  storage::FeedbackIntake feedback{feedback_store, std::nullopt,
                                   [](const std::string&) { return SuppressionLives(); }};
  FakeHealthStore health_store;
  FakeSignalStore signal_store;
  FakeEventTally tally;
  scheduler::ReputationAdmin reputation{
      {.health = health_store,
       .signals = signal_store,
       .tally = tally,
       .policies = policies,
       .parse = [](const std::string& json) { return wire::PolicyDocumentFromJson(json); },
       .override = [this](const HealthSubject& subject, std::optional<HealthOverride> override) -> absl::StatusOr<int64_t> {
         health_store.rows[subject].subject = subject;
         health_store.rows[subject].override = std::move(override);
         return 7;
       },
       .live = live,
       .audit = audit,
       .clock = clock}};
  FakeWarmupLedger warmup_ledger;
  FakeWarmupStore warmup_store;
  FakeEventInbox event_inbox;
  scheduler::WarmupAdmin warmup{warmup_ledger, warmup_store, constraint_store, event_inbox, live, audit};
  std::unique_ptr<scheduler::AdminFace> face =
      scheduler::MakeAdminFace({.policy = policy,
                                .keys = keys,
                                .status = status,
                                .suppressions = suppressions,
                                .constraints = constraints,
                                .explain = explain,
                                .queue = queue,
                                .feedback = {.intake = feedback, .knows_tenant = [](const std::string& tenant) { return tenant == "shop"; }},
                                .reputation = reputation,
                                .clock = clock,
                                .warmup = warmup});
  std::unique_ptr<wire::Server> server;
};

}  // namespace sluice::testing
