#include "scheduler/service.h"

#include <unistd.h>

#include <random>

#include "base/json_log.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "net/dns.h"
#include "scheduler/admin/admin_service.h"
#include "scheduler/admin/tls_report_service.h"
#include "scheduler/admin/trace_service.h"
#include "scheduler/control/control_loop.h"
#include "scheduler/control/pending_keeper.h"
#include "scheduler/control/poll_loop.h"
#include "scheduler/control/pollers.h"
#include "scheduler/control/reputation_loop.h"
#include "scheduler/control/share_keeper.h"
#include "scheduler/core_loop.h"
#include "scheduler/control/reaction_keeper.h"
#include "scheduler/dispatch_service.h"
#include "scheduler/intake_service.h"
#include "scheduler/lease_keeper.h"
#include "scheduler/live.h"
#include "scheduler/operations.h"
#include "scheduler/queue_metrics.h"
#include "scheduler/storage_ports.h"
#include "scheduler/warmup_service.h"
#include "storage/audit_store.h"
#include "storage/connection_pool.h"
#include "storage/constraint_store.h"
#include "storage/event_tally.h"
#include "storage/feedback_intake.h"
#include "storage/entry_store.h"
#include "storage/key_store.h"
#include "storage/migrate.h"
#include "storage/node_store.h"
#include "storage/restore_guard.h"
#include "storage/suppression_set.h"
#include "storage/suppression_store.h"
#include "telemetry/metrics.h"
#include "wire/policy_convert.h"
#include "wire/server.h"
#include "wire/service_main.h"

namespace sluice::scheduler {
namespace {

constexpr int kPoolSize = 5;
constexpr auto kMostSkew = std::chrono::seconds(1);

std::string DefaultId() {
  char host[256] = "scheduler";
  ::gethostname(host, sizeof host - 1);
  return Cat(host, "-", ::getpid());
}

// Every caller is one of ours and goes as far as its role: with TLS, a certificate is required.
absl::StatusOr<std::unique_ptr<wire::Server>> Serve(const std::string& listen, const wire::CredentialsConfig& credentials,
                                                    std::vector<grpc::Service*> services, wire::CallHook on_call = {}) {
  wire::ServerOptions options;
  options.on_call = std::move(on_call);
  options.listen = {listen};
  options.credentials = credentials;
  options.credentials.client_auth = !credentials.plaintext;
  return wire::Server::Start(options, services);
}

// The record of who asked for what; orders have a row in the audit table besides.
wire::CallHook LogCalls(const Logger& log) {
  return [&log](const wire::CallRecord& call) {
    log.Info("admin_call", {{"method", call.method},
                            {"caller", call.caller},
                            {"code", call.code},
                            {"seconds", static_cast<double>(call.duration.count()) * 1e-6}});
  };
}

// Numbers that are read at each scrape.
void Register(telemetry::Metrics& metrics, const CoreLoop& loop, CoreMetrics& core) {
  const auto counter = [&](std::string name, std::string help, CoreMetrics::Counter& value) {
    metrics.AddComputed(std::move(name), std::move(help),
                        [&value] { return static_cast<double>(value.load(std::memory_order_relaxed)); });
  };
  counter("sluice_scheduler_released_entries_total", "Entries given to an egress.", core.released);
  counter("sluice_scheduler_returned_entries_total", "Entries that an egress gave back unbegun.", core.returned);
  counter("sluice_scheduler_requeued_entries_total", "Entries taken back from a lost egress.", core.requeued_lost);
  counter("sluice_scheduler_fetched_entries_total", "Entries whose content was read again.", core.fetched);
  counter("sluice_scheduler_delivered_entries_total", "Entries that ended delivered.", core.delivered);
  counter("sluice_scheduler_deferred_attempts_total", "Attempts that ended deferred.", core.deferred);
  counter("sluice_scheduler_bounced_entries_total", "Entries that ended bounced.", core.bounced);
  counter("sluice_scheduler_expired_entries_total", "Entries given up by age.", core.expired);
  counter("sluice_scheduler_cancelled_entries_total", "Entries cancelled.", core.cancelled);
  counter("sluice_scheduler_suppressed_entries_total", "Entries that ended because their recipient was suppressed.",
          core.suppressed);
  counter("sluice_scheduler_held_entries_total", "Entries put aside for a person.", core.held);
  counter("sluice_warmup_overflow_total", "Entries sent by an overflow pool for want of allowance.", core.overflowed);
  counter("sluice_scheduler_late_deliveries_total", "Deliveries of entries that had ended.", core.late_deliveries);
  counter("sluice_scheduler_handed_batches_total", "Batches taken from hand-off.", core.handed_batches);
  counter("sluice_scheduler_repeated_batches_total", "Batches handed off that were known.", core.repeated_batches);
  counter("sluice_scheduler_tailed_batches_total", "Batches found in PostgreSQL.", core.tailed_batches);
  counter("sluice_scheduler_settle_transactions_total", "Settling transactions begun.", core.settle_transactions);
  counter("sluice_scheduler_settle_failures_total", "Settling transactions that failed.", core.settle_failures);
  const auto gauge = [&](std::string name, std::string help, int64_t CoreSnapshot::*field) {
    metrics.AddComputed(std::move(name), std::move(help),
                        [&loop, field] { return static_cast<double>(loop.Snapshot().*field); });
  };
  gauge("sluice_scheduler_entries_count", "Entries in the index.", &CoreSnapshot::entries);
  gauge("sluice_scheduler_in_flight_entries_count", "Entries given out.", &CoreSnapshot::in_flight);
  gauge("sluice_scheduler_unsettled_reports_count", "Settlements not yet committed.", &CoreSnapshot::unsettled);
  gauge("sluice_scheduler_content_bytes_count", "Bytes of content in memory.", &CoreSnapshot::content_bytes);
  gauge("sluice_scheduler_flows_count", "Flows with ready entries.", &CoreSnapshot::flows);
  gauge("sluice_scheduler_unrouted_entries_count", "Entries that no route names.", &CoreSnapshot::unrouted);
  gauge("sluice_scheduler_down_paths_count", "Paths on which connecting failed again and again.", &CoreSnapshot::down_paths);
  gauge("sluice_warmup_waiting_count", "Entries that wait for an allowance.", &CoreSnapshot::warmup_waiting);
  gauge("sluice_scheduler_held_entries_count", "Entries that wait for a person.", &CoreSnapshot::held);
  metrics.AddProcess(wire::Version());
}

KeyAdmin::KnowsTenant TenantLookup(storage::PolicyStore& policies) {
  return [&policies](const std::string& tenant) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const std::optional<storage::StoredPolicy> stored, policies.Current());
    if (!stored.has_value()) return false;
    ASSIGN_OR_RETURN(const PolicyDocument policy, wire::PolicyDocumentFromJson(stored->document_json));
    return FindTenant(policy, tenant) != nullptr;
  };
}

OperationAdmin::KnowsPool PoolLookup(storage::PolicyStore& policies) {
  return [&policies](const std::string& pool) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const std::optional<storage::StoredPolicy> stored, policies.Current());
    if (!stored.has_value()) return false;
    ASSIGN_OR_RETURN(const PolicyDocument policy, wire::PolicyDocumentFromJson(stored->document_json));
    return FindPool(policy, pool) != nullptr;
  };
}

storage::FeedbackIntake::LivesOf LivesLookup(storage::PolicyStore& policies) {
  return [&policies](const std::string& name) -> SuppressionLives {
    const auto stored = policies.Current();
    if (!stored.ok() || !stored->has_value()) return {};
    const auto policy = wire::PolicyDocumentFromJson((*stored)->document_json);
    const TenantPolicy* tenant = policy.ok() ? FindTenant(*policy, name) : nullptr;
    return tenant == nullptr ? SuppressionLives() : tenant->suppress;
  };
}

bool WaitUntil(const std::function<bool()>& condition, const Clock& clock, Duration patience) {
  const SteadyInstant end = clock.Steady() + patience;
  while (!condition()) {
    if (clock.Steady() >= end) return false;
    ::usleep(20'000);
  }
  return true;
}

// What cannot be stored is not in the report.
void Store(storage::TlsResultStore& store, const std::vector<storage::TlsResultRow>& rows, const Logger& log) {
  if (const absl::Status status = store.Add(rows); !status.ok()) {
    log.Warn("tls_results_not_stored", {{"error", View(status.message())}});
  }
}

}  // namespace

absl::Status RunScheduler(Options options, ShutdownSignal& shutdown) {
  if (options.postgres_url.empty()) {
    return absl::InvalidArgumentError("postgres.url is missing: name the PostgreSQL primary, e.g. 'host=db dbname=sluice'");
  }
  if (options.id.empty()) options.id = DefaultId();
  const SystemClock clock;
  StderrSink sink;
  JsonSink json(sink);
  const Logger log(options.log_json ? static_cast<LogSink&>(json) : sink, clock, "scheduler");
  std::random_device entropy;
  const uint64_t incarnation = uint64_t{entropy()} << 32 | entropy();

  const storage::ConnectionOptions connection{.url = options.postgres_url, .application_name = "sluice-scheduler"};
  RETURN_IF_ERROR(storage::Migrate(connection, {.shards = static_cast<int>(options.shards)}, clock.Now()));
  if (options.migrate_only) {
    log.Info("migrated");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool restored, storage::HoldIfRestored(connection, clock.Now()));
  if (restored) log.Error("held_after_restore", {{"release", "sluicectl constraints, then sluicectl resume ID"}});
  storage::ConnectionPool pool(connection, kPoolSize);
  const auto policies = storage::MakePolicyStore(pool);
  const auto assignments = storage::MakeAssignmentStore(pool);
  const auto routes = storage::MakeRouteStore(pool);
  const auto nodes = storage::MakeNodeStore(pool);
  const auto tls_results = storage::MakeTlsResultStore(pool);
  const auto constraints = storage::MakeConstraintStore(pool);
  const auto pending_store = storage::MakePendingStore(pool);
  const auto share_store = storage::MakeShareStore(pool);
  ResolverOptions dns;
  dns.forwarders = options.dns_forwarders;
  ASSIGN_OR_RETURN(const std::unique_ptr<Resolver> resolver, CreateResolver(dns, clock));

  Mailbox mailbox;
  CoreMetrics core_metrics;
  const auto suppression_store = storage::MakeSuppressionStore(pool);
  storage::SuppressionSet suppressions;
  telemetry::Metrics metrics;
  WarmupService warmup(options.id, connection, metrics, mailbox, clock, log);
  RETURN_IF_ERROR(warmup.SetCalendar(options));
  core_metrics.warmup_wait = &warmup.metrics().wait;
  StoragePorts ports(connection, *routes, suppressions, warmup.grants(), *resolver, mailbox, clock, log);
  CoreOptions core_options;
  core_options.content_budget_bytes = options.content_budget_mb << 20;
  core_options.seed = incarnation;
  Core core(core_options, clock, log, ports, core_metrics);
  ports.Attach(core);
  CoreLoop loop(core, mailbox);

  if (options.admin_endpoint.empty()) options.admin_endpoint = options.admin_listen;
  ControlOptions control_options;
  control_options.id = Cat(options.id, "/", incarnation);
  control_options.endpoint = options.admin_endpoint;
  control_options.content.max_bytes = options.content_partition_mb << 20;
  control_options.content.max_age = options.content_partition_age;
  control_options.content.drop_after = options.content_partition_drop_after;
  control_options.warmup = [&](const PolicyDocument& policy, bool has_control) { return warmup.Round(core, policy, has_control); };
  PendingKeeper pending(*pending_store, core, mailbox, clock);
  ShareKeeper shares(control_options.id, *share_store, core, mailbox, clock);
  control_options.at_end = [&](const PolicyDocument& policy, bool has_control) {
    RETURN_IF_ERROR(shares.Round(policy, has_control));
    return pending.Round(policy);
  };
  ControlLoop control(control_options, connection, *policies, *assignments, *nodes, *constraints, *suppression_store,
                      suppressions, wire::PolicyDocumentFromJson, core, mailbox, clock, log);
  WorkerThread writer;
  TraceHub traces;
  const auto dispatch = MakeDispatchFace(
      core, mailbox, log, incarnation,
      {.connected = [&](const EgressHello&) { control.Hurry(); },
       .assignment_result = [&](const std::string& egress, const std::string& source, int64_t epoch, bool bound,
                                const std::string& error) {
         control.OnAssignmentResult(egress, source, epoch, bound, error);
       },
       .tls_results = [&](std::vector<storage::TlsResultRow> rows) {
         writer.Post([&, rows = std::move(rows)] { Store(*tls_results, rows, log); });
       },
       .reactions = [&](std::vector<Constraint> reactions, std::function<void()> kept) {
         writer.Post([&, reactions = std::move(reactions), kept = std::move(kept)] {
           if (const absl::Status status = KeepReactions(*constraints, reactions); !status.ok()) {
             log.Warn("reactions_not_kept", {{"error", View(status.message())}});
             return;
           }
           kept();
           control.Hurry();
         });
       },
       .trace = [&](const v1::TraceLines& lines) { traces.Spread(lines); },
       .share_uses = [&](const std::string& egress, EgressUses uses) { shares.Told(egress, std::move(uses)); }});
  traces.SetTell([&](const v1::TraceOrder& order) { dispatch->Watch(order); });
  const auto intake = MakeIntakeFace(core, mailbox);
  Register(metrics, loop, core_metrics);
  RegisterQueue(metrics, [&loop] { return loop.Snapshot(); }, clock);
  std::unique_ptr<telemetry::MetricsExposer> exposer;
  if (!options.metrics_listen.empty()) {
    ASSIGN_OR_RETURN(exposer, telemetry::MetricsExposer::Start(options.metrics_listen, metrics));
  }
  ASSIGN_OR_RETURN(const auto dispatch_server,
                   Serve(options.dispatch_listen, options.internal, {&dispatch->service()}));
  ASSIGN_OR_RETURN(const auto intake_server, Serve(options.intake_listen, options.internal, {&intake->service()}));
  if (options.intake_endpoint.empty()) options.intake_endpoint = intake_server->addresses().front();
  const auto lister = LeaseLister(connection);
  Live live(control_options.id, options.admin_endpoint, loop, control, lister);
  const auto entries = storage::MakeEntryStore(pool);
  const auto key_store = storage::MakeKeyStore(pool);
  const auto audit_store = storage::MakeAuditStore(pool);
  AuditTrail audit(*audit_store, clock, log);
  PolicyAdmin policy_admin(*policies, live, audit, clock);
  KeyAdmin key_admin(*key_store, TenantLookup(*policies), live, audit, clock);
  ConstraintAdmin constraint_admin(*constraints, *policies, wire::PolicyDocumentFromJson, live, audit, clock);
  StatusAdmin status_admin(*policies, *assignments, *entries, *nodes, lister, wire::PolicyDocumentFromJson, live, clock);
  ASSIGN_OR_RETURN(std::optional<TokenKeys> tokens, storage::ReadTokenKeys(options.token_file));
  const auto feedback_store = storage::MakeFeedbackStore(pool);
  const storage::FeedbackIntake feedback_intake(*feedback_store, std::move(tokens), LivesLookup(*policies));
  const auto tally = storage::MakeEventTally(pool);
  const auto health_store = storage::MakeHealthStore(pool);
  HealthMetrics health_metrics(metrics);
  HealthKeeper health_keeper({.store = *health_store,
                              .tally = *tally,
                              .constraints = *constraints,
                              .metrics = health_metrics,
                              .clock = clock,
                              .log = log});
  const Rounds::Parts rounds{.policies = *policies,
                             .parse = wire::PolicyDocumentFromJson,
                             .has_control = [&control] { return control.has_control(); },
                             .log = log};
  ReputationLoop reputation(
      {.tally = *tally, .feedback = *feedback_store, .health = health_keeper, .clock = clock, .log = log}, rounds);
  const auto signal_store = storage::MakeSignalStore(pool);
  const auto token_store = storage::MakeTokenStore(pool);
  ASSIGN_OR_RETURN(Pollers pollers, MakePollers(options, *token_store, clock, log));
  PollLoop polls({.store = *signal_store, .health = health_keeper, .metrics = metrics, .clock = clock, .log = log},
                 std::move(pollers.all), rounds);
  ReputationAdmin reputation_admin({.health = *health_store,
                                    .signals = *signal_store,
                                    .tally = *tally,
                                    .policies = *policies,
                                    .parse = wire::PolicyDocumentFromJson,
                                    .override = [&](const HealthSubject& subject, std::optional<HealthOverride> override) {
                                      return health_keeper.Override(subject, std::move(override));
                                    },
                                    .live = live,
                                    .audit = audit,
                                    .clock = clock});
  SuppressionAdmin suppression_admin(*suppression_store, TenantLookup(*policies), live, audit, clock);
  WarmupAdmin warmup_admin(warmup.ledger(), warmup.store(), *constraints, warmup.events(), live, audit);
  ExplainAdmin explain_admin(*policies, *constraints, *assignments, *entries, *resolver, wire::PolicyDocumentFromJson,
                             [&](std::string_view provider) { return warmup_admin.Lacking(provider); },
                             [&](const std::string& domain) { return live.DownPaths(domain); }, clock);
  const auto operation_store = storage::MakeOperationStore(pool);
  Operations operations(*operation_store, loop, log);
  OperationAdmin operation_admin(*operation_store, PoolLookup(*policies), [&] { operations.Hurry(); }, live, audit);
  QueueVerbs queue_verbs(*entries, operation_admin);
  const auto admin = MakeAdminFace({.policy = policy_admin,
                                    .keys = key_admin,
                                    .status = status_admin,
                                    .suppressions = suppression_admin,
                                    .constraints = constraint_admin,
                                    .explain = explain_admin,
                                    .queue = queue_verbs,
                                    .feedback = {feedback_intake, TenantLookup(*policies)},
                                     .reputation = reputation_admin,
                                    .clock = clock,
                                    .warmup = warmup_admin});
  const auto tls_reports = MakeTlsReportFace(*tls_results);
  const auto tracing = MakeTraceFace(traces);
  ASSIGN_OR_RETURN(const auto admin_server, Serve(options.admin_listen, options.admin,
                                                  {&admin->service(), &tls_reports->service(), &tracing->service()}, LogCalls(log)));

  ASSIGN_OR_RETURN(wire::HealthServer health, wire::HealthServer::Start(options.health));
  const auto serving = [&](bool yes) {
    health.SetServing(yes);
    dispatch_server->SetServing(yes);
    intake_server->SetServing(yes);
    admin_server->SetServing(yes);
  };
  LeaseOptions lease_options;
  lease_options.owner = control_options.id;
  lease_options.endpoint = options.intake_endpoint;
  lease_options.control_endpoint = options.admin_endpoint;
  lease_options.length = options.lease;
  lease_options.most_shards = static_cast<int>(options.most_shards);
  lease_options.seed = static_cast<uint32_t>(incarnation);
  LeaseKeeper keeper(
      lease_options, connection, *assignments, clock, log,
      {.taken =
           [&](int shard, int64_t epoch, int64_t last_seq, std::vector<std::string> egresses) {
             mailbox.Post([&core, shard, epoch, last_seq, egresses = std::move(egresses)] {
               core.OnShardTaken(shard, epoch, last_seq, egresses);
             });
           },
       .extended = [&](SteadyInstant until) { mailbox.Post([&core, until] { core.OnLeaseExtended(until); }); },
       .lost = [&](std::vector<int> shards) { mailbox.Post([&core, shards] { core.OnShardsLost(shards); }); },
       .control = [&](bool held) { control.SetControl(held); },
       .counted = [&](int shards) { mailbox.Post([&core, shards] { core.OnShardCount(shards); }); },
       .skew =
           [&](Duration skew) {
             const bool fine = skew < kMostSkew && skew > -kMostSkew;
             if (!fine) log.Error("clock_skew", {{"seconds", static_cast<double>(skew.count()) * 1e-6}});
             const absl::Status standby =
                 options.require_sync_standby ? storage::CheckSyncStandby(pool) : absl::OkStatus();
             if (!standby.ok()) log.Error("no_sync_standby", {{"error", View(standby.message())}});
             serving(fine && standby.ok());
           }});
  log.Info("started", {{"id", options.id}, {"version", wire::Version()},
                       {"dispatch", dispatch_server->addresses().front()},
                       {"intake", intake_server->addresses().front()},
                       {"admin", admin_server->addresses().front()}});
  serving(true);
  shutdown.Wait();

  // Stop releasing, settle, hand over.
  log.Info("stopping");
  serving(false);
  keeper.StopTaking();
  intake->Shutdown();
  loop.Run([](Core& c) { c.BeginHandover(); }, std::chrono::seconds(5));
  const bool done = WaitUntil(
      [&] {
        auto settled = std::make_shared<bool>(false);
        return loop.Run([settled](Core& c) { *settled = c.HandoverDone(); }, std::chrono::seconds(1)) && *settled;
      },
      clock, options.drain);
  // What an egress has begun and not reported is ours until the lease runs out: giving it up early could send it twice.
  keeper.Stop(done);
  reputation.Stop();
  pollers.cancel->store(true);
  polls.Stop();
  control.Stop();
  operations.Stop();
  tracing->EndStreams();
  dispatch->Shutdown();
  admin_server->Drain(std::chrono::seconds(1));
  intake_server->Drain(std::chrono::seconds(1));
  dispatch_server->Drain(std::chrono::seconds(1));
  loop.Stop();
  log.Info("stopped", {{"handed_over", done ? "true" : "false"}});
  return absl::OkStatus();
}

}  // namespace sluice::scheduler
