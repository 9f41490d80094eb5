// Bytes of memory a waiting entry costs in the scheduler, everything that it brings along included: index, calendar, names,
// domains, sites, flows. The real core is loaded with rows as from PostgreSQL; allocated bytes are counted by the allocator.
//
//   queue_size [ENTRIES DOMAINS]...      default: 10000000 200000 1000000 1000000
//
// Each pair is measured twice: all due later, and all due now with no source to send them (what can be filed is filed). Exit code 1
// when an entry costs more than 100 bytes.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "unit/scheduler/core_rig.h"

namespace sluice::scheduler {
namespace {

constexpr int64_t kMostBytes = 100;
constexpr int64_t kChunk = 4096;

int64_t Allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

void Load(CoreRig& rig, int64_t entries, int64_t domains, Duration due_in) {
  rig.core.OnShardTaken(CoreRig::kShard, 1, 0, {});
  rig.core.OnLeaseExtended(rig.clock.Steady() + std::chrono::hours(1));
  rig.core.OnShardMarks(CoreRig::kShard, 1, {});
  const Instant now = rig.clock.Now();
  std::vector<LoadedRow> rows;
  for (int64_t i = 0; i < entries; ++i) {
    LoadedRow row;
    row.id = rig.Id(static_cast<uint32_t>(i + 1));
    row.message_id = row.id - i % 100;
    row.accepted_at = now;
    // Deferred ones spread over four hours.
    row.due_at = now + due_in + std::chrono::seconds(due_in.count() > 0 ? i * 7919 % 14'400 : 0);
    row.expires_at = now + std::chrono::hours(120);
    row.tenant = "shop";
    row.stream = "marketing";
    row.campaign = Cat("campaign-", i / 100'000);
    row.domain = Cat("d", i % domains, ".example");
    row.sender_domain = "shop.example";
    rows.push_back(std::move(row));
    if (static_cast<int64_t>(rows.size()) == kChunk) rig.core.OnLoaded(CoreRig::kShard, 1, std::exchange(rows, {}));
  }
  rig.core.OnLoaded(CoreRig::kShard, 1, std::move(rows));
  rig.core.OnShardLoaded(CoreRig::kShard, 1);
}

bool Measure(int64_t entries, int64_t domains, bool due) {
  const int64_t before = Allocated();
  CoreRig rig;
  Load(rig, entries, domains, due ? Duration(0) : std::chrono::minutes(5));
  while (due && (rig.core.Turn() || rig.AnswerDns())) {
  }
  rig.world.lookups = {};
  malloc_trim(0);
  const CoreSnapshot snapshot = rig.core.Snapshot();
  const int64_t bytes = (Allocated() - before) / entries;
  std::printf("%lld entries over %lld domains, due %s: %lld bytes an entry (%lld flows)\n",
              static_cast<long long>(snapshot.entries), static_cast<long long>(domains), due ? "now" : "later",
              static_cast<long long>(bytes), static_cast<long long>(snapshot.flows));
  return snapshot.entries == entries && bytes <= kMostBytes;
}

int Run(int argc, char** argv) {
  bool fine = true;
  const int64_t usual[] = {10'000'000, 200'000, 1'000'000, 1'000'000};
  std::vector<int64_t> numbers(usual, usual + 4);
  if (argc > 1) numbers.clear();
  for (int i = 1; i < argc; ++i) numbers.push_back(std::atoll(argv[i]));
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
    for (const bool due : {false, true}) fine = Measure(numbers[i], numbers[i + 1], due) && fine;
  }
  return fine ? 0 : 1;
}

}  // namespace
}  // namespace sluice::scheduler

int main(int argc, char** argv) { return sluice::scheduler::Run(argc, argv); }
