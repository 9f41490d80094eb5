#include "wire/policy_convert.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "mail/domain.h"
#include "sluice/v1/policy.pb.h"

namespace sluice::wire {
namespace {

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& from) {
  return {from.begin(), from.end()};
}

std::string CanonicalDomain(const std::string& domain) {
  auto normal = NormaliseDomain(domain);
  return normal.ok() ? *std::move(normal) : domain;
}

std::string CanonicalAddress(const std::string& address) {
  unsigned char bytes[16];
  char text[INET6_ADDRSTRLEN];
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, address.c_str(), bytes) == 1 &&
        inet_ntop(family, bytes, text, sizeof(text)) != nullptr) {
      return text;
    }
  }
  return address;
}

template <class Number>
bool ParseDigits(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// YYYY-MM-DD.
std::optional<std::chrono::sys_days> ParseDate(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' ||
      !ParseDigits(text.substr(0, 4), year) || !ParseDigits(text.substr(5, 2), month) ||
      !ParseDigits(text.substr(8, 2), day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

// Each method reads one part of the document and notes what it could not read.
class Converter {
 public:
  explicit Converter(std::vector<PolicyFinding>& findings) : findings_(findings) {}

  TenantPolicy Convert(const v1::Tenant& from, const std::string& path) {
    TenantPolicy out{.name = from.name(), .streams = Strings(from.streams()), .sender_domains = {}};
    for (const std::string& domain : from.sender_domains()) {
      out.sender_domains.push_back(CanonicalDomain(domain));
    }
    out.rate = ReadRate(from.rate(), path + ".rate");
    if (!from.pending().empty()) Read(ParseCount(from.pending()), path + ".pending", out.pending);
    out.suppress = {.bounce = ReadLife(from.suppress().bounce(), path + ".suppress.bounce"),
                    .complaint = ReadLife(from.suppress().complaint(), path + ".suppress.complaint"),
                    .unsubscribe =
                        ReadLife(from.suppress().unsubscribe(), path + ".suppress.unsubscribe")};
    out.verp_domain = CanonicalDomain(from.verp_domain());
    out.token_header = from.token_header();
    out.feedback_sender = from.feedback_sender();
    return out;
  }

  SuppressionLife ReadLife(const std::string& text, const std::string& path) {
    if (text.empty() || text == "forever") return {};
    if (text == "off") return {.is_on = false};
    return {.age = ReadDuration(text, path)};
  }

  StreamPolicy Convert(const v1::Stream& from, const std::string& path) {
    StreamPolicy out{.name = from.name(),
                     .isolation = from.isolation(),
                     .retry_schedule = from.retry_schedule()};
    if (!from.priority().empty()) {
      out.priority = ReadName(ParsePriority(from.priority()), path + ".priority", "normal or high")
                         .value_or(out.priority);
    }
    out.expiry = ReadDuration(from.expiry(), path + ".expiry").value_or(out.expiry);
    return out;
  }

  SourcePolicy Convert(const v1::Source& from, const std::string& path) {
    SourcePolicy out{.name = from.name(), .address = CanonicalAddress(from.address())};
    out.bind = from.bind().empty() ? out.address : CanonicalAddress(from.bind());
    out.ehlo = CanonicalDomain(from.ehlo());
    out.egress = from.egress();
    out.proxy = from.proxy();
    if (from.has_warmup()) {
      const v1::SourceWarmup& warmup = from.warmup();
      out.warmup = SourceWarmup{
          .plan = warmup.plan(), .start = {}, .stage = warmup.stage() == 0 ? 1 : warmup.stage()};
      if (!warmup.start().empty()) {
        out.warmup->start = ParseDate(warmup.start());
        if (!out.warmup->start) {
          Refuse(path + ".warmup.start",
                 Cat(Quoted(warmup.start()), " is not a date; write YYYY-MM-DD"));
        }
      }
    }
    return out;
  }

  PoolPolicy Convert(const v1::Pool& from, const std::string&) {
    PoolPolicy out{.name = from.name(), .members = {}, .overflow = from.overflow()};
    for (const v1::PoolMember& member : from.members()) {
      out.members.push_back(
          {member.source(), member.has_weight() ? member.weight() : 1, member.reserve()});
    }
    return out;
  }

  RouteRule Convert(const v1::Route& from, const std::string&) {
    return {
        .match = FromProto(from.match()), .pool = from.pool(), .smart_host = from.smart_host()};
  }

  SmartHostPolicy Convert(const v1::SmartHost& from, const std::string& path) {
    SmartHostPolicy out{.name = from.name(), .hosts = Strings(from.hosts())};
    if (from.port() != 0) out.port = from.port();
    out.user = from.user();
    out.password_file = from.password_file();
    if (!from.tls().empty()) {
      out.tls = ReadName(ParseTlsMode(from.tls()), path + ".tls",
                         "off, opportunistic, required or verified")
                    .value_or(out.tls);
    }
    return out;
  }

  ShapingRule Convert(const v1::ShapingRule& from, const std::string& path) {
    ShapingRule out;
    out.match = FromProto(from.match());
    if (from.has_connections()) out.connections = from.connections();
    if (from.has_source_connections()) out.source_connections = from.source_connections();
    if (from.has_connections_per_address())
      out.connections_per_address = from.connections_per_address();
    out.idle_timeout = ReadDuration(from.idle_timeout(), path + ".idle_timeout");
    if (from.has_messages_per_connection())
      out.messages_per_connection = from.messages_per_connection();
    if (from.has_recipients_per_transaction()) {
      out.recipients_per_transaction = from.recipients_per_transaction();
    }
    out.rate = ReadRate(from.rate(), path + ".rate");
    out.connection_rate = ReadRate(from.connection_rate(), path + ".connection_rate");
    out.bytes_rate = ReadRate(from.bytes_rate(), path + ".bytes_rate");
    if (!from.tls().empty()) {
      out.tls = ReadName(ParseTlsMode(from.tls()), path + ".tls",
                         "off, opportunistic, required or verified");
    }
    if (!from.ipv6().empty())
      out.ipv6 = ReadName(ParseIpv6Mode(from.ipv6()), path + ".ipv6", "prefer or never");
    out.retry_schedule = from.retry_schedule();
    return out;
  }

  AutomationRule Convert(const v1::AutomationRule& from, const std::string& path) {
    AutomationRule out;
    out.match = FromProto(from.match());
    out.when = ReadRate(from.when(), path + ".when");
    out.suspend = ReadDuration(from.suspend(), path + ".suspend");
    out.slow_to = from.slow_to();
    if (from.has_connections()) out.connections = from.connections();
    if (from.has_transcode()) out.transcode = from.transcode();
    out.retry_after = ReadDuration(from.retry_after(), path + ".retry_after");
    if (!from.scope().empty()) {
      out.scope =
          ReadName(ParseSuspendScope(from.scope()), path + ".scope", "source, tenant or domain")
              .value_or(out.scope);
    }
    return out;
  }

  RetrySchedule Convert(const v1::RetrySchedule& from, const std::string& path) {
    RetrySchedule out{.name = from.name(), .waits = {}, .reply_classes = {}};
    for (int i = 0; i < from.waits_size(); ++i) {
      const auto wait = ReadDuration(from.waits(i), Cat(path, ".waits[", i, "]"));
      if (wait) out.waits.push_back(*wait);
    }
    for (int i = 0; i < from.reply_classes_size(); ++i) {
      const auto reply_class =
          ReadName(ParseReplyClass(from.reply_classes(i)), Cat(path, ".reply_classes[", i, "]"),
                   "a reply class such as throttle, greylist or rcpt_quota");
      if (reply_class) out.reply_classes.push_back(*reply_class);
    }
    return out;
  }

  WarmupPlan Convert(const v1::WarmupPlan& from, const std::string&) {
    WarmupPlan out{.name = from.name(), .stages = {}};
    for (const auto& stage : from.stages()) {
      out.stages.emplace_back(stage.caps().begin(), stage.caps().end());
      std::sort(out.stages.back().begin(), out.stages.back().end());
    }
    return out;
  }

  DkimKey Convert(const v1::DkimKey& from, const std::string&) {
    return {CanonicalDomain(from.domain()), from.selector(), from.key(), from.algorithm()};
  }

  HealthRulePolicy Convert(const v1::HealthRule& from, const std::string& path) {
    HealthRulePolicy out{.rule = from.rule(), .disabled = from.disabled()};
    out.over = ReadDuration(from.over(), path + ".over");
    out.rest = ReadDuration(from.rest(), path + ".rest");
    out.longest_rest = ReadDuration(from.longest_rest(), path + ".longest_rest");
    out.probe_every = ReadDuration(from.probe_every(), path + ".probe_every");
    if (from.has_least()) out.least = from.least();
    if (from.has_probes()) out.probes = from.probes();
    if (from.has_share()) out.share = from.share();
    if (from.has_slow_to()) out.slow_to = from.slow_to();
    return out;
  }

  ProviderRule Convert(const v1::ProviderRule& from, const std::string&) {
    return {from.mx_suffix(), from.provider()};
  }

  ReplyRule Convert(const v1::ReplyRule& from, const std::string& path) {
    ReplyRule out{.name = from.name(), .providers = Strings(from.providers()), .pattern = from.pattern()};
    ReadCodes(from.code(), path + ".code", out);
    for (int i = 0; i < from.stages_size(); ++i) {
      const auto stage = ReadName(ParseStage(from.stages(i)), Cat(path, ".stages[", i, "]"),
                                  "a stage such as mail, rcpt or body");
      if (stage) out.stages.push_back(*stage);
    }
    out.reply_class = ReadName(ParseReplyClass(from.reply_class()), path + ".reply_class",
                               "a reply class such as throttle, greylist or rcpt_bad")
                          .value_or(out.reply_class);
    if (!from.scope().empty()) {
      out.scope = ReadName(ParseReplyScope(from.scope()), path + ".scope",
                           "a scope such as source_provider, recipient or message");
    }
    if (!from.disposition().empty()) {
      out.disposition = ReadName(ParseDisposition(from.disposition()), path + ".disposition",
                                 "deferred or bounced");
    }
    return out;
  }

  template <class From, class To>
  void ConvertAll(const google::protobuf::RepeatedPtrField<From>& from, std::string_view name,
                  std::vector<To>& out) {
    out.reserve(static_cast<size_t>(from.size()));
    for (int i = 0; i < from.size(); ++i) out.push_back(Convert(from[i], Cat(name, "[", i, "]")));
  }

  std::optional<Duration> ReadDuration(const std::string& text, const std::string& path) {
    std::optional<Duration> out;
    if (!text.empty()) Read(ParseDuration(text), path, out);
    return out;
  }

 private:
  // `4xx`, `5xx` or a code.
  void ReadCodes(const std::string& text, const std::string& path, ReplyRule& out) {
    if (text.empty()) return;
    const bool is_class = text == "4xx" || text == "5xx";
    int code = 0;
    if (!is_class && (text.size() != 3 || !ParseDigits(text, code) || code < 400 || code > 599)) {
      return Refuse(path, Cat(Quoted(text), " is no code of a refusal; write 4xx, 5xx or one such as 550"));
    }
    out.code_from = is_class ? (text[0] - '0') * 100 : code;
    out.code_to = is_class ? out.code_from + 99 : code;
  }

  void Refuse(std::string path, std::string description) {
    findings_.push_back({std::move(path), std::move(description)});
  }

  template <class T>
  void Read(const absl::StatusOr<T>& value, const std::string& path, std::optional<T>& out) {
    if (value.ok()) {
      out = *value;
    } else {
      Refuse(path, Cat(value.status().message()));
    }
  }

  std::optional<Rate> ReadRate(const std::string& text, const std::string& path) {
    std::optional<Rate> out;
    if (!text.empty()) Read(ParseRate(text), path, out);
    return out;
  }

  template <class T>
  std::optional<T> ReadName(std::optional<T> value, const std::string& path,
                            std::string_view known) {
    if (!value) Refuse(path, Cat("is not a known word; write ", known));
    return value;
  }

  std::vector<PolicyFinding>& findings_;
};

}  // namespace

ReplyRule FromProto(const v1::ReplyRule& from) {
  std::vector<PolicyFinding> none;
  return Converter(none).Convert(from, "");
}

Match FromProto(const v1::Match& from) {
  Match out{.tenant = from.tenant(),
            .stream = from.stream(),
            .campaign = from.campaign(),
            .provider = from.provider(),
            .site = from.site(),
            .domain = from.domain().empty() ? std::string() : CanonicalDomain(from.domain()),
            .sender_domain = from.sender_domain().empty() ? std::string()
                                                          : CanonicalDomain(from.sender_domain()),
            .tags = {from.tags().begin(), from.tags().end()},
            .source = from.source(),
            .pool = from.pool(),
            .reply = from.reply(),
            .reply_class = from.reply_class()};
  std::sort(out.tags.begin(), out.tags.end());
  return out;
}

std::vector<PolicyFinding> FromProto(const v1::ShapingRule& from, ShapingRule* out) {
  std::vector<PolicyFinding> findings;
  *out = Converter(findings).Convert(from, "rule");
  return findings;
}

std::vector<PolicyFinding> FromProto(const v1::AutomationRule& from, AutomationRule* out) {
  std::vector<PolicyFinding> findings;
  *out = Converter(findings).Convert(from, "rule");
  return findings;
}

std::vector<PolicyFinding> FromProto(const v1::Policy& from, PolicyDocument* out) {
  *out = {};
  std::vector<PolicyFinding> findings;
  Converter converter(findings);
  converter.ConvertAll(from.tenants(), "tenants", out->tenants);
  converter.ConvertAll(from.streams(), "streams", out->streams);
  converter.ConvertAll(from.sources(), "sources", out->sources);
  converter.ConvertAll(from.pools(), "pools", out->pools);
  converter.ConvertAll(from.routes(), "routes", out->routes);
  converter.ConvertAll(from.smart_hosts(), "smart_hosts", out->smart_hosts);
  converter.ConvertAll(from.shaping(), "shaping", out->shaping);
  converter.ConvertAll(from.automation(), "automation", out->automation);
  converter.ConvertAll(from.retry_schedules(), "retry_schedules", out->retry_schedules);
  converter.ConvertAll(from.warmup_plans(), "warmup_plans", out->warmup_plans);
  converter.ConvertAll(from.dkim_keys(), "dkim_keys", out->dkim_keys);
  converter.ConvertAll(from.providers(), "providers", out->providers);
  converter.ConvertAll(from.reply_rules(), "reply_rules", out->reply_rules);
  converter.ConvertAll(from.health(), "health", out->health);
  out->tag_headers = Strings(from.tag_headers());
  out->event_retention = converter.ReadDuration(from.retention().events(), "retention.events")
                             .value_or(out->event_retention);
  return findings;
}

}  // namespace sluice::wire
