#include "policy/constraints.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr std::array<std::pair<ConstraintCause, std::string_view>, 7> kCauses = {{
    {ConstraintCause::kOperator, "operator"},
    {ConstraintCause::kShaping, "shaping"},
    {ConstraintCause::kAutomation, "automation"},
    {ConstraintCause::kAimd, "aimd"},
    {ConstraintCause::kWarmup, "warmup"},
    {ConstraintCause::kHealth, "health"},
    {ConstraintCause::kAssignment, "assignment"},
}};

constexpr size_t kFields = 9;
enum Field : uint8_t { kSource, kProvider, kPool, kTenant, kStream, kCampaign, kDomain, kSite, kSenderDomain };
constexpr std::array<std::string_view, kFields> kFieldNames = {"source", "provider", "pool",   "tenant",
                                                               "stream", "campaign", "domain", "site", "sender_domain"};

template <class From>
std::array<std::string_view, kFields> FieldsOf(const From& f) {
  return {f.source, f.provider, f.pool, f.tenant, f.stream, f.campaign, f.domain, f.site, f.sender_domain};
}

uint64_t Mix(uint64_t seed, std::string_view value) {
  seed ^= std::hash<std::string_view>{}(value) + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
  return seed * 0xff51afd7ed558ccdULL;
}

double PerSecond(const Rate& rate) {
  return static_cast<double>(rate.count) / std::chrono::duration<double>(rate.per).count();
}
bool IsLess(const Rate& a, const Rate& b) { return PerSecond(a) < PerSecond(b); }
template <class T>
bool IsLess(const T& a, const T& b) {
  return a < b;
}

template <class T>
void Lower(Limit<T>& limit, const std::optional<T>& value, const std::string& rule) {
  if (!value || (limit.value && !IsLess(*value, *limit.value))) return;
  limit = {value, rule};
}

absl::StatusOr<int> ParseInt(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return absl::InvalidArgumentError(Cat(Quoted(text), " is not a whole number"));
  }
  return value;
}

absl::StatusOr<double> ParseShare(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) {
    return absl::InvalidArgumentError(Cat(Quoted(text), " is not a share; write 0 to 1"));
  }
  return value;
}

template <class T>
absl::Status Take(absl::StatusOr<T> read, std::optional<T>& out) {
  if (read.ok()) out = *std::move(read);
  return read.status();
}

absl::Status ReadPart(std::string_view part, ConstraintValue& out) {
  if (part == "suspend") {
    out.suspend = true;
    return absl::OkStatus();
  }
  const size_t equals = std::min(part.find('='), part.size());
  const std::string_view name = part.substr(0, equals);
  const std::string_view value = part.substr(std::min(equals + 1, part.size()));
  if (name == "connections") return Take(ParseInt(value), out.connections);
  if (name == "messages_per_connection") return Take(ParseInt(value), out.messages_per_connection);
  if (name == "rate") return Take(ParseRate(value), out.rate);
  if (name == "connection_rate") return Take(ParseRate(value), out.connection_rate);
  if (name == "bytes_rate") return Take(ParseRate(value), out.bytes_rate);
  if (name == "share") return Take(ParseShare(value), out.share);
  if (name == "trickle") return Take(ParseRate(value), out.trickle);
  return absl::InvalidArgumentError(Cat(Quoted(part), " is no value of a constraint; write suspend, connections=3, rate=10/s …"));
}

}  // namespace

std::string_view ToString(ConstraintCause cause) {
  for (const auto& [value, name] : kCauses) {
    if (value == cause) return name;
  }
  return {};
}

std::optional<ConstraintCause> ParseConstraintCause(std::string_view name) {
  for (const auto& [value, known] : kCauses) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string ToString(const Scope& scope) {
  std::string out;
  const auto fields = FieldsOf(scope);
  for (size_t f = 0; f < kFields; ++f) {
    if (!fields[f].empty()) Append(out, out.empty() ? "" : " ", kFieldNames[f], "=", fields[f]);
  }
  return out;
}

Scope ScopeOf(const Match& match) {
  return {.source = match.source,
          .provider = match.provider,
          .pool = match.pool,
          .tenant = match.tenant,
          .stream = match.stream,
          .campaign = match.campaign,
          .domain = match.domain,
          .site = match.site,
          .sender_domain = match.sender_domain};
}

bool Covers(const Scope& scope, const SendingFacts& facts) {
  const auto wanted = FieldsOf(scope);
  const auto given = FieldsOf(facts);
  for (size_t f = 0; f < kFields; ++f) {
    if (!wanted[f].empty() && wanted[f] != given[f]) return false;
  }
  return true;
}

std::string ToString(const ConstraintValue& value) {
  std::string out = value.suspend ? "suspend" : "";
  const auto add = [&](std::string_view name, const std::string& text) {
    Append(out, out.empty() ? "" : " ", name, "=", text);
  };
  if (value.connections) add("connections", Cat(*value.connections));
  if (value.messages_per_connection) add("messages_per_connection", Cat(*value.messages_per_connection));
  if (value.rate) add("rate", ToString(*value.rate));
  if (value.connection_rate) add("connection_rate", ToString(*value.connection_rate));
  if (value.bytes_rate) add("bytes_rate", ToString(*value.bytes_rate));
  if (value.share) add("share", Cat(*value.share));
  if (value.trickle) add("trickle", ToString(*value.trickle));
  return out;
}

absl::StatusOr<ConstraintValue> ParseConstraintValue(std::string_view text) {
  ConstraintValue out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    RETURN_IF_ERROR(ReadPart(text.substr(0, end), out));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (out == ConstraintValue()) return absl::InvalidArgumentError("a constraint without a value holds nothing");
  return out;
}

void Tighten(EffectiveLimits& limits, const Constraint& constraint) {
  const ConstraintValue& value = constraint.value;
  const std::string rule = Cat("constraint ", constraint.id, " (", ToString(constraint.cause), ")");
  Lower(limits.connections, value.connections, rule);
  // 0 is no limit at all.
  if (limits.messages_per_connection.value == 0) limits.messages_per_connection = {};
  if (value.messages_per_connection != 0) Lower(limits.messages_per_connection, value.messages_per_connection, rule);
  Lower(limits.rate, value.rate, rule);
  Lower(limits.connection_rate, value.connection_rate, rule);
  Lower(limits.bytes_rate, value.bytes_rate, rule);
  Lower(limits.share, value.share, rule);
}

Suspensions::Suspensions(std::vector<Constraint> all) {
  for (Constraint& constraint : all) {
    if (!constraint.value.suspend) continue;
    const Scope& scope = constraint.scope;
    const bool sees_entry = !scope.campaign.empty() || !scope.domain.empty() || !scope.sender_domain.empty();
    sources_see_entries_ = sources_see_entries_ || (!scope.source.empty() && sees_entry);
    Add(!scope.source.empty() ? source_ : sees_entry ? entry_ : flow_, scope, all_.size());
    all_.push_back(std::move(constraint));
  }
}

void Suspensions::Add(std::vector<Group>& groups, const Scope& scope, size_t row) {
  const auto fields = FieldsOf(scope);
  uint16_t named = 0;
  uint64_t key = 0;
  for (size_t f = 0; f < kFields; ++f) {
    if (fields[f].empty()) continue;
    named = static_cast<uint16_t>(named | (1U << f));
    key = Mix(key, fields[f]);
  }
  auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.fields == named; });
  if (group == groups.end()) group = groups.insert(groups.end(), Group{named, {}});
  group->rows[key].push_back(row);
}

const Constraint* Suspensions::Find(const std::vector<Group>& groups, const SendingFacts& facts, Instant now,
                                    IsOpen is_open) const {
  if (groups.empty()) return nullptr;
  const auto given = FieldsOf(facts);
  for (const Group& group : groups) {
    uint64_t key = 0;
    for (size_t f = 0; f < kFields; ++f) {
      if ((group.fields >> f & 1U) != 0) key = Mix(key, given[f]);
    }
    const auto found = group.rows.find(key);
    if (found == group.rows.end()) continue;
    for (const size_t row : found->second) {
      if (IsInForce(all_[row], now) && Covers(all_[row].scope, facts) && !is_open(all_[row])) return &all_[row];
    }
  }
  return nullptr;
}

const Constraint* Suspensions::Holding(const SendingFacts& facts, Instant now, IsOpen is_open) const {
  if (const Constraint* flow = HoldingFlow(facts, now, is_open)) return flow;
  if (const Constraint* entry = HoldingEntry(facts, now, is_open)) return entry;
  return HoldingSource(facts, now, is_open);
}

std::optional<Instant> Suspensions::NextEnd(Instant now) const {
  std::optional<Instant> next;
  for (const Constraint& constraint : all_) {
    if (constraint.until && *constraint.until > now && (!next || *constraint.until < *next)) next = constraint.until;
  }
  return next;
}

}  // namespace sluice
