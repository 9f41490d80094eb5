// What is done about refusals: the operator's rules first, what is shipped with the reply where none of them acts. Rules count how
// often a reply comes within their interval; what they decide are constraints, to be kept by whoever can. Pure: state, rules, now.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "policy/classification.h"
#include "policy/constraints.h"

namespace sluice {

// An operator's rule and its place in the document, which is its name.
struct PlacedAutomation {
  int index = 0;
  AutomationRule rule = {};
  friend bool operator==(const PlacedAutomation&, const PlacedAutomation&) = default;
};
std::vector<PlacedAutomation> PlacedAutomations(const PolicyDocument& policy);

// One attempt that was refused.
struct Refusal {
  SendingFacts mail = {};  // `site` only where limits are counted for each site.
  std::string_view sender_domain = {};
  std::string_view text = {};   // As MatchText makes it.
  std::string_view reply = {};  // As it came, for people.
  Verdict verdict = {};
};

// A constraint that egress asks for, or one of its own that has ended.
struct Reaction {
  ConstraintCause cause = ConstraintCause::kAutomation;
  Scope scope = {};
  std::string rule = {};
  ConstraintValue value = {};  // Nothing: it has ended.
  std::string evidence = {};
  Instant since{};
  std::optional<Instant> until = {};

  bool has_ended() const { return value == ConstraintValue(); }
};

// Immutable, thread-safe.
class AutomationRules {
 public:
  AutomationRules() : AutomationRules(std::vector<PlacedAutomation>()) {}
  // A pattern that does not compile is left out (CheckPolicy refuses such a policy).
  explicit AutomationRules(std::vector<PlacedAutomation> rules);
  ~AutomationRules();

  // Those that mean it, in the order of the document.
  std::vector<const PlacedAutomation*> Matching(const Refusal& refusal) const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

// Not thread-safe.
class Automation {
 public:
  // Of rules without a `suspend`.
  static constexpr Duration kUsualLife = std::chrono::hours(1);

  struct Outcome {
    // About the message itself: every time.
    std::optional<int> transcode = {};
    std::optional<Duration> retry_after = {};
    std::string rule = {};  // That said so.
    // When it came often enough.
    std::vector<Reaction> reactions = {};
  };
  // `taken`: messages a second that the provider took from the source lately.
  // `counts`: false for further recipients of a transaction that was refused as a whole.
  Outcome OnRefusal(const AutomationRules& rules, const Refusal& refusal, double taken, bool counts, Instant now);
  // Forgets what counts no more.
  void Sweep(Instant now);

 private:
  static constexpr size_t kMostCounted = 10'000;
  struct Count {
    std::deque<Instant> seen;
    Duration per{};
  };
  bool IsOften(const std::string& key, const std::optional<Rate>& when, Instant now);
  void Operator(const PlacedAutomation& placed, const Refusal& refusal, double taken, Instant now, Outcome& out);
  void Shipped(const Refusal& refusal, double taken, Instant now, Outcome& out);

  std::map<std::string, Count> counts_;
  std::map<std::string, Instant> slowed_until_;
};

}  // namespace sluice
