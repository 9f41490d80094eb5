// sluice-sink: an SMTP server for trials that takes all mail, or answers as a script says. See
// README.md.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/status.h"
#include "base/text.h"
#include "base/throughput.h"
#include "rig/sink_stats.h"

namespace sluice::rig {
namespace {

struct Options {
  std::vector<std::string> listen;
  std::string ports_file, script, record, content_directory, stats, host_name = "sink.test",
                                                                    idle = "5m";
  Recording recording = Recording::kNone;
  uint64_t threads = 1, max_size = 64 * 1024 * 1024, max_connections = 10'000, max_files = 100'000,
           seed = 1;
  uint64_t track_tokens = 0;
  bool latency = false, no_tls = false;
  TlsOptions tls;
};

// Keeps what must outlive the loops and is shared by them.
struct Sink {
  Options options;
  SystemClock clock;
  SslContext tls;
  std::unique_ptr<TokenLedger> tokens;
  std::unique_ptr<LatencyHistogram> latency;
  std::vector<std::unique_ptr<TransactionLog>> logs;
  std::vector<std::unique_ptr<SinkLoop>> loops;
  std::vector<std::string> bound;
  std::mutex script_mutex;
  std::shared_ptr<const Script> script;
};

absl::StatusOr<std::shared_ptr<const Script>> LoadScript(const std::string& path) {
  if (path.empty()) return Script::Parse("", "no script");
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError(Cat("cannot read ", path));
  return Script::Parse(text.str(), path);
}

absl::StatusOr<int> OpenRecord(const Options& options) {
  if (options.recording == Recording::kNone || options.record.empty()) return -1;
  const int fd = ::open(options.record.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return absl::UnavailableError(Cat("cannot write ", options.record));
  return fd;
}

absl::Status CheckDirectory(const Options& options) {
  if (options.recording != Recording::kFull) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(options.content_directory, error);
  if (options.content_directory.empty() || error) {
    return absl::InvalidArgumentError("--recording full wants a --content-dir that can be made");
  }
  return absl::OkStatus();
}

absl::Status BindAll(Sink& sink) {
  for (const std::string& text : sink.options.listen) {
    ASSIGN_OR_RETURN(SocketAddress address, SocketAddress::Parse(text));
    for (const auto& loop : sink.loops) {
      ASSIGN_OR_RETURN(const int fd, Listen(address, sink.loops.size() > 1));
      loop->AddListener(fd);
      // The first loop's port is everyone's when any port would do.
      address.set_port(SocketAddress::Local(fd).port());
    }
    sink.bound.push_back(address.ToString());
  }
  return absl::OkStatus();
}

void AddLoop(Sink& sink, int record, Duration idle) {
  const Options& options = sink.options;
  sink.logs.push_back(std::make_unique<TransactionLog>(record, options.recording));
  SessionContext context;
  context.script = sink.script;
  context.host_name = options.host_name;
  context.recording = options.recording;
  context.content_directory = options.content_directory;
  context.max_files = options.max_files / options.threads;
  context.max_size = options.max_size;
  context.offer_tls = !options.no_tls;
  context.log = record < 0 ? nullptr : sink.logs.back().get();
  context.tokens = sink.tokens.get();
  context.latency = sink.latency.get();
  context.random.seed(options.seed + sink.loops.size());
  const LoopOptions loop{options.max_connections / options.threads, idle};
  sink.loops.push_back(
      std::make_unique<SinkLoop>(loop, std::move(context), sink.clock, sink.tls.get()));
}

absl::Status SetUp(Sink& sink) {
  const Options& options = sink.options;
  RETURN_IF_ERROR(CheckDirectory(options));
  ASSIGN_OR_RETURN(sink.script, LoadScript(options.script));
  ASSIGN_OR_RETURN(const int record, OpenRecord(options));
  ASSIGN_OR_RETURN(sink.tls, MakeTlsContext(options.tls));
  ASSIGN_OR_RETURN(const Duration idle, ParseDuration(options.idle));
  if (options.track_tokens > 0) sink.tokens = std::make_unique<TokenLedger>(options.track_tokens);
  if (options.latency) sink.latency = std::make_unique<LatencyHistogram>();
  for (uint64_t i = 0; i < options.threads; ++i) AddLoop(sink, record, idle);
  return BindAll(sink);
}

// Whole or not at all, so that a waiting reader never sees half of it.
absl::Status WritePorts(const std::string& path, const std::string& text) {
  if (path.empty()) return absl::OkStatus();
  const std::string temporary = path + ".part";
  std::ofstream file(temporary);
  file << text;
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(Cat("cannot write ", path));
  }
  return absl::OkStatus();
}

void Reload(Sink& sink) {
  auto script = LoadScript(sink.options.script);
  if (!script.ok()) {
    std::cerr << "script kept as it was: " << View(script.status().message()) << std::endl;
    return;
  }
  for (const auto& loop : sink.loops) loop->SetScript(*script);
  const std::lock_guard lock(sink.script_mutex);
  sink.script = *std::move(script);
  std::cerr << "script read again" << std::endl;
}

void WaitForEnd(Sink& sink, const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) Reload(sink);
}

sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return signals;
}

absl::Status Run(Sink& sink) {
  const sigset_t signals = BlockSignals();
  RETURN_IF_ERROR(SetUp(sink));
  const StatsSources sources{.loops = &sink.loops,
                             .tokens = sink.tokens.get(),
                             .latency = sink.latency.get(),
                             .script = [&sink] {
                               const std::lock_guard lock(sink.script_mutex);
                               return sink.script;
                             }};
  StatsServer stats([&](std::string_view path) -> std::string {
    if (path == "/stats") return StatsJson(sources);
    if (path == "/latency") return LatencyWindowJson(sink.latency.get());
    if (path == "/duplicates") return DuplicatesJson(sink.tokens.get());
    return {};
  });
  std::string ports;
  for (const std::string& address : sink.bound) Append(ports, "listening ", address, "\n");
  if (!sink.options.stats.empty()) {
    ASSIGN_OR_RETURN(const std::string where, stats.Start(sink.options.stats));
    Append(ports, "stats ", where, "\n");
  }
  std::vector<std::thread> threads;
  for (const auto& loop : sink.loops) threads.emplace_back([&loop] { loop->Run(); });
  std::cout << ports << std::flush;
  const absl::Status written = WritePorts(sink.options.ports_file, ports);
  if (written.ok()) WaitForEnd(sink, signals);
  for (const auto& loop : sink.loops) loop->Stop();
  for (std::thread& thread : threads) thread.join();
  std::cout << StatsJson(sources) << std::flush;
  return written;
}

void Describe(CLI::App& app, Options& o) {
  const std::map<std::string, Recording> recordings = {{"none", Recording::kNone},
                                                       {"envelope", Recording::kEnvelope},
                                                       {"digest", Recording::kDigest},
                                                       {"full", Recording::kFull}};
  using Ask = TlsOptions::ClientCertificate;
  const std::map<std::string, Ask> asks = {
      {"none", Ask::kNone}, {"ask", Ask::kAsk}, {"demand", Ask::kDemand}};
  app.add_option("--listen", o.listen,
                 "ADDR:PORT to listen on, any number; port 0 takes a free one")
      ->required();
  app.add_option("--threads", o.threads, "threads, each with its own sockets (SO_REUSEPORT)")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--ports-file", o.ports_file,
                 "file to write 'listening ADDR:PORT' lines to, as on stdout");
  app.add_option("--script", o.script, "YAML rules (README.md), read again on SIGHUP");
  app.add_option("--recording", o.recording,
                 "none: counters only; envelope: a line per transaction; digest: also xxh3-128 of "
                 "the content "
                 "(dots taken off) and of its part from the X-Rig-Token line on; full: also the "
                 "content as files")
      ->transform(CLI::CheckedTransformer(recordings, CLI::ignore_case))
      ->default_str("none");
  app.add_option("--record", o.record,
                 "file that the lines are appended to, at latest after 100 ms");
  app.add_option("--content-dir", o.content_directory,
                 "directory of the files of --recording full");
  app.add_option("--max-files", o.max_files, "files written at most")->capture_default_str();
  app.add_option("--stats", o.stats,
                 "ADDR:PORT or unix socket path of GET /stats, /latency and /duplicates");
  app.add_option("--track-tokens", o.track_tokens,
                 "count how often each (token, recipient) was accepted, for up to so many pairs of "
                 "at most 75 bytes")
      ->capture_default_str();
  app.add_flag("--latency", o.latency,
               "histogram of the time from a token's submit time to the final dot");
  app.add_option("--hostname", o.host_name, "name in banner, EHLO and certificate")
      ->capture_default_str();
  app.add_option("--max-size", o.max_size, "bytes a message may have; 552 above")
      ->capture_default_str();
  app.add_option("--max-connections", o.max_connections, "421 above, over all threads")
      ->capture_default_str();
  app.add_option("--idle-timeout", o.idle, "silence after which a client is sent away")
      ->capture_default_str();
  app.add_option("--seed", o.seed, "of the script's probabilities")->capture_default_str();
  app.add_flag("--no-tls", o.no_tls, "never offer STARTTLS");
  app.add_option("--tls-cert", o.tls.certificate_file,
                 "PEM chain in place of the self-signed certificate");
  app.add_option("--tls-key", o.tls.key_file, "PEM key of --tls-cert");
  app.add_option("--write-cert", o.tls.write_certificate,
                 "file to write the certificate to, for clients to trust");
  app.add_option("--tls-client-cert", o.tls.client_certificate,
                 "whether clients are asked for a certificate")
      ->transform(CLI::CheckedTransformer(asks, CLI::ignore_case))
      ->default_str("none");
}

}  // namespace
}  // namespace sluice::rig

int main(int argc, char** argv) {
  CLI::App app{
      "SMTP server for trials: takes all mail, or answers as a script says; counts, records, "
      "drops.\n"
      "SIGHUP reads the script again; SIGTERM ends, prints the counters and exits 0.\n"
      "Memory is bounded: 256 KB a thread, about 3 KB a connection and what a pause holds back (up "
      "to 256 KB),\n"
      "75 bytes a tracked token; content is digested as it passes and never kept.",
      "sluice-sink"};
  sluice::rig::Sink sink;
  sluice::rig::Describe(app, sink.options);
  CLI11_PARSE(app, argc, argv);
  sluice::PreferThroughput();
  sink.options.tls.host_name = sink.options.host_name;
  const absl::Status status = sluice::rig::Run(sink);
  if (status.ok()) return 0;
  std::cerr << "sluice-sink: " << sluice::View(status.message()) << std::endl;
  return 1;
}
