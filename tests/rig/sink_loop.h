// One thread of the sink: its listening sockets, its connections, its timers, on one epoll.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "rig/address.h"
#include "rig/connection.h"
#include "rig/counters.h"

namespace sluice::rig {

struct LoopOptions {
  uint64_t max_connections = 10'000;  // of this loop; more are answered 421
  Duration idle_timeout = std::chrono::minutes(5);
};

class SinkLoop {
 public:
  // One read takes at most this much; connections share the buffer.
  static constexpr size_t kScratchBytes = 256 * 1024;
  static constexpr Duration kTick = std::chrono::milliseconds(50);

  // `context.log`, `tokens`, `latency` and `tls` (null: no STARTTLS) outlive the loop.
  SinkLoop(LoopOptions options, SessionContext context, const Clock& clock, SSL_CTX* tls);
  ~SinkLoop();

  // Before Run only. Owns `fd`.
  void AddListener(int fd);
  // Returns after Stop; then all connections are closed and the log is written.
  void Run();
  // These from any thread.
  void Stop();
  void SetScript(std::shared_ptr<const Script> script);
  const SourceTable& sources() const { return sources_; }
  uint64_t open_connections() const { return open_.load(std::memory_order_relaxed); }
  uint64_t most_open_connections() const { return most_open_.load(std::memory_order_relaxed); }
  uint64_t lines_lost() const { return lines_lost_.load(std::memory_order_relaxed); }

 private:
  struct Due {
    SteadyInstant at;
    uint64_t id;
    friend bool operator>(const Due& a, const Due& b) { return a.at > b.at; }
  };

  void Accept(int listener);
  void Open(int fd, const SocketAddress& source);
  void OnEvent(uint64_t id, uint32_t events);
  void Tended(uint64_t id, Connection& connection, Connection::Alive alive);
  void RunTimers();
  void Tick();
  int WaitMilliseconds() const;
  void Register(uint64_t id, Connection& connection);
  void TakeScript();

  const LoopOptions options_;
  SessionContext context_;
  const Clock& clock_;
  SSL_CTX* const tls_;
  int epoll_ = -1;
  int wake_ = -1;
  std::vector<int> listeners_;
  bool listeners_muted_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> open_{0}, most_open_{0};
  std::atomic<uint64_t> lines_lost_{0};
  std::mutex script_mutex_;
  std::shared_ptr<const Script> next_script_;
  SourceTable sources_;
  std::vector<char> scratch_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timers_;
  uint64_t next_id_;
  SteadyInstant steady_{};
  SteadyInstant next_tick_{};
  SteadyInstant next_idle_scan_{};
};

}  // namespace sluice::rig
