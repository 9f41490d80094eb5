#include "wire/service_main.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/text.h"
#include "wire/channel.h"
#include "wire/grpc_log.h"
#include "wire/health.h"

namespace sluice::wire {
namespace {

int Fail(std::string_view program, const absl::Status& status) {
  std::cerr << Cat(program, ": ", status.message(), "\n");
  return 1;
}

// For container health checks: 0 when the service at `address` (its health.listen) says that it serves.
int Probe(std::string_view program, const std::string& address) {
  ChannelOptions options;
  options.credentials.plaintext = options.credentials.plaintext_beyond_loopback = true;
  const auto channel = MakeChannel(address, options);
  if (!channel.ok()) return Fail(program, channel.status());
  const absl::StatusOr<bool> serving = IsServing(*channel, std::chrono::seconds(3));
  if (!serving.ok()) return Fail(program, serving.status());
  return *serving ? 0 : Fail(program, absl::UnavailableError(Cat(address, " is not serving")));
}

// Every connection is a file; the soft limit of a shell is far too small.
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::string_view Version() { return SLUICE_VERSION; }

int RunService(int argc, char** argv, std::string_view program, std::string_view description,
               Config& config, const std::function<absl::Status(ShutdownSignal&)>& run) {
  CLI::App app{std::string(description), std::string(program)};
  std::string file;
  app.add_option("--config", file, "YAML file of the keys below")->type_name("FILE");
  std::string probe;
  app.add_option("--probe", probe, "ask the running service at this health.listen how it is; exit 0 when it serves")
      ->type_name("ADDRESS");
  app.set_version_flag("--version", Cat(program, " ", Version()));
  app.footer(Cat("Keys of the configuration (default):\n", config.Help()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version arrive here too, with exit code 0.
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!probe.empty()) return Probe(program, probe);
  // Before any thread, so that all of them block the signals.
  ShutdownSignal shutdown;
  UseLogfmtForGrpc();
  RaiseFileLimit();
  if (const absl::Status loaded = config.Load(file); !loaded.ok()) return Fail(program, loaded);
  const absl::Status ended = run(shutdown);
  return ended.ok() ? 0 : Fail(program, ended);
}

}  // namespace sluice::wire
