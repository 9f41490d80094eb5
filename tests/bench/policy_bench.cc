// What a policy at size costs: from its YAML to where it acts in the core, each routing decision, each pick of a source, memory.
//   policy_bench [SOURCES POOLS RULES DOMAINS]     default: 10000 1000 5000 200000
// RULES routes and as many shaping rules. Exit code 1 when a bound is missed: apply 2 s, route 2 µs, pick 1 µs.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/retry_schedule.h"
#include "policy/shaping.h"
#include "scheduler/pools.h"
#include "sluice/v1/policy.pb.h"
#include "unit/scheduler/core_rig.h"
#include "wire/policy_convert.h"
#include "wire/policy_yaml.h"

namespace sluice::scheduler {
namespace {

constexpr double kMostApplySeconds = 2, kMostRouteMicros = 2, kMostPickMicros = 1;
constexpr int kDecisions = 1'000'000;
constexpr int64_t kChunk = 4096;

struct Size {
  int sources = 10'000, pools = 1'000, rules = 5'000, domains = 200'000;
};

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int64_t Allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// Streams 0…49; providers by MX suffix of domains: every tenth domain has one of a hundred.
std::string Stream(int i) { return Cat("stream-", i % 50); }
std::string Provider(int i) { return Cat("provider-", i % 100); }
std::string Domain(int i) { return i % 10 == 0 ? Cat("d", i, ".p", i / 10 % 100, ".test") : Cat("d", i, ".test"); }

// Each kind of rule that there is, many of each; a catch-all at the end.
PolicyDocument PolicyOf(const Size& size) {
  PolicyDocument policy;
  for (int i = 0; i < 50; ++i) policy.streams.push_back({.name = Stream(i)});
  for (int i = 0; i < 100; ++i) policy.providers.push_back({Cat(".p", i, ".test"), Provider(i)});
  for (int i = 0; i < size.sources; ++i) {
    const std::string address = Cat("10.", i / 65'536, ".", i / 256 % 256, ".", i % 256);
    policy.sources.push_back({.name = Cat("ip-", i), .address = address, .bind = address, .ehlo = Cat("mta", i, ".shop.example")});
  }
  const int members = std::max(1, size.sources / size.pools);
  for (int i = 0; i < size.pools; ++i) {
    PoolPolicy pool{.name = Cat("pool-", i), .members = {}, .overflow = {}};
    for (int n = 0; n < members; ++n) pool.members.push_back({.source = Cat("ip-", (i * members + n) % size.sources), .weight = 1 + n % 3});
    policy.pools.push_back(std::move(pool));
  }
  for (int i = 0; i < size.rules; ++i) {
    const std::string pool = Cat("pool-", i % size.pools);
    Match route, shaped;
    switch (i % 5) {
      case 0: route = {.stream = Stream(i / 5), .provider = Provider(i / 250)}; shaped = {.provider = Provider(i), .source = Cat("ip-", i)}; break;
      case 1: route = {.campaign = Cat("campaign-", i)}; shaped = {.provider = Provider(i), .pool = pool}; break;
      case 2: route = {.domain = Domain(i * 7)}; shaped = {.site = Domain(i)}; break;
      case 3: route = {.stream = Stream(i), .sender_domain = Cat("s", i, ".example")}; shaped = {.source = Cat("ip-", i)}; break;
      default: route = {.stream = Stream(i), .domain = Domain(i * 11)}; shaped = {.pool = pool};
    }
    policy.routes.push_back({.match = route, .pool = pool});
    policy.shaping.push_back({.match = shaped, .connections = 1 + i % 20, .rate = Rate{.count = 100, .per = std::chrono::minutes(1)}});
  }
  policy.routes.push_back({.match = {}, .pool = "pool-0"});
  return policy;
}

void Load(CoreRig& rig, const Size& size) {
  rig.TakeShard();
  std::vector<LoadedRow> rows;
  for (int i = 0; i < size.domains; ++i) {
    LoadedRow row;
    row.id = row.message_id = rig.Id(static_cast<uint32_t>(i + 1));
    row.accepted_at = row.due_at = rig.clock.Now();
    row.expires_at = rig.clock.Now() + std::chrono::hours(120);
    row.tenant = Cat("tenant-", i % 50);  // One may keep only some thousands of domains ready.
    row.stream = Stream(i);
    row.domain = Domain(i);
    row.sender_domain = "shop.example";
    rows.push_back(std::move(row));
    if (static_cast<int64_t>(rows.size()) == kChunk) rig.core.OnLoaded(CoreRig::kShard, 1, std::exchange(rows, {}));
  }
  rig.core.OnLoaded(CoreRig::kShard, 1, std::move(rows));
  // Lookups are asked for some at a time.
  for (int idle = 0; idle < 10;) {
    const bool turned = rig.core.Turn();
    idle = rig.AnswerDns() || turned ? 0 : idle + 1;
    if (idle > 0) rig.clock.Advance(std::chrono::milliseconds(100));
  }
}

// The steps of an apply in order, as sluicectl, admin, control and core take them.
struct Apply {
  explicit Apply(const std::string& yaml) {
    v1::Policy read, stored;
    PolicyDocument checked;
    Step("read YAML", [&] { ok = wire::ReadPolicyYaml(yaml, &read).findings.empty(); });
    Step("check", [&] { ok = ok && !wire::HasErrors(wire::ValidatePolicy(read, &checked)); });
    std::string json;
    Step("to JSON", [&] {
      auto text = wire::PolicyToJson(read);
      ok = ok && text.ok();
      json = text.value_or("");
    });
    Step("from JSON", [&] {
      auto parsed = wire::PolicyDocumentFromJson(json);
      ok = ok && parsed.ok();
      if (parsed.ok()) document = *std::move(parsed);
    });
  }
  template <class Do>
  void Step(const char* name, Do step) {
    const double begin = Now();
    step();
    const double took = Now() - begin;
    total += took;
    std::printf("  %-28s %7.3f s\n", name, took);
  }
  bool ok = false;
  double total = 0;
  PolicyDocument document;
};

bool MeasureApply(const Size& size, const PolicyDocument& policy) {
  v1::Policy proto;
  wire::ToProto(policy, &proto);
  const std::string yaml = wire::WritePolicyYaml(proto);
  CoreRig rig;
  Load(rig, size);
  const int64_t flows = rig.core.Snapshot().flows;
  std::printf("apply: %d sources, %d pools, %zu routes, %zu shaping rules (%zu kB of YAML), %d recipient domains with mail waiting (%lld ready flows)\n",
              size.sources, size.pools, policy.routes.size(), policy.shaping.size(), yaml.size() / 1024, size.domains,
              static_cast<long long>(flows));
  Apply apply(yaml);
  const int64_t before = Allocated();
  apply.Step("into force in the core", [&] { rig.core.SetPolicy(2, apply.document); });
  const int64_t in_core = Allocated() - before;
  std::optional<LimitBook> book;
  apply.Step("limits of an egress", [&] { book.emplace(PlacedRules(apply.document), std::vector<Constraint>()); });
  std::printf("apply seconds: %.3f (bound %.0f)\n", apply.total, kMostApplySeconds);
  const double begin = Now();
  int turns = 0;
  double longest = 0;
  for (bool more = true; more; ++turns) {
    const double turn = Now();
    more = rig.core.Turn() || rig.AnswerDns();
    longest = std::max(longest, Now() - turn);
  }
  std::printf("waiting entries filed anew: %.3f s in %d turns, the longest %.1f ms\n", Now() - begin, turns, longest * 1e3);
  std::printf("memory: %.1f MB in the core, %.1f MB with the limits of an egress\n", static_cast<double>(in_core) / 1e6,
              static_cast<double>(Allocated() - before) / 1e6);
  return apply.ok && rig.core.Snapshot().entries == size.domains && apply.total <= kMostApplySeconds;
}

bool Report(const char* what, double seconds, double most) {
  const double micros = seconds * 1e6 / kDecisions;
  std::printf("%s microseconds: %.3f (bound %.0f)\n", what, micros, most);
  return micros <= most;
}

bool MeasureRoutes(const Size& size, const PolicyDocument& policy) {
  const RoutingTable table(policy);
  // Drawn beforehand: only decisions are timed.
  std::vector<std::string> domains, streams, providers, campaigns;
  for (int i = 0; i < size.domains; ++i) domains.push_back(Domain(i));
  for (int i = 0; i < 50; ++i) streams.push_back(Stream(i));
  for (int i = 0; i < 100; ++i) providers.push_back(Provider(i));
  for (int i = 0; i < 1'000; ++i) campaigns.push_back(Cat("campaign-", i * 37));
  int64_t sum = 0;
  const double begin = Now();
  uint32_t at = 12'345;
  for (int i = 0; i < kDecisions; ++i) {
    at = at * 1'664'525U + 1'013'904'223U;
    const std::string& domain = domains[at % domains.size()];
    sum += table.Route({.tenant = "shop",
                        .stream = streams[at / 7 % streams.size()],
                        .campaign = campaigns[at / 11 % campaigns.size()],
                        .provider = providers[at / 13 % providers.size()],
                        .site = domain,
                        .domain = domain,
                        .sender_domain = "shop.example"}).pool_index;
  }
  const double took = Now() - begin;
  return sum > 0 && Report("route", took, kMostRouteMicros);
}

bool MeasurePicks(const Size& size, const PolicyDocument& policy) {
  Fleet fleet;
  Allowances allowances;
  Pools pools(fleet, allowances);
  pools.SetPolicy(policy);
  for (int i = 0; i < 10; ++i) {
    const EgressNumber number = fleet.EgressOf(Cat("egress-", i));
    Egress& egress = fleet.egress(number);
    egress.port = std::make_shared<FakePort>();
    egress.reconciled = true;
    egress.credit_entries = 100'000;
    egress.credit_bytes = 1LL << 40;
  }
  for (int i = 0; i < size.sources; ++i) {
    Source& source = fleet.source(fleet.SourceOf(Cat("ip-", i)));
    source.egress = static_cast<EgressNumber>(i % 10);
    source.bound = true;
    // Some paths are known, as under load.
    for (uint32_t site = 0; site < 10; ++site) fleet.path(fleet.SourceOf(source.name), site * 97).proven = true;
  }
  const auto is_held = [](uint32_t, uint16_t) { return false; };
  const Instant now = SystemClock().Now();
  int64_t picked = 0;
  double took = 0;
  // The first round makes the rotations that there are under load.
  for (const bool warm : {false, true}) {
    const double begin = Now();
    uint32_t at = 1;
    picked = 0;
    for (int i = 0; i < kDecisions; ++i) {
      at = at * 1'664'525U + 1'013'904'223U;
      const uint32_t pool = pools.Number(static_cast<int>(at / 16 % static_cast<uint32_t>(size.pools)));
      const Target target{.provider = at / 32 % 10, .site = at / 64 % 1'000, .tenant = 1, .provider_name = "other", .limit_group = 0};
      picked += pools.Pick(pool, target, kNoSource, now, is_held).source != kNoSource;
    }
    if (warm) took = Now() - begin;
  }
  return picked == kDecisions && Report("pick", took, kMostPickMicros);
}

int Run(int argc, char** argv) {
  Size size;
  int* const fields[] = {&size.sources, &size.pools, &size.rules, &size.domains};
  for (int i = 1; i < argc && i <= 4; ++i) *fields[i - 1] = std::atoi(argv[i]);
  const PolicyDocument policy = PolicyOf(size);
  bool fine = MeasureApply(size, policy);
  fine = MeasureRoutes(size, policy) && fine;
  fine = MeasurePicks(size, policy) && fine;
  return fine ? 0 : 1;
}

}  // namespace
}  // namespace sluice::scheduler

int main(int argc, char** argv) { return sluice::scheduler::Run(argc, argv); }
