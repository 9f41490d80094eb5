// Which addresses to dial: the configured names are looked up again and again, because a name may
// stand for several schedulers and for others tomorrow. Lookups block, so they have a thread of
// their own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace sluice::egress {

// One address of a scheduler, as gRPC dials it.
struct DialTarget {
  std::string address;      // "127.0.0.1:7101", "[::1]:7101", "unix:/run/x.sock"
  std::string server_name;  // the name in its certificate
  friend auto operator<=>(const DialTarget&, const DialTarget&) = default;
};

// All addresses of one "host:port"; addresses and unix sockets stand for themselves. Empty when the
// lookup fails. Blocks.
std::vector<DialTarget> LookUpTargets(const std::string& name);

class Dialer {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(10);
  using LookUp = std::function<std::vector<DialTarget>(const std::string& name)>;
  // Sorted, each once. A name whose lookup failed keeps its last answer. Runs on the dialer's
  // thread.
  using Tell = std::function<void(std::vector<DialTarget>)>;

  Dialer(std::vector<std::string> names, LookUp look_up, Tell tell);
  ~Dialer();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

 private:
  void Run();

  const std::vector<std::string> names_;
  const LookUp look_up_;
  const Tell tell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::egress
