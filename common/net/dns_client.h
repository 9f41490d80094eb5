// One question, its records: asked of libunbound, joined with the same question under way, cached,
// and answered in bounded time. A thread of ours waits for libunbound's answers and for the time of
// questions that got none; libunbound has a thread of its own that does the asking. One mutex
// guards everything of ours, and no callback is called while it is held.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "net/dns.h"
#include "net/dns_cache.h"
#include "net/dns_records.h"

struct ub_ctx;
struct ub_result;

namespace sluice {

enum class RecordType : int { kA = 1, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28, kTlsa = 52 };

// Thread-safe after Start.
class DnsClient {
 public:
  using Records = std::shared_ptr<const DnsRecords>;
  // `ttl` is what is left of the records' own.
  using Callback = std::function<void(const Records& records, std::chrono::seconds ttl)>;

  // `clock` outlives the client.
  DnsClient(const ResolverOptions& options, const Clock& clock);
  // Answers what is still open with kTempFail, on this thread.
  ~DnsClient();
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  [[nodiscard]] absl::Status Start();
  // `name` is normalised. The callback runs once: before this returns if the answer is at hand,
  // else on the client's thread.
  void Ask(const std::string& name, RecordType type, Callback callback);

 private:
  struct Question {
    DnsClient* client;
    uint64_t id;
    std::string key;
    int async_id;
    std::chrono::steady_clock::time_point until;
    std::vector<Callback> callbacks;
  };

  absl::Status Configure();
  absl::Status SetOption(const char* name, const std::string& value);
  absl::Status SetServers();
  // Null if the callback was taken, to be called later; else the answer to give now.
  Records Submit(const std::string& name, RecordType type, const std::string& key,
                 Callback& callback);
  // Null: asked. Else why not.
  Records AskLibrary(const std::string& name, RecordType type, const std::string& key);
  static void OnAnswer(void* cookie, int error, ub_result* result);
  void Finish(Question& question, const Records& records);
  std::chrono::seconds Keep(const std::string& key, const Records& records);
  void Run();
  void ExpireQuestions();
  int MillisToWait();
  bool is_stopping();

  const ResolverOptions options_;
  const Clock& clock_;
  ub_ctx* context_ = nullptr;
  int wake_fd_ = -1;
  std::thread thread_;

  std::mutex mutex_;
  DnsCache cache_;
  bool is_stopping_ = false;
  uint64_t next_id_ = 1;
  size_t callback_count_ = 0;
  std::map<uint64_t, Question>
      questions_;  // ids grow with time: the first one's time is over first
  std::unordered_map<std::string, Question*> by_key_;
};

}  // namespace sluice
