// What others make of an address that warms up, at a provider or everywhere: blocklists and the provider's own tools, the health that
// was judged from all mail, and what a refusal led to. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "policy/health.h"

namespace sluice {

// In the order of their weight. Nothing advances under any of them; the graver ones also act, once for each time they begin.
enum class Standing : uint8_t {
  kNone,
  kDoubted,  // Hold: a listing that few ask for, SNDS yellow, health that slows or rests it.
  kRefused,  // A refusal whose rule sends warmup back `stages`, or rests it for `pause`.
  kRed,      // Regress: SNDS red,
  kTrap,     // trap addresses were mailed.
  kListed,   // Suspend: a blocklist that most providers ask, or SNDS says that the address is blocked.
};

struct WarmupOpinion {
  Standing standing = Standing::kNone;
  std::string_view why = {};  // A word of the bounded list in deploy/docs/warmup.md.
  std::string evidence = {};
  Instant since{};
  int stages = 0;
  Duration pause{};
};

// By a poller's word (data/blocklists.yaml; health.yaml names all).
WarmupOpinion OpinionOfWord(std::string_view word, std::string evidence, Instant since);
WarmupOpinion OpinionOfHealth(HealthState state, std::string evidence, Instant since);
// By the shipped reply rule that made a reaction (data/replies.yaml).
WarmupOpinion OpinionOfRefusal(std::string_view rule, std::string evidence, Instant since);

// The graver of two; of the same weight the one that began later.
bool IsGraver(const WarmupOpinion& a, const WarmupOpinion& b);

}  // namespace sluice
