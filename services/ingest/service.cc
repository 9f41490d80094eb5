#include "ingest/service.h"

#include <unistd.h>

#include <random>

#include <memory>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "ingest/accept.h"
#include "ingest/cancel_client.h"
#include "ingest/event_service.h"
#include "ingest/group_commit.h"
#include "ingest/handoff.h"
#include "ingest/handoff_link.h"
#include "ingest/ingest_metrics.h"
#include "ingest/lookup.h"
#include "ingest/refresher.h"
#include "ingest/submission_service.h"
#include "storage/connection_pool.h"
#include "storage/feedback_intake.h"
#include "storage/node_store.h"
#include "storage/pending_store.h"
#include "storage/suppression_store.h"
#include "wire/policy_convert.h"
#include "wire/server.h"
#include "wire/service_main.h"

namespace sluice::ingest {
namespace {

constexpr int kQueryThreads = 3;
constexpr Duration kCancelTimeout = std::chrono::seconds(10);

size_t Megabytes(int64_t count) { return static_cast<size_t>(count) << 20; }

GroupCommit::Options CommitOptions(const Settings& settings, IngestMetrics& metrics) {
  GroupCommit::Options options;
  options.writers = static_cast<int>(settings.writers);
  options.gather = settings.gather;
  options.batch_recipients = static_cast<size_t>(settings.batch_recipients);
  options.batch_bytes = Megabytes(settings.batch_mb);
  options.on_commit = [&metrics](Duration took, size_t messages) {
    metrics.OnCommit(took, messages);
  };
  return options;
}

// Unique per process, also where host names and process ids repeat.
std::string ProcessName() {
  char host[256] = "ingest";
  ::gethostname(host, sizeof host - 1);
  std::random_device entropy;
  return Cat("ingest-", host, "-", ::getpid(), "/", uint64_t{entropy()} << 32 | entropy());
}

// Everything between the faces and the database, in the order in which it is built and, backwards,
// taken down.
class Ingest {
 public:
  explicit Ingest(const Settings& settings)
      : settings_(settings),
        connection_{.url = settings.postgres_url, .application_name = "sluice-ingest"},
        metrics_(registry_),
        pool_(connection_, kQueryThreads + 1),
        refresher_(
            {.policies = *policies_,
             .keys = *keys_,
             .open_leases = [this] { return storage::OpenShardLeases(connection_); },
             .parse_policy = wire::PolicyDocumentFromJson,
             .follow_suppressions =
                 [this] { return suppressions_.Follow(*suppression_store_, clock_.Steady()); },
             .follow_pending = [this]() -> absl::Status {
               ASSIGN_OR_RETURN(storage::Pending pending, pending_->Sum());
               quota_.Counted(std::move(pending));
               return absl::OkStatus();
             },
             .check_database = settings.require_sync_standby
                                   ? std::function<absl::Status()>([this] { return storage::CheckSyncStandby(pool_); })
                                   : nullptr,
             .beat = [this](int64_t revision, Instant acted_at) {
               return nodes_->Beat({id_, "ingest", settings_.listen.front(), revision, acted_at});
             }},
            directory_, [this](auto shards, auto owners) { OnShards(std::move(shards), owners); },
            clock_, log_),
        handoff_([this](const std::string& endpoint) { return OpenLink(endpoint); }, log_),
        cancel_({.credentials = settings.intake_credentials}, kCancelTimeout),
        admission_({.total_bytes = Megabytes(settings.held_mb),
                    .tenant_bytes = Megabytes(settings.tenant_held_mb)}),
        commit_(
            CommitOptions(settings, metrics_),
            [this] { return storage::OpenAcceptWriter(connection_, clock_.Now()); },
            [this](CommittedBatch batch) { handoff_.Offer(std::move(batch)); }, clock_, log_),
        accept_(directory_, suppressions_, admission_, quota_, commit_,
                {.content_bytes = Megabytes(settings.content_mb),
                 .normalise_line_ends = settings.normalise_line_ends,
                 .allow_address_literals = settings.allow_address_literals},
                clock_),
        lookup_(*entries_, *events_,
                [this](MessageId message, const std::vector<int64_t>& ids) {
                  return cancel_.Cancel(message, ids);
                }),
        workers_(static_cast<int>(settings.workers)),
        queries_(kQueryThreads) {
    IngestMetrics::Watch(registry_, admission_, handoff_);
    registry_.AddProcess(wire::Version());
  }

  absl::Status Run(ShutdownSignal& shutdown) {
    const auto submissions =
        MakeSubmissionFace({accept_, lookup_, workers_, queries_, metrics_, clock_});
    const auto events = MakeEventFace(
        {.accept = accept_, .events = *events_, .queries = queries_, .metrics = metrics_});
    std::unique_ptr<telemetry::MetricsExposer> exposer;
    if (!settings_.metrics_listen.empty()) {
      ASSIGN_OR_RETURN(exposer,
                       telemetry::MetricsExposer::Start(settings_.metrics_listen, registry_));
    }
    ASSIGN_OR_RETURN(std::optional<TokenKeys> tokens, storage::ReadTokenKeys(settings_.token_file));
    const storage::FeedbackIntake intake(*feedback_store_, std::move(tokens), [this](const std::string& name) {
      const auto directory = directory_.Get();
      const auto tenant = directory->tenants.find(name);
      return tenant == directory->tenants.end() ? SuppressionLives() : tenant->second.suppress;
    });
    std::unique_ptr<FeedbackListener> feedback;
    if (!settings_.feedback.listen.empty()) {
      ASSIGN_OR_RETURN(feedback, StartFeedbackListener(settings_.feedback, intake, registry_, clock_, log_));
      log_.Info("listening_for_feedback", {{"address", feedback->address()}});
    }
    wire::ServerOptions options;
    options.listen = settings_.listen;
    options.credentials = settings_.credentials;
    ASSIGN_OR_RETURN(const auto server,
                     wire::Server::Start(options, {&submissions->service(), &events->service()}));
    for (const std::string& address : server->addresses()) {
      log_.Info("listening", {{"address", address}, {"version", wire::Version()}});
    }
    ASSIGN_OR_RETURN(wire::HealthServer health, wire::HealthServer::Start(settings_.health));
    const auto serving = [&](bool yes) {
      server->SetServing(yes);
      health.SetServing(yes);
    };
    refresher_.Start(settings_.refresh, serving);
    shutdown.Wait();
    // Stop accepting, commit, answer.
    log_.Info("stopping");
    refresher_.Stop();
    if (const absl::Status left = nodes_->Leave(id_); !left.ok()) {
      log_.Warn("node_not_removed", {{"error", View(left.message())}});
    }
    serving(false);
    feedback.reset();
    submissions->EndStreams();
    events->EndStreams();
    server->Drain(settings_.grace);
    commit_.Stop();
    log_.Info("stopped");
    return absl::OkStatus();
  }

 private:
  void OnShards(std::vector<int> shards, const std::map<int, std::string>& owners) {
    commit_.SetShards(std::move(shards));
    handoff_.SetOwners(owners);
    cancel_.SetOwners(owners);
  }

  std::unique_ptr<HandoffLink> OpenLink(const std::string& endpoint) {
    HandoffLinkOptions options;
    options.channel.credentials = settings_.intake_credentials;
    options.queue.content_bytes = Megabytes(settings_.handoff_mb);
    return OpenHandoffLink(
        endpoint, options, [this] { refresher_.Nudge(); }, log_);
  }

  const Settings settings_;
  const storage::ConnectionOptions connection_;
  SystemClock clock_;
  StderrSink sink_;
  Logger log_{sink_, clock_, "ingest"};
  telemetry::Metrics registry_;
  IngestMetrics metrics_;
  storage::ConnectionPool pool_;
  std::unique_ptr<storage::PolicyStore> policies_ = storage::MakePolicyStore(pool_);
  std::unique_ptr<storage::KeyStore> keys_ = storage::MakeKeyStore(pool_);
  std::unique_ptr<storage::NodeStore> nodes_ = storage::MakeNodeStore(pool_);
  const std::string id_ = ProcessName();
  std::unique_ptr<storage::EntryStore> entries_ = storage::MakeEntryStore(pool_);
  std::unique_ptr<storage::EventStore> events_ = storage::MakeEventStore(pool_);
  std::unique_ptr<storage::FeedbackStore> feedback_store_ = storage::MakeFeedbackStore(pool_);
  std::unique_ptr<storage::SuppressionStore> suppression_store_ =
      storage::MakeSuppressionStore(pool_);
  std::unique_ptr<storage::PendingStore> pending_ = storage::MakePendingStore(pool_);
  storage::SuppressionSet suppressions_;
  DirectoryHolder directory_;
  Refresher refresher_;
  Handoff handoff_;
  CancelClient cancel_;
  Admission admission_;
  PendingQuota quota_;
  GroupCommit commit_;
  Accept accept_;
  Lookup lookup_;
  ThreadPool workers_;
  ThreadPool queries_;
};

}  // namespace

void Settings::Bind(Config& config) {
  config.Bind("postgres.url", postgres_url,
              "PostgreSQL primary, libpq connection string or URI. Required.");
  config.Bind("postgres.require_sync_standby", require_sync_standby,
              "Not ready while PostgreSQL commits without a synchronous standby.");
  config.Bind("listen", listen, "Addresses of the public API: host:port or unix:path.");
  credentials.Bind(config, "tls");
  config.Bind("metrics.listen", metrics_listen, "Address of /metrics; empty = none.");
  health.Bind(config);
  intake_credentials.Bind(config, "intake");
  config.Bind("workers", workers, 1, 64, "Threads that check and compress.");
  config.Bind("commit.writers", writers, 1, 32, "Database connections that commit side by side.");
  config.Bind("commit.gather", gather,
              "How long a batch gathers while another commit is in flight.");
  config.Bind("commit.batch_recipients", batch_recipients, 1, 10'000,
              "Recipients of one transaction.");
  config.Bind("commit.batch_mb", batch_mb, 1, 256, "Megabytes of one transaction.");
  config.Bind("memory.held_mb", held_mb, 16, 65'536,
              "Megabytes of submissions between arrival and answer.");
  config.Bind("memory.tenant_held_mb", tenant_held_mb, 16, 65'536,
              "Of those, what one tenant may hold.");
  config.Bind("memory.handoff_mb", handoff_mb, 0, 65'536,
              "Megabytes of content that wait for a scheduler, each.");
  config.Bind("limits.content_mb", content_mb, 1, limits::kContentBytes >> 20,
              "Megabytes of one message.");
  config.Bind("submission.normalise_line_ends", normalise_line_ends,
              "Turn messages whose line ends are all LF into CRLF.");
  config.Bind("submission.address_literals", allow_address_literals,
              "Take recipients such as user@[192.0.2.1].");
  config.Bind("refresh", refresh, "How often policy, keys and shard owners are looked up.");
  config.Bind("token.file", token_file,
              "Secrets of the tokens in return paths and headers, as egress has them.");
  config.Bind("feedback.listen", feedback.listen,
              "IP:PORT where bounces and complaints come in by SMTP; empty = nowhere.");
  config.Bind("feedback.host_name", feedback.host_name, "Our name in its greeting.");
  config.Bind("feedback.domains", feedback.domains,
              "Domains of return paths and feedback loops: all it takes mail for.");
  config.Bind("feedback.connections", feedback.connections, 1, 10'000, "At once.");
  config.Bind("feedback.connections_per_peer", feedback.connections_per_peer, 1, 10'000,
              "At once from one address.");
  config.Bind("feedback.messages_per_second", feedback.messages_per_second, 1, 100'000,
              "Beyond it peers are told to come back.");
  config.Bind("feedback.message_kb", feedback.message_kb, 16, 65'536, "Of one message.");
  config.Bind("grace", grace, "How long calls may run after SIGTERM.");
}

absl::Status RunIngest(const Settings& settings, ShutdownSignal& shutdown) {
  if (settings.postgres_url.empty()) {
    return absl::InvalidArgumentError(
        "postgres.url is missing: name the PostgreSQL primary, e.g. 'host=db dbname=sluice'");
  }
  if (settings.listen.empty())
    return absl::InvalidArgumentError("listen is empty: name an address, e.g. [127.0.0.1:8025]");
  Ingest ingest(settings);
  return ingest.Run(shutdown);
}

}  // namespace sluice::ingest
