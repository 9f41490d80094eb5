#include "egress/service.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/json_log.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "egress/egress.h"
#include "egress/process_lock.h"
#include "wire/health_server.h"
#include "wire/service_main.h"

namespace sluice::egress {
namespace {

// Appends to a file, whole lines at a time.
class FileSink final : public LogSink {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<LogSink>> Open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
      return absl::InvalidArgumentError(
          Cat("log.delivery: cannot write '", path, "': ", std::strerror(errno)));
    }
    return std::unique_ptr<LogSink>(new FileSink(fd));
  }
  ~FileSink() override { ::close(fd_); }
  void Write(std::string_view line) override {
    while (!line.empty()) {
      const ssize_t n = ::write(fd_, line.data(), line.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // A full disk loses log lines, not mail.
      line.remove_prefix(static_cast<size_t>(n));
    }
  }

 private:
  explicit FileSink(int fd) : fd_(fd) {}
  const int fd_;
};

absl::StatusOr<LogLevel> ParseLevel(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return absl::InvalidArgumentError(
      Cat("log.level: '", name, "' is none of debug, info, warn, error"));
}

absl::StatusOr<std::unique_ptr<LogSink>> OpenDeliveryLog(const std::string& where) {
  if (where == "off") return std::unique_ptr<LogSink>();
  if (where == "stderr") return std::unique_ptr<LogSink>(std::make_unique<StderrSink>());
  return FileSink::Open(where);
}

std::string HostName() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

absl::StatusOr<std::unique_ptr<Resolver>> MakeResolver(const EgressOptions& options,
                                                       const Clock& clock) {
  ResolverOptions resolver;
  resolver.forwarders = options.dns_forwarders;
  resolver.trust_anchors = options.dns_trust_anchors;
  return CreateResolver(resolver, clock);
}

absl::StatusOr<std::unique_ptr<HttpsFetcher>> StartHttps(const EgressOptions& options) {
  if (!options.mta_sts) return std::unique_ptr<HttpsFetcher>();
  HttpsFetcherOptions https;
  https.ca_file = options.smtp_tls.ca_file;
  https.most_bytes = kMaxStsPolicyBytes;
  return HttpsFetcher::Start(https);
}

absl::StatusOr<std::unique_ptr<telemetry::MetricsExposer>> StartMetrics(
    const EgressOptions& options, const telemetry::Metrics& metrics) {
  if (options.metrics_listen.empty()) return std::unique_ptr<telemetry::MetricsExposer>();
  return telemetry::MetricsExposer::Start(options.metrics_listen, metrics);
}

}  // namespace

absl::Status RunEgress(EgressOptions options, ShutdownSignal& shutdown) {
  if (options.egress_id.empty()) options.egress_id = HostName();
  if (options.schedulers.empty()) {
    return absl::InvalidArgumentError("schedulers: name at least one host:port");
  }
  const SystemClock clock;
  StderrSink errors;
  ASSIGN_OR_RETURN(const LogLevel level, ParseLevel(options.log_level));
  JsonSink json_errors(errors);
  LogSink& log = options.log_json ? static_cast<LogSink&>(json_errors) : errors;
  const Logger logger(log, clock, "egress", level);
  ASSIGN_OR_RETURN(const ProcessLock lock,
                   ProcessLock::Take(options.lock_directory, options.egress_id));
  ASSIGN_OR_RETURN(const std::unique_ptr<LogSink> lines, OpenDeliveryLog(options.delivery_log));
  std::optional<JsonSink> json_lines;
  std::optional<telemetry::DeliveryLog> delivery_log;
  if (lines != nullptr) {
    if (options.log_json) json_lines.emplace(*lines);
    telemetry::DeliveryLogOptions log_options;
    log_options.redact_recipients = options.redact_recipients;
    delivery_log.emplace(json_lines.has_value() ? static_cast<LogSink&>(*json_lines) : *lines, clock, log_options);
  }
  telemetry::Metrics metrics;
  metrics.AddProcess(wire::Version());
  ASSIGN_OR_RETURN(const auto tls, TlsContext::CreateClient(options.smtp_tls));
  ASSIGN_OR_RETURN(auto resolver, MakeResolver(options, clock));
  ASSIGN_OR_RETURN(auto https, StartHttps(options));
  ASSIGN_OR_RETURN(const auto exposer, StartMetrics(options, metrics));
  ASSIGN_OR_RETURN(wire::HealthServer health, wire::HealthServer::Start(options.health));

  Egress egress(options, {.clock = clock,
                          .logger = logger,
                          .resolver = std::move(resolver),
                          .tls = tls.get(),
                          .https = std::move(https),
                          .delivery_log = delivery_log.has_value() ? &*delivery_log : nullptr,
                          .metrics = metrics});
  logger.Info("started", {{"egress", options.egress_id}, {"version", wire::Version()}});
  health.SetServing(true);
  shutdown.Wait();
  health.SetServing(false);
  egress.Drain();
  return absl::OkStatus();
}

}  // namespace sluice::egress
