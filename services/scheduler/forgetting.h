// How names are forgotten that no entry refers to any more (campaigns, sender domains, tags, recipient domains): clients make ever
// new ones. An entry that ends tells nobody, as that would cost each entry something. Instead, when many more names are known than
// entries can use, a walk over the index marks what entries refer to, as whoever numbers a name does meanwhile; what is not marked
// when it has passed is forgotten, and its number and room are used again. All in small steps between turns.
//
//   kNot ──too many──▶ kMark (index) ──▶ kFacts ──▶ kTexts ──▶ kDomains ──▶ kNot
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::scheduler {

struct Forgetting {
  enum class Step : uint8_t { kNot, kMark, kFacts, kTexts, kDomains };
  Step step = Step::kNot;
  size_t at = 0;  // Of the step.
};

}  // namespace sluice::scheduler
