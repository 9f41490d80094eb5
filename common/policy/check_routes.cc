// Where mail goes: routes, and the overflow from pool to pool.
#include <algorithm>
#include <map>

#include "policy/check_parts.h"

namespace sluice::check {
namespace {

// A route sees what is stored of an entry; these fields are known later only.
void RefuseLaterFields(Findings& findings, const Match& match, const std::string& path) {
  const auto refuse = [&](const std::string& value, std::string_view field) {
    if (!value.empty())
      findings.Error(Cat(path, ".", field), "is not known when mail is routed; leave it out");
  };
  refuse(match.source, "source");
  refuse(match.pool, "pool");
  refuse(match.reply, "reply");
  refuse(match.reply_class, "reply_class");
}

bool SameWord(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

void CheckTags(Findings& findings, const Match& match, const std::string& path) {
  for (const auto& [name, value] : match.tags) {
    const std::string& tag = name;
    const auto& kept = findings.policy.tag_headers;
    if (std::none_of(kept.begin(), kept.end(),
                     [&](const std::string& header) { return SameWord(header, tag); })) {
      findings.Error(Cat(path, ".tags[\"", tag, "\"]"),
                     Cat("header ", Quoted(tag), " is not kept; add it to tag_headers"));
    }
  }
}

// Nothing but the stream decides.
bool TakesAllOf(const RouteRule& route, std::string_view stream) {
  Match match = route.match;
  if (!match.stream.empty() && match.stream != stream) return false;
  match.stream.clear();
  return match == Match();
}

void CheckCoverage(Findings& findings) {
  const PolicyDocument& policy = findings.policy;
  for (size_t i = 0; i < policy.streams.size(); ++i) {
    const std::string& stream = policy.streams[i].name;
    bool some = false, all = false;
    for (const RouteRule& route : policy.routes) {
      some = some || route.match.stream.empty() || route.match.stream == stream;
      all = all || TakesAllOf(route, stream);
    }
    if (all) continue;
    findings.Warn(
        Cat("streams[", i, "].name"),
        Cat(some ? "mail that fits none of its routes waits" : "no route takes it: its mail waits",
            "; add `- {match: {stream: ", stream, "}, pool: …}` as the last one"));
  }
}

// Groups of streams that routes send straight into each pool, and those that arrive by overflow.
struct PoolGroups {
  std::set<std::string> direct, overflowed;
};

std::map<std::string, PoolGroups> GroupsByPool(const Findings& findings) {
  std::map<std::string, PoolGroups> out;
  for (const RouteRule& route : findings.policy.routes) {
    for (const StreamPolicy& stream : findings.policy.streams) {
      if (stream.isolation.empty()) continue;
      if (route.match.stream.empty() || route.match.stream == stream.name) {
        out[route.pool].direct.insert(stream.isolation);
      }
    }
  }
  for (const PoolPolicy& pool : findings.policy.pools) {
    const PoolPolicy* at = &pool;
    // At most as many steps as pools: a circle is reported elsewhere.
    for (size_t step = 0; step < findings.policy.pools.size() && !at->overflow.empty(); ++step) {
      const auto next = findings.pools.find(at->overflow);
      if (next == findings.pools.end()) break;
      at = &findings.policy.pools[static_cast<size_t>(next->second)];
      const std::set<std::string>& from = out[pool.name].direct;
      out[at->name].overflowed.insert(from.begin(), from.end());
    }
  }
  return out;
}

void CheckIsolation(Findings& findings) {
  const auto groups = GroupsByPool(findings);
  for (size_t i = 0; i < findings.policy.pools.size(); ++i) {
    const std::string& overflow = findings.policy.pools[i].overflow;
    const auto from = groups.find(findings.policy.pools[i].name);
    const auto to = groups.find(overflow);
    if (overflow.empty() || from == groups.end() || to == groups.end()) continue;
    std::set<std::string> arriving = from->second.direct;
    arriving.insert(from->second.overflowed.begin(), from->second.overflowed.end());
    std::set<std::string> there = to->second.direct;
    there.insert(to->second.overflowed.begin(), to->second.overflowed.end());
    for (const std::string& group : arriving) {
      // A route that names the pool for this group is a decision; overflow alone is not.
      if (to->second.direct.contains(group) || there.size() < 2) continue;
      findings.Error(Cat("pools[", i, "].overflow"),
                     Cat("streams of isolation group ", Quoted(group), " would share pool ",
                         Quoted(overflow), " with another group; choose a pool of their own"));
      break;
    }
  }
}

}  // namespace

void CheckRoutes(Findings& findings) {
  const PolicyDocument& policy = findings.policy;
  std::map<std::string, size_t> catch_all;
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    const RouteRule& route = policy.routes[i];
    const std::string path = Cat("routes[", i, "]");
    if (route.pool.empty()) findings.Error(path + ".pool", "is required; name one of pools");
    findings.CheckReference(route.pool, findings.pools, "pool", path + ".pool");
    findings.CheckReference(route.smart_host, findings.smart_hosts, "smart host",
                            path + ".smart_host");
    findings.CheckReference(route.match.stream, findings.streams, "stream", path + ".match.stream");
    findings.CheckReference(route.match.tenant, findings.tenants, "tenant", path + ".match.tenant");
    findings.CheckProvider(route.match.provider, path + ".match.provider");
    RefuseLaterFields(findings, route.match, path + ".match");
    CheckTags(findings, route.match, path + ".match");
    for (const std::string& taken : {route.match.stream, std::string()}) {
      const auto earlier = catch_all.find(taken);
      if (earlier == catch_all.end()) continue;
      findings.Warn(
          path, Cat("is never reached: routes[", earlier->second, "] takes all of it; move it up"));
      break;
    }
    if (TakesAllOf(route, route.match.stream)) catch_all.emplace(route.match.stream, i);
  }
  if (!policy.streams.empty()) CheckCoverage(findings);
}

void CheckSmartHosts(Findings& findings) {
  const std::vector<SmartHostPolicy>& hosts = findings.policy.smart_hosts;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const SmartHostPolicy& host = hosts[i];
    const std::string path = Cat("smart_hosts[", i, "]");
    findings.CheckName(host.name, path + ".name");
    if (findings.smart_hosts.find(host.name)->second != static_cast<int>(i)) {
      findings.Error(path + ".name", Cat(Quoted(host.name), " stands twice; give each its own"));
    }
    if (host.hosts.empty()) {
      findings.Error(path + ".hosts", "is empty; name at least one host or address");
    }
    findings.CheckBounds(host.port, 1, 65535, path + ".port");
    if (host.user.empty() != host.password_file.empty()) {
      findings.Error(path + (host.user.empty() ? ".user" : ".password_file"),
                     "is required; credentials are a user and a password file");
    }
    if (host.password_file.find('/') != std::string::npos || host.password_file.starts_with('.')) {
      findings.Error(path + ".password_file",
                     "takes the name of a file in egress's secret directory, without a path");
    }
    if (!host.user.empty() && host.tls < TlsMode::kRequired) {
      findings.Error(path + ".tls", "credentials go over TLS only; write required or verified");
    }
  }
}

void CheckOverflow(Findings& findings) {
  const std::vector<PoolPolicy>& pools = findings.policy.pools;
  bool sound = true;
  for (size_t i = 0; i < pools.size(); ++i) {
    const std::string path = Cat("pools[", i, "].overflow");
    findings.CheckReference(pools[i].overflow, findings.pools, "pool", path);
    std::string way = pools[i].name;
    const PoolPolicy* at = &pools[i];
    for (size_t step = 0; step <= pools.size() && !at->overflow.empty(); ++step) {
      const auto next = findings.pools.find(at->overflow);
      if (next == findings.pools.end()) break;
      at = &pools[static_cast<size_t>(next->second)];
      if (step < 8) Append(way, " → ", at->name);
      if (at != &pools[i]) continue;
      findings.Error(path, Cat("goes in a circle: ", way, "; let one of them wait instead"));
      sound = false;
      break;
    }
  }
  if (sound) CheckIsolation(findings);
}

}  // namespace sluice::check
