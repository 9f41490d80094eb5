// The policy an operator applies, as typed values: the mirror of proto/sluice/v1/policy.proto,
// which is its schema and says what each field means. It says nothing about whether names refer to
// something (policy/check.h) and does not come from text (wire/policy_convert.h makes one of the
// proto). Copied freely; immutable once published.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mail/disposition.h"
#include "mail/limits.h"
#include "mail/rate.h"
#include "mail/reply_rule.h"
#include "mail/tls_mode.h"

namespace sluice {

// Two classes of ready queue; the numbers are those of queue_entry.priority.
enum class Priority : uint8_t { kNormal = 1, kHigh = 2 };
std::string_view ToString(Priority priority);
std::optional<Priority> ParsePriority(std::string_view name);

// How long an address stays suppressed.
struct SuppressionLife {
  bool is_on = true;
  std::optional<Duration> age = {};  // Absent = for ever.
  friend bool operator==(const SuppressionLife&, const SuppressionLife&) = default;
};
struct SuppressionLives {
  SuppressionLife bounce = {}, complaint = {}, unsubscribe = {};
};

struct TenantPolicy {
  std::string name = {};
  std::vector<std::string> streams = {};
  // Lower case; a domain covers its subdomains.
  std::vector<std::string> sender_domains = {};
  std::optional<Rate> rate = {};
  std::optional<int64_t> pending = {};
  SuppressionLives suppress = {};
  // Lower case; empty = return paths are the client's.
  std::string verp_domain = {};
  // Empty = not added.
  std::string token_header = {};
  std::string feedback_sender = {};
};

struct StreamPolicy {
  std::string name = {};
  // Empty = no group.
  std::string isolation = {};
  Priority priority = Priority::kNormal;
  Duration expiry = limits::kDefaultExpiry;
  // Empty = the built-in one (policy/retry_schedule.h).
  std::string retry_schedule = {};
};

struct SourceWarmup {
  std::string plan = {};
  std::optional<std::chrono::sys_days> start = {};
  int stage = 1;
};

struct SourcePolicy {
  std::string name = {};
  std::string address = {};
  // As written or, left out there, the address.
  std::string bind = {};
  std::string ehlo = {};
  std::optional<SourceWarmup> warmup = {};
  // Empty = any egress.
  std::string egress = {};
  // As ParseProxyAddress reads it; empty = this host binds the address.
  std::string proxy = {};

  bool SendsByIpv6() const { return (bind.empty() ? address : bind).find(':') != std::string::npos; }
};

struct PoolMember {
  std::string source = {};
  int weight = 1;
  bool reserve = false;
};

struct PoolPolicy {
  std::string name = {};
  std::vector<PoolMember> members = {};
  std::string overflow = {};
};

// Empty = any.
struct Match {
  std::string tenant = {}, stream = {}, campaign = {}, provider = {}, site = {}, domain = {},
              sender_domain = {};
  // Name and value, in the order of the names.
  std::vector<std::pair<std::string, std::string>> tags = {};
  std::string source = {}, pool = {};
  std::string reply = {}, reply_class = {};
  friend bool operator==(const Match&, const Match&) = default;
};

struct SmartHostPolicy {
  std::string name = {};
  // Names or addresses, in the order to try.
  std::vector<std::string> hosts = {};
  int port = 587;
  std::string user = {}, password_file = {};
  TlsMode tls = TlsMode::kVerified;
  friend bool operator==(const SmartHostPolicy&, const SmartHostPolicy&) = default;
};

struct RouteRule {
  Match match = {};
  std::string pool = {};
  // Empty = the MX hosts.
  std::string smart_host = {};
  friend bool operator==(const RouteRule&, const RouteRule&) = default;
};

enum class Ipv6Mode : uint8_t { kPrefer, kNever };
std::optional<Ipv6Mode> ParseIpv6Mode(std::string_view name);
std::string_view ToString(Ipv6Mode mode);

// Absent = this rule says nothing about it.
struct ShapingRule {
  Match match = {};
  std::optional<int> connections = {}, source_connections = {}, connections_per_address = {};
  std::optional<int> messages_per_connection = {};
  std::optional<Rate> rate = {}, connection_rate = {}, bytes_rate = {};
  std::optional<int> recipients_per_transaction = {};
  std::optional<TlsMode> tls = {};
  std::string retry_schedule = {};
  std::optional<Ipv6Mode> ipv6 = {};
  std::optional<Duration> idle_timeout = {};
  friend bool operator==(const ShapingRule&, const ShapingRule&) = default;
};

enum class SuspendScope : uint8_t { kSource, kTenant, kDomain };
std::optional<SuspendScope> ParseSuspendScope(std::string_view name);
std::string_view ToString(SuspendScope scope);

struct AutomationRule {
  Match match = {};
  std::optional<Rate> when = {};
  std::optional<Duration> suspend = {};
  // 0 = not given.
  double slow_to = 0;
  std::optional<int> connections = {};
  std::optional<int> transcode = {};
  std::optional<Duration> retry_after = {};
  SuspendScope scope = SuspendScope::kSource;
  friend bool operator==(const AutomationRule&, const AutomationRule&) = default;
};

struct RetrySchedule {
  std::string name = {};
  // Before attempt 2, 3, …; the last one repeats. Empty = the built-in waits.
  std::vector<Duration> waits = {};
  std::vector<ReplyClass> reply_classes = {};
};

struct WarmupPlan {
  // Attempts a day per provider, in the order of the names; `*` = the address's total.
  using StageCaps = std::vector<std::pair<std::string, int64_t>>;
  std::string name = {};
  std::vector<StageCaps> stages = {};
};

struct DkimKey {
  std::string domain = {}, selector = {}, key = {}, algorithm = {};
};

// What a rule of health (policy/data/health.yaml) says instead; absent = as shipped.
struct HealthRulePolicy {
  std::string rule = {};
  bool disabled = false;
  std::optional<Duration> over = {}, rest = {}, longest_rest = {}, probe_every = {};
  std::optional<int> least = {}, probes = {};
  std::optional<double> share = {}, slow_to = {};
  friend bool operator==(const HealthRulePolicy&, const HealthRulePolicy&) = default;
};

struct ProviderRule {
  std::string mx_suffix = {}, provider = {};
  friend bool operator==(const ProviderRule&, const ProviderRule&) = default;
};

struct PolicyDocument {
  std::vector<TenantPolicy> tenants = {};
  std::vector<StreamPolicy> streams = {};
  std::vector<SourcePolicy> sources = {};
  std::vector<PoolPolicy> pools = {};
  std::vector<RouteRule> routes = {};
  std::vector<SmartHostPolicy> smart_hosts = {};
  std::vector<ShapingRule> shaping = {};
  std::vector<AutomationRule> automation = {};
  std::vector<RetrySchedule> retry_schedules = {};
  std::vector<WarmupPlan> warmup_plans = {};
  std::vector<DkimKey> dkim_keys = {};
  std::vector<std::string> tag_headers = {};
  Duration event_retention = std::chrono::hours(24 * 30);
  std::vector<ProviderRule> providers = {};
  std::vector<ReplyRule> reply_rules = {};
  std::vector<HealthRulePolicy> health = {};
};

// One thing to say about a policy: where (a path such as `pools[1].members[0].source`), what and
// how to mend it.
struct PolicyFinding {
  std::string path = {};
  std::string description = {};
  // False: a warning, the policy can be applied.
  bool is_error = true;
  friend bool operator==(const PolicyFinding&, const PolicyFinding&) = default;
};

// First with this name, nullptr when there is none.
const TenantPolicy* FindTenant(const PolicyDocument& policy, std::string_view name);
const StreamPolicy* FindStream(const PolicyDocument& policy, std::string_view name);
const SourcePolicy* FindSource(const PolicyDocument& policy, std::string_view name);
const PoolPolicy* FindPool(const PolicyDocument& policy, std::string_view name);
// -1 when there is none.
int PoolIndex(const PolicyDocument& policy, std::string_view name);

// `tenant` may put `domain` (lower case) into From and MAIL FROM: one of its sender domains, or
// below one.
bool MaySendAs(const TenantPolicy& tenant, std::string_view domain);

}  // namespace sluice
