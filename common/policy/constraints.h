// Constraints: everything that holds mail back beyond what the policy says, as rows of one kind (architecture §6). A scope says what
// is held, a value how, a cause who may change it. The effective limit is the minimum over all that cover a piece of mail. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "policy/effective_limits.h"

namespace sluice {

// Who made it, and the only one who may change it.
enum class ConstraintCause : uint8_t { kOperator, kShaping, kAutomation, kAimd, kWarmup, kHealth, kAssignment };
inline constexpr std::array kConstraintCauses = {ConstraintCause::kOperator, ConstraintCause::kShaping, ConstraintCause::kAutomation,
                                                 ConstraintCause::kAimd,     ConstraintCause::kWarmup,  ConstraintCause::kHealth,
                                                 ConstraintCause::kAssignment};
std::string_view ToString(ConstraintCause cause);
std::optional<ConstraintCause> ParseConstraintCause(std::string_view name);

// All fields given must match; none given = all mail, as a restored database holds it (storage/restore_guard.h). `domain` is the
// recipient's. Domains in lower case.
struct Scope {
  std::string source = {}, provider = {}, pool = {}, tenant = {}, stream = {}, campaign = {}, domain = {}, site = {}, sender_domain = {};
  friend bool operator==(const Scope&, const Scope&) = default;
  bool empty() const { return *this == Scope(); }
};
// `source=ip-11 provider=google`.
std::string ToString(const Scope& scope);
// What a match says of sending: all but its tags, reply and reply class.
Scope ScopeOf(const Match& match);

// What is known of a piece of mail that is about to leave; empty = not known or none.
struct SendingFacts {
  std::string_view source = {}, provider = {}, pool = {}, tenant = {}, stream = {}, campaign = {}, domain = {}, site = {}, sender_domain = {};
};
bool Covers(const Scope& scope, const SendingFacts& facts);

// Absent = says nothing about it.
struct ConstraintValue {
  bool suspend = false;
  std::optional<int> connections = {}, messages_per_connection = {};
  std::optional<Rate> rate = {}, connection_rate = {}, bytes_rate = {};
  // Of what would be sent otherwise, 0..1.
  std::optional<double> share = {};
  // With `suspend`: so many attempts go through nevertheless, at each scheduler.
  std::optional<Rate> trickle = {};
  friend bool operator==(const ConstraintValue&, const ConstraintValue&) = default;
};
// `suspend`, `connections=3 rate=10/s share=0.5`: what Parse reads, and a person.
std::string ToString(const ConstraintValue& value);
[[nodiscard]] absl::StatusOr<ConstraintValue> ParseConstraintValue(std::string_view text);

struct Constraint {
  int64_t id = 0;
  Scope scope = {};
  ConstraintCause cause = ConstraintCause::kOperator;
  // Tells rows of one cause and scope apart, such as `automation[3]`; empty where there is one.
  std::string rule = {};
  ConstraintValue value = {};
  // What made it necessary, for people.
  std::string evidence = {};
  Instant since{};
  // Absent = until lifted.
  std::optional<Instant> until = {};
  std::string author = {};
  friend bool operator==(const Constraint&, const Constraint&) = default;
};

inline bool IsInForce(const Constraint& constraint, Instant now) {
  return !constraint.until || *constraint.until > now;
}

// Takes the minimum of `limits` and of what `constraint` says, remembering the constraint where it is the one that counts.
void Tighten(EffectiveLimits& limits, const Constraint& constraint);

// Those that suspend, found by what they name: a lookup costs a probe for each combination of fields in use, however many rows.
// In three kinds, asked where their fields are known: those that a flow decides (tenant, stream, pool, provider, site), those that
// need the entry as well (campaign, domain, sender domain), and those that name a source. Immutable, thread-safe.
class Suspensions {
 public:
  Suspensions() = default;
  explicit Suspensions(std::vector<Constraint> all);

  bool empty() const { return all_.empty(); }
  const std::vector<Constraint>& all() const { return all_; }
  bool has_entry_scopes() const { return !entry_.empty(); }
  bool has_source_scopes() const { return !source_.empty(); }
  // Some scope names a source together with a campaign or (sender) domain.
  bool sources_see_entries() const { return sources_see_entries_; }

  // Passes over a constraint whose trickle lets something through now.
  using IsOpen = absl::FunctionRef<bool(const Constraint&)>;
  // One in force that covers `facts` and is not open, nullptr when there is none. Valid as long as this.
  const Constraint* HoldingFlow(const SendingFacts& facts, Instant now, IsOpen is_open = NeverOpen) const {
    return Find(flow_, facts, now, is_open);
  }
  const Constraint* HoldingEntry(const SendingFacts& facts, Instant now, IsOpen is_open = NeverOpen) const {
    return Find(entry_, facts, now, is_open);
  }
  const Constraint* HoldingSource(const SendingFacts& facts, Instant now, IsOpen is_open = NeverOpen) const {
    return Find(source_, facts, now, is_open);
  }
  // Of any kind.
  const Constraint* Holding(const SendingFacts& facts, Instant now, IsOpen is_open = NeverOpen) const;

  // When the next of them ends after `now`; absent = none ends by itself.
  std::optional<Instant> NextEnd(Instant now) const;

 private:
  // Those that name exactly these fields.
  struct Group {
    uint16_t fields = 0;
    std::unordered_map<uint64_t, std::vector<size_t>> rows;
  };
  static void Add(std::vector<Group>& groups, const Scope& scope, size_t row);
  static bool NeverOpen(const Constraint&) { return false; }
  const Constraint* Find(const std::vector<Group>& groups, const SendingFacts& facts, Instant now, IsOpen is_open) const;

  std::vector<Constraint> all_;
  std::vector<Group> flow_, entry_, source_;
  bool sources_see_entries_ = false;
};

}  // namespace sluice
