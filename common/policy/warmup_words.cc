// Names of phases and decisions, as stored and shown.
#include "policy/warmup.h"

namespace sluice {

std::string_view ToString(WarmupPhase phase) {
  switch (phase) {
    case WarmupPhase::kCold:
      return "cold";
    case WarmupPhase::kWarming:
      return "warming";
    case WarmupPhase::kWarm:
      return "warm";
    case WarmupPhase::kRewarming:
      return "re-warming";
  }
  return "";
}

std::optional<WarmupPhase> ParseWarmupPhase(std::string_view name) {
  for (const WarmupPhase phase : {WarmupPhase::kCold, WarmupPhase::kWarming, WarmupPhase::kWarm, WarmupPhase::kRewarming}) {
    if (ToString(phase) == name) return phase;
  }
  return std::nullopt;
}

std::string_view ToString(WarmupDecision decision) {
  switch (decision) {
    case WarmupDecision::kNone:
      return "none";
    case WarmupDecision::kStart:
      return "start";
    case WarmupDecision::kAdvance:
      return "advance";
    case WarmupDecision::kHold:
      return "hold";
    case WarmupDecision::kRegress:
      return "regress";
    case WarmupDecision::kSuspend:
      return "suspend";
    case WarmupDecision::kResume:
      return "resume";
    case WarmupDecision::kSlow:
      return "slow";
    case WarmupDecision::kDecay:
      return "decay";
    case WarmupDecision::kGuard:
      return "guard";
  }
  return "";
}

}  // namespace sluice
