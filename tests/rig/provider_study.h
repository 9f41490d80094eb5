// One source against one provider model for a while, in simulated time: what was taken, what was refused, minute by minute. The parts
// under test are those of egress: the windows (policy/rate_window.h), the rate control (policy/aimd.h), the rules' counts
// (policy/automation.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "policy/aimd.h"
#include "policy/automation.h"
#include "policy/rate_window.h"
#include "rig/provider_model.h"

namespace sluice::rig {

enum class Control {
  kAimd,
  kFixedAndSuspension,  // The sender's own speed, and a suspension of an hour at the fifth refusal within an hour.
};

struct StudyMinute {
  double taken = 0, allowed = 0;  // A second; `allowed` at the end of the minute.
};
struct StudyResult {
  int64_t taken = 0, refused = 0;
  std::vector<StudyMinute> minutes;
  // Taken a second from minute `from` on.
  double Settled(size_t from) const {
    double sum = 0;
    for (size_t i = from; i < minutes.size(); ++i) sum += minutes[i].taken;
    return sum / static_cast<double>(minutes.size() - from);
  }
};

// The sender could send three times as fast as the provider takes; it does not know that.
class ProviderStudy {
 public:
  ProviderStudy(uint64_t seed, Control control) : model_(seed), control_(control), own_speed_(3 * model_.rate()) {
    AutomationRule rule;
    rule.match.reply_class = "throttle";
    rule.when = Rate{5, std::chrono::hours(1)};
    rule.suspend = std::chrono::hours(1);
    rules_.emplace(std::vector<PlacedAutomation>{{0, rule}});
    SetRate();
  }
  ProviderModel& model() { return model_; }

  StudyResult Run(Duration lasts) {
    const SteadyInstant end = now_ + lasts;
    SteadyInstant tick = now_, minute = now_ + std::chrono::minutes(1);
    int64_t taken_before = 0;
    while (now_ < end) {
      const SteadyInstant next = std::max(window_.ReadyAt(1, now_), suspended_until_);
      now_ = std::min({next, tick, minute});
      if (!replies_.empty()) now_ = std::min(now_, replies_.top());
      if (!replies_.empty() && replies_.top() <= now_) {
        replies_.pop();
        Hear();
      } else if (now_ >= minute) {
        minute += std::chrono::minutes(1);
        result_.minutes.push_back({static_cast<double>(result_.taken - taken_before) / 60, Allowed()});
        taken_before = result_.taken;
      } else if (now_ >= tick) {
        tick += std::chrono::seconds(1);
        if (control_ == Control::kAimd && aimd_.OnTick(true, std::nullopt, now_)) SetRate();
      } else {
        window_.Take(1, now_);
        replies_.push(now_ + model_.delay());
      }
    }
    return result_;
  }

 private:
  double Allowed() const {
    if (suspended_until_ > now_) return 0;
    return std::min(aimd_.rate().value_or(own_speed_), own_speed_);
  }
  void SetRate() { window_.SetRate(RateOf(Allowed()), now_); }

  void Hear() {
    const bool is_taken = model_.Takes(now_);
    ++(is_taken ? result_.taken : result_.refused);
    if (control_ == Control::kAimd) {
      if (is_taken ? aimd_.OnAccepted(now_) : aimd_.OnThrottled(now_ - model_.delay(), now_)) SetRate();
      return;
    }
    if (is_taken || suspended_until_ > now_) return;
    Refusal refusal;
    refusal.mail = {.source = "ip-1", .provider = "hidden"};
    refusal.verdict.reply_class = ReplyClass::kThrottle;
    const auto outcome = automation_.OnRefusal(*rules_, refusal, 0, true, Instant(now_.time_since_epoch()));
    for (const Reaction& reaction : outcome.reactions) suspended_until_ = SteadyInstant(reaction.until->time_since_epoch());
  }

  ProviderModel model_;
  const Control control_;
  const double own_speed_;
  SteadyInstant now_{Duration(1'000'000'000)}, suspended_until_{};
  RateWindow window_;
  Aimd aimd_;
  Automation automation_;
  std::optional<AutomationRules> rules_;
  std::priority_queue<SteadyInstant, std::vector<SteadyInstant>, std::greater<>> replies_;
  StudyResult result_;
};

}  // namespace sluice::rig
