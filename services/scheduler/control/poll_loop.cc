#include "scheduler/control/poll_loop.h"

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {

PollLoop::PollLoop(Parts parts, std::vector<std::unique_ptr<Poller>> pollers, Rounds::Parts rounds)
    : parts_(std::move(parts)),
      pollers_(std::move(pollers)),
      bad_(parts_.metrics.AddGauge("sluice_reputation_bad_signals_count", "Signals of pollers that say something bad.")),
      failing_(parts_.metrics.AddGauge("sluice_reputation_failing_signals_count", "Signals whose poller gets no answer now.")),
      report_age_(parts_.metrics.AddGauges("sluice_reputation_report_age_seconds",
                                           "Since the last good answer of SNDS (ms-consumer) and of Postmaster Tools (google).",
                                           {telemetry::Label::kProvider})),
      signals_(parts_.store, parts_.clock, parts_.log),
      rounds_(std::move(rounds), {.name = "poll",
                                  .round = [this](const PolicyDocument& policy) { return Round(policy); },
                                  .forget = [this] { Forget(); }}) {}

absl::Status PollLoop::Round(const PolicyDocument& policy) {
  RETURN_IF_ERROR(signals_.Load());
  for (const auto& poller : pollers_) {
    poller->Poll(policy, signals_, parts_.clock.Now());
    // What one has learned does not wait for the next.
    RETURN_IF_ERROR(signals_.Save());
    parts_.health.SetOpinions(signals_.Opinions());
  }
  signals_.KeepOnly([&](const SignalKey& key) {
    for (const auto& poller : pollers_) {
      if (poller->Keeps(policy, key)) return true;
    }
    return false;
  });
  Measure();
  return signals_.Save();
}

void PollLoop::Measure() {
  const auto [bad, failing] = signals_.Counts();
  bad_.Set(bad);
  failing_.Set(failing);
  for (const auto& [provider, age] : signals_.ReportAges()) {
    report_age_.With({provider}).Set(std::chrono::duration_cast<std::chrono::seconds>(age).count());
  }
}

void PollLoop::Forget() {
  bad_.Set(0);
  failing_.Set(0);
  // Whoever holds control measures them.
  for (const auto& [provider, age] : signals_.ReportAges()) report_age_.With({provider}).Set(0);
  signals_.Forget();
}

}  // namespace sluice::scheduler
