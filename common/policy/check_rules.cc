// The lists of rules: shaping, automation, retries, warmup plans, keys, tags, providers.
#include <re2/re2.h>

#include <algorithm>

#include "mail/domain.h"
#include "policy/check_parts.h"
#include "policy/shared_limit.h"

namespace sluice::check {
namespace {

constexpr int kMostConnections = 100'000;
constexpr size_t kMostWaits = 100;
constexpr Duration kLongestIdle = std::chrono::minutes(10);
constexpr size_t kMostReplyRules = 1'000;
constexpr Duration kLongestWait = std::chrono::hours(24 * 7);

void CheckMatchNames(Findings& findings, const Match& match, const std::string& path) {
  findings.CheckReference(match.tenant, findings.tenants, "tenant", path + ".tenant");
  findings.CheckReference(match.stream, findings.streams, "stream", path + ".stream");
  findings.CheckReference(match.source, findings.sources, "source", path + ".source");
  findings.CheckReference(match.pool, findings.pools, "pool", path + ".pool");
  findings.CheckProvider(match.provider, path + ".provider");
}

// Whose mail it is no connection knows: rates of messages and bytes are all that holds for it, and that for several sources together.
void CheckShapingMatch(Findings& findings, const ShapingRule& rule, const std::string& path) {
  const Match& match = rule.match;
  if (!match.tags.empty()) findings.Error(path + ".match.tags", "is for routes only; match a stream or campaign");
  const bool is_of_mail = IsOfMail(match);
  if (!is_of_mail && match.domain.empty()) return;
  ShapingRule rest = rule;
  rest.match = {};
  rest.rate.reset();
  rest.bytes_rate.reset();
  if ((rule.rate || rule.bytes_rate) && !match.source.empty()) {
    findings.Error(path + ".match.source", "a rate of mail of one kind holds for all sources together; leave the source out");
  }
  if (is_of_mail && rest != ShapingRule()) {
    findings.Error(path + ".match", "a rule for a tenant, stream, campaign or sender domain sets `rate` and `bytes_rate` only: no connection knows whose mail it is");
  }
  rest.tls.reset();
  rest.ipv6.reset();
  rest.retry_schedule.clear();
  if (is_of_mail || rest == ShapingRule()) return;
  findings.Error(path + ".match.domain",
                 "sets rate, bytes_rate, tls, ipv6 and retry_schedule only: other limits belong to a provider or site, which many domains share");
}

void CheckReplyPattern(Findings& findings, const std::string& pattern, const std::string& path) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 compiled(pattern, options);
  if (!compiled.ok()) {
    findings.Error(path, Cat("is not a pattern: ", compiled.error(), "; see the syntax of RE2"));
  }
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != ':';
  });
}

bool IsSelector(const std::string& selector) { return NormaliseDomain(selector).ok(); }

}  // namespace

void CheckShaping(Findings& findings) {
  const auto& rules = findings.policy.shaping;
  for (size_t i = 0; i < rules.size(); ++i) {
    const ShapingRule& rule = rules[i];
    const std::string path = Cat("shaping[", i, "]");
    CheckMatchNames(findings, rule.match, path + ".match");
    if (!rule.match.reply.empty())
      findings.Error(path + ".match.reply", "is for automation only; leave it out");
    findings.CheckBounds(rule.connections, 1, kMostConnections, path + ".connections");
    findings.CheckBounds(rule.source_connections, 1, kMostConnections, path + ".source_connections");
    findings.CheckBounds(rule.connections_per_address, 1, kMostConnections,
                         path + ".connections_per_address");
    if (rule.idle_timeout &&
        (*rule.idle_timeout < std::chrono::seconds(0) || *rule.idle_timeout > kLongestIdle)) {
      findings.Error(path + ".idle_timeout", Cat(ToString(*rule.idle_timeout), " is out of bounds; write 0s to ",
                                                 ToString(kLongestIdle)));
    }
    CheckShapingMatch(findings, rule, path);
    findings.CheckBounds(rule.messages_per_connection, 0, 1'000'000,
                         path + ".messages_per_connection");
    findings.CheckBounds(rule.recipients_per_transaction, 1, 100,
                         path + ".recipients_per_transaction");
    findings.CheckReference(rule.retry_schedule, findings.retry_schedules, "retry schedule",
                            path + ".retry_schedule");
    if (!rule.connections && !rule.messages_per_connection && !rule.recipients_per_transaction &&
        !rule.rate && !rule.connection_rate && !rule.bytes_rate && !rule.tls && !rule.ipv6 &&
        !rule.source_connections && !rule.connections_per_address && !rule.idle_timeout &&
        rule.retry_schedule.empty()) {
      findings.Warn(path, "sets nothing");
    }
  }
}

void CheckAutomation(Findings& findings) {
  const auto& rules = findings.policy.automation;
  for (size_t i = 0; i < rules.size(); ++i) {
    const AutomationRule& rule = rules[i];
    const std::string path = Cat("automation[", i, "]");
    CheckMatchNames(findings, rule.match, path + ".match");
    if (!rule.match.reply.empty())
      CheckReplyPattern(findings, rule.match.reply, path + ".match.reply");
    if (!rule.match.reply_class.empty() && !ParseReplyClass(rule.match.reply_class)) {
      findings.Error(path + ".match.reply_class",
                     "is not a reply class; write one such as throttle or block_ip");
    }
    if (rule.match.reply.empty() && rule.match.reply_class.empty()) {
      findings.Error(path + ".match", "names no reply; give `reply` or `reply_class`");
    }
    if (!(rule.slow_to >= 0 && rule.slow_to <= 1)) {
      findings.Error(path + ".slow_to", "is a share of the present rate; write 0 to 1");
    }
    findings.CheckBounds(rule.connections, 1, kMostConnections, path + ".connections");
    findings.CheckBounds(rule.transcode, 400, 599, path + ".transcode");
    if (!rule.suspend && rule.slow_to == 0 && !rule.connections && !rule.transcode &&
        !rule.retry_after) {
      findings.Error(path,
                     "does nothing; give suspend, slow_to, connections, transcode or retry_after");
    }
  }
}

void CheckRetrySchedules(Findings& findings) {
  const auto& schedules = findings.policy.retry_schedules;
  for (size_t i = 0; i < schedules.size(); ++i) {
    const std::string path = Cat("retry_schedules[", i, "]");
    findings.CheckName(schedules[i].name, path + ".name");
    if (findings.retry_schedules.find(schedules[i].name)->second != static_cast<int>(i)) {
      findings.Error(path + ".name",
                     Cat(Quoted(schedules[i].name), " stands twice; give each its own name"));
    }
    const auto& waits = schedules[i].waits;
    if (waits.empty() || waits.size() > kMostWaits) {
      findings.Error(path + ".waits", Cat("takes 1 to ", kMostWaits, " waits"));
    }
    for (size_t n = 0; n < waits.size(); ++n) {
      if (waits[n] >= std::chrono::seconds(1) && waits[n] <= kLongestWait) continue;
      findings.Error(
          Cat(path, ".waits[", n, "]"),
          Cat(ToString(waits[n]), " is out of bounds; write 1s to ", ToString(kLongestWait)));
    }
  }
}

void CheckWarmupPlans(Findings& findings) {
  const auto& plans = findings.policy.warmup_plans;
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::string path = Cat("warmup_plans[", i, "]");
    findings.CheckName(plans[i].name, path + ".name");
    if (findings.warmup_plans.find(plans[i].name)->second != static_cast<int>(i)) {
      findings.Error(path + ".name",
                     Cat(Quoted(plans[i].name), " stands twice; give each its own name"));
    }
    if (plans[i].stages.empty())
      findings.Error(path + ".stages", "is empty; a plan has at least one stage");
    for (size_t stage = 0; stage < plans[i].stages.size(); ++stage) {
      for (const auto& [provider, cap] : plans[i].stages[stage]) {
        const std::string below = Cat(path, ".stages[", stage, "].caps[\"", provider, "\"]");
        if (provider != "*") findings.CheckProvider(provider, below);
        if (cap >= 0) continue;
        findings.Error(below,
                       "is negative; write 0 or more");
      }
    }
  }
}

void CheckDkimKeys(Findings& findings) {
  const auto& keys = findings.policy.dkim_keys;
  std::set<std::pair<std::string, std::string>> seen;
  for (size_t i = 0; i < keys.size(); ++i) {
    const DkimKey& key = keys[i];
    const std::string path = Cat("dkim_keys[", i, "]");
    findings.CheckDomain(key.domain, path + ".domain");
    if (!IsSelector(key.selector)) {
      findings.Error(path + ".selector",
                     Cat(Quoted(key.selector), " is no DNS label; write one such as s2026"));
    }
    if (key.key.empty() || key.key.find('/') != std::string::npos || key.key.front() == '.') {
      findings.Error(path + ".key",
                     "takes the name of a file in egress's key directory, without a path");
    }
    if (key.algorithm != "rsa-sha256" && key.algorithm != "ed25519-sha256") {
      findings.Error(path + ".algorithm", Cat(Quoted(key.algorithm),
                                              " is not known; write rsa-sha256 or ed25519-sha256"));
    }
    if (!seen.emplace(key.domain, key.selector).second) {
      findings.Error(path, Cat("selector ", Quoted(key.selector), " of ", Quoted(key.domain),
                               " stands twice"));
    }
  }
}

void CheckTagHeaders(Findings& findings) {
  const auto& headers = findings.policy.tag_headers;
  if (headers.size() > limits::kTags) {
    findings.Error("tag_headers",
                   Cat("names ", headers.size(), " headers; at most ", limits::kTags, " are kept"));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < headers.size(); ++i) {
    const std::string path = Cat("tag_headers[", i, "]");
    if (!IsHeaderName(headers[i]))
      findings.Error(path, Cat(Quoted(headers[i]), " is no header name"));
    std::string lower = headers[i];
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!seen.insert(lower).second) findings.Error(path, Cat(Quoted(headers[i]), " stands twice"));
  }
}

void CheckReplyRules(Findings& findings) {
  const auto& rules = findings.policy.reply_rules;
  std::set<std::string_view> seen;
  for (size_t i = 0; i < rules.size(); ++i) {
    const ReplyRule& rule = rules[i];
    const std::string path = Cat("reply_rules[", i, "]");
    findings.CheckName(rule.name, path + ".name");
    for (size_t n = 0; n < rule.providers.size(); ++n) {
      findings.CheckProvider(rule.providers[n], Cat(path, ".providers[", n, "]"));
    }
    if (!seen.insert(rule.name).second)
      findings.Error(path + ".name", Cat(Quoted(rule.name), " stands twice; give each its own name"));
    if (rule.pattern.empty()) {
      findings.Error(path + ".pattern", "is required; write a pattern that the reply contains");
    } else {
      CheckReplyPattern(findings, rule.pattern, path + ".pattern");
    }
    if (rule.reply_class == ReplyClass::kNone || rule.reply_class == ReplyClass::kUnknown)
      findings.Error(path + ".reply_class", "says nothing; write one such as throttle or rcpt_bad");
    if (rule.disposition == Disposition::kDelivered)
      findings.Error(path + ".disposition", "is not for a rule to give; write deferred or bounced");
  }
  if (rules.size() > kMostReplyRules)
    findings.Error("reply_rules", Cat("has ", rules.size(), " rules; at most ", kMostReplyRules, " are tried on a reply"));
}

void CheckTheRest(Findings& findings) {
  const Duration retention = findings.policy.event_retention;
  if (retention < std::chrono::hours(1) || retention > std::chrono::hours(24 * 3'650)) {
    findings.Error("retention.events",
                   Cat(ToString(retention), " is out of bounds; write 1h to 3650d"));
  }
  for (size_t i = 0; i < findings.policy.providers.size(); ++i) {
    const ProviderRule& rule = findings.policy.providers[i];
    const std::string path = Cat("providers[", i, "]");
    findings.CheckName(rule.provider, path + ".provider");
    std::string host = rule.mx_suffix;
    if (!host.empty() && host.front() == '.') host.erase(0, 1);
    // A `*` stands for a label.
    if (const size_t star = host.find('*'); star != std::string::npos) host[star] = 'x';
    findings.CheckDomain(host, path + ".mx_suffix");
  }
}

}  // namespace sluice::check
