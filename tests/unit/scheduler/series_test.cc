// How many series /metrics has, whatever is sent to whomever: the real core with 200,000 domains of 5,000 tenants, and the metrics of
// all three services driven by what it releases. The bounds are those of deploy/docs/metrics.md.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/text.h"
#include "egress/metrics.h"
#include "ingest/ingest_metrics.h"
#include "scheduler/control/health_keeper.h"
#include "scheduler/control/warmup_metrics.h"
#include "scheduler/queue_metrics.h"
#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

constexpr int kDomains = 200'000, kTenants = 5'000, kProviders = 300, kPools = 40, kSources = 2'000, kBatch = 1'000;
constexpr size_t kMostAtIngest = 250, kMostAtScheduler = 6'500, kMostAtEgress = 1'300;
// Beyond these families a scheduler has only single series: some forty.
constexpr size_t kSingle = 40;

std::string Provider(int number) { return Cat("provider-", number); }

PolicyDocument Policy() {
  PolicyDocument policy = CoreRig::Policy();
  policy.streams.clear();
  policy.pools.clear();
  policy.routes.clear();
  for (int i = 0; i < kPools; ++i) {
    policy.streams.push_back({.name = Cat("stream-", i)});
    policy.pools.push_back({.name = Cat("pool-", i), .members = {{.source = "ip-1"}, {.source = "ip-2"}}});
    policy.routes.push_back({.match = {.stream = Cat("stream-", i)}, .pool = Cat("pool-", i)});
  }
  for (int i = 0; i < kTenants; ++i) policy.tenants.push_back({.name = Cat("tenant-", i)});
  for (int i = 0; i < kProviders; ++i) policy.providers.push_back({.mx_suffix = Cat(".p", i, ".test"), .provider = Provider(i)});
  return policy;
}

HandedBatch Batch(CoreRig& rig, int64_t seq, int first) {
  HandedBatch batch = rig.Batch(seq, static_cast<uint32_t>(first + 1), kBatch);
  for (int i = 0; i < kBatch; ++i) {
    const int number = first + i;
    HandedMessage& message = batch.messages[static_cast<size_t>(i)];
    message.tenant = Cat("tenant-", number % kTenants);
    message.stream = Cat("stream-", number / 7 % kPools);
    message.campaign = Cat("campaign-", number);
    message.recipients[0].domain = Cat("d", number, ".p", number % kProviders, ".test");
  }
  return batch;
}

struct Series {
  size_t count = 0;
  std::set<std::string> labels;
};
Series SeriesOf(const telemetry::Metrics& metrics) {
  Series out;
  std::istringstream text(metrics.Text());
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++out.count;
    for (size_t at = line.find_first_of("{,"); at != std::string::npos; at = line.find(',', at + 1)) {
      out.labels.insert(line.substr(at + 1, line.find('=', at) - at - 1));
    }
  }
  return out;
}

TEST(SeriesTest, StayBoundedWithTwoHundredThousandDomainsOfFiveThousandTenants) {
  telemetry::Metrics at_scheduler, at_egress, at_ingest;
  CoreRig rig;
  rig.core.SetPolicy(2, Policy());
  RegisterQueue(at_scheduler, [&] { return rig.core.Snapshot(); }, rig.clock);
  rig.TakeShard();
  for (int first = 0; first < kDomains; first += kBatch) {
    rig.HandOff(Batch(rig, first / kBatch + 1, first));
    rig.Run();
  }
  // A whole lap of the census.
  for (int i = 0; i < 200; ++i) {
    rig.clock.Advance(std::chrono::milliseconds(100));
    rig.core.Turn();
  }
  const QueueDepths depths = rig.core.Snapshot().queue;
  ASSERT_NE(depths, nullptr);
  int64_t counted = 0;
  for (const QueueDepth& depth : *depths) counted += depth.entries;
  EXPECT_EQ(counted, kDomains);

  // What it releases is what egress counts.
  const auto port = rig.Connect();
  rig.Bind();
  egress::EgressMetrics egress_metrics(at_egress);
  egress::AttemptCounters counters;
  int64_t number = 0;
  std::set<std::string> providers;
  for (int round = 0; round < 5; ++round) {
    rig.Run();
    for (const ReleasedEntry& entry : std::exchange(port->released, {})) {
      providers.insert(entry.provider);
      for (const Disposition disposition : {Disposition::kDelivered, Disposition::kDeferred, Disposition::kBounced}) {
        counters.Of(egress_metrics, entry.provider, disposition).Add();
      }
      rig.Report("egress-1", entry, 1, ++number);
    }
  }
  EXPECT_GE(providers.size(), size_t{200}) << "of what it releases";
  for (int c = 0; c <= static_cast<int>(ReplyClass::kOurBug); ++c) {
    egress_metrics.reply_classes.With({ToString(static_cast<ReplyClass>(c))}).Add();
  }
  for (const char* result : {"suspend", "slow", "connections", "transcode", "retry_after", "aimd_down", "aimd_up"}) {
    egress_metrics.reactions.With({result}).Add();
  }
  // More providers than any catalogue has.
  for (int i = 0; i < 5'000; ++i) egress_metrics.attempts.With({Cat("more-", i), "delivered"}).Add();

  WarmupMetrics warmup(at_scheduler);
  HealthMetrics health(at_scheduler);
  for (int source = 0; source < kSources; ++source) {
    for (const std::string& provider : {std::string("*"), Provider(source % kProviders), Provider(source % 7)}) {
      for (auto* family : {&warmup.stage, &warmup.cap, &warmup.used, &warmup.accepted, &health.state}) {
        family->With({Cat("ip-", source), provider}).Set(1);
      }
    }
  }

  ingest::IngestMetrics ingest_metrics(at_ingest);
  for (int code = 0; code <= 16; ++code) {
    const auto status = static_cast<absl::StatusCode>(code);
    ingest_metrics.OnAnswered("submit", {ingest::SubmitError{.code = status, .message = "refused"}}, Duration(1));
    for (const char* method : {"get_message", "cancel", "subscribe"}) ingest_metrics.OnQuery(method, absl::StatusCodeToString(status));
  }

  const std::set<std::string> allowed = {"pool",  "source",      "provider", "stream", "tenant", "disposition", "reply_class",
                                         "stage", "result",      "method",   "code",   "le"};
  const auto check = [&](const char* service, const telemetry::Metrics& metrics, size_t most) {
    const Series series = SeriesOf(metrics);
    RecordProperty(service, static_cast<int>(series.count));
    printf("%s: %zu series\n", service, series.count);
    EXPECT_LE(series.count, most) << service;
    for (const std::string& label : series.labels) EXPECT_TRUE(allowed.contains(label)) << service << ": " << label;
  };
  check("ingest", at_ingest, kMostAtIngest);
  check("scheduler", at_scheduler, kMostAtScheduler - kSingle);
  check("egress", at_egress, kMostAtEgress);
}

}  // namespace
}  // namespace sluice::scheduler
