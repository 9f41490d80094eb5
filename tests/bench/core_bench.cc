// The scheduler's core alone: what each step of an entry costs it, with PostgreSQL, DNS and egress played by the unit tests' rig.
#include <benchmark/benchmark.h>

#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

constexpr int kMessages = 500;  // A group commit's worth; the rig's egress takes a thousand.
constexpr int kDelivered = 1;

struct Bench {
  Bench() {
    rig.TakeShard();
    port = rig.Connect();
    rig.Bind();
    rig.HandOff(rig.Batch(++seq, counter, 1));  // The site is known from here on.
    ++counter;
    rig.Run();
    Settle();
  }
  HandedBatch Next() {
    HandedBatch batch = rig.Batch(++seq, counter, kMessages);
    counter += kMessages;
    return batch;
  }
  // All that was released is delivered; the reports come in one batch.
  void Report() {
    DeliverInput input;
    for (const ReleasedEntry& entry : port->released) {
      AttemptReport report;
      report.entry_id = entry.entry_id;
      report.message_id = entry.message_id;
      report.attempt_id = entry.attempt_id;
      report.attempt = entry.attempt;
      report.source = entry.source;
      report.number = ++report_number;
      report.disposition = kDelivered;
      report.stage = "body";
      input.reports.push_back(std::move(report));
    }
    port->released.clear();
    rig.core.OnDeliver(rig.sessions["egress-1"], std::move(input));
  }
  void Settle() {
    Report();
    rig.Run();
    rig.world.events.clear();
  }

  CoreRig rig;
  std::shared_ptr<FakePort> port;
  int64_t seq = 0, report_number = 0;
  uint32_t counter = 1;
};

void Enqueue(benchmark::State& state) {
  Bench bench;
  for (auto _ : state) {
    state.PauseTiming();
    HandedBatch batch = bench.Next();
    state.ResumeTiming();
    bench.rig.HandOff(std::move(batch));
    state.PauseTiming();
    bench.rig.Run();
    bench.Settle();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(Enqueue);

void Release(benchmark::State& state) {
  Bench bench;
  for (auto _ : state) {
    state.PauseTiming();
    bench.rig.HandOff(bench.Next());
    state.ResumeTiming();
    bench.rig.Run();
    state.PauseTiming();
    bench.Settle();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(Release);

void ReportAndSettle(benchmark::State& state) {
  Bench bench;
  for (auto _ : state) {
    state.PauseTiming();
    bench.rig.HandOff(bench.Next());
    bench.rig.Run();
    state.ResumeTiming();
    bench.Settle();
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(ReportAndSettle);

}  // namespace
}  // namespace sluice::scheduler

BENCHMARK_MAIN();
