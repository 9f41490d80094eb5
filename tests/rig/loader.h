// A run of the load generator: what to send next, what became of it, and what to tell. One thread.
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "rig/latency.h"
#include "rig/load_client.h"
#include "rig/load_message.h"
#include "rig/load_plan.h"

namespace sluice::rig {

struct LoadOptions {
  uint64_t messages = 0;  // 0: no such end
  Duration duration{};    // of sending; zero: no such end
  double rate = 0;        // messages a second; 0: as fast as the window allows
  uint64_t frame = 32;    // messages a frame at most
  uint64_t outstanding = 512;
  Duration retry_for = std::chrono::minutes(5);  // then a message is given up
  bool idempotency = true;
  std::string campaign;
  bool no_return_path = false;
  // Streams with their share: message n goes by n modulo the sum of shares.
  std::vector<std::pair<std::string, uint64_t>> streams = {{"transactional", 1}};
  std::string tokens_file;
};

class Loader final : public LoadClient::Owner {
 public:
  Loader(LoadOptions options, MessageMaker maker, const Clock& clock, uint64_t seed);
  ~Loader() override;

  // An error when the tokens file cannot be written.
  absl::Status Open();
  // Sends, retries, waits for all answers. `stop` (counted up by a signal handler) ends the
  // sending, a second time also the waiting. Prints progress to stderr once a second.
  absl::Status Run(LoadClient& client, const volatile sig_atomic_t& stop, bool progress);
  // The result as one line of JSON.
  std::string Summary(const LoadClient& client) const;
  bool all_accepted() const { return rejected_ == 0 && given_up_ == 0 && recipients_refused_ == 0; }

  void NextFrame(std::vector<Pending>& frame) override;
  void Fill(Pending& pending, v1::Submission& submission) override;
  void OnOutcome(const Pending& pending, const v1::SubmitOutcome& outcome) override;
  void OnLost(const Pending& pending) override;
  void OnFatal(const absl::Status& status) override;

 private:
  void OnAccepted(const Pending& pending, const v1::SubmitOutcome& outcome);
  void Retry(const Pending& pending, std::optional<Duration> asked, const absl::Status& why);
  void NoteError(const absl::Status& status);
  void WriteToken(const Pending& pending, const v1::SubmitOutcome& outcome);
  const std::string& StreamOf(uint64_t number) const;
  bool Sending() const;
  void Progress();
  double Seconds() const;

  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct ErrorNote {
    uint64_t count = 0;
    std::string sample;
  };

  const LoadOptions options_;
  const MessageMaker maker_;
  const Clock& clock_;
  uint64_t shares_ = 0;
  std::mt19937_64 random_;
  std::unique_ptr<std::FILE, CloseFile> tokens_;

  SteadyInstant start_{}, last_answer_{}, now_{};
  std::unique_ptr<Pacer> pacer_;
  RetryQueue retries_;
  bool stopped_ = false;
  int64_t cpu_micros_ = 0;  // of Run, all threads
  absl::Status fatal_;

  uint64_t made_ = 0, unanswered_ = 0;  // unanswered: in a frame or waiting for a retry
  uint64_t accepted_ = 0, rejected_ = 0, retried_ = 0, given_up_ = 0, repeated_ = 0;
  uint64_t recipients_accepted_ = 0, recipients_refused_ = 0;
  LatencyHistogram latency_;
  std::map<std::string, ErrorNote> errors_;  // by code: at most as many as there are codes
  SteadyInstant next_progress_{};
  uint64_t accepted_at_progress_ = 0;
  std::string line_;
};

}  // namespace sluice::rig
