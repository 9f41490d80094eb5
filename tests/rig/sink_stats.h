// What the sink knows, as JSON over a small HTTP server of its own thread. README.md has the
// fields.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "rig/latency.h"
#include "rig/sink_loop.h"
#include "rig/token_ledger.h"

namespace sluice::rig {

// Reads what the loops write; all pointers may be null but `loops`.
struct StatsSources {
  const std::vector<std::unique_ptr<SinkLoop>>* loops = nullptr;
  const TokenLedger* tokens = nullptr;
  const LatencyHistogram* latency = nullptr;
  std::function<std::shared_ptr<const Script>()> script;
};
std::string StatsJson(const StatsSources& sources);
// What `latency` has seen since it was asked last; it begins anew. Empty without one.
std::string LatencyWindowJson(LatencyHistogram* latency);
std::string DuplicatesJson(const TokenLedger* tokens);

// GET by path, one request a connection, one connection at a time, each within a second.
class StatsServer {
 public:
  static constexpr size_t kMaxRequest = 8192;
  // Answers a path with JSON; empty: 404.
  using Answer = std::function<std::string(std::string_view path)>;

  explicit StatsServer(Answer answer) : answer_(std::move(answer)) {}
  ~StatsServer();
  // `where` is ADDR:PORT (port 0: any) or the path of a unix socket. Returns where it listens.
  absl::StatusOr<std::string> Start(const std::string& where);

 private:
  void Serve();
  void ServeOne(int fd) const;

  Answer answer_;
  int listener_ = -1;
  std::string socket_path_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sluice::rig
