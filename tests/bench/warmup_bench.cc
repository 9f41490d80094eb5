// What warmup costs a scheduler and PostgreSQL: the scheduler's own account of grants (Allowances) over the real ledger, messages of an
// injected clock. It draws as the core does: at every turn, for whoever waits, and ahead where a chunk runs low; an answer is there at
// once, so that no draws gather behind one that is under way. Run by warmup_ledger.sh, which adds the server's CPU.
//
//   warmup_bench URL [seconds=60] [rate=10000] [addresses=20] [turn_us=1000]      10 columns each: 200 (source, provider) pairs
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "scheduler/allowances.h"
#include "storage/connection_pool.h"
#include "storage/migrate.h"
#include "storage/warmup_ledger.h"

namespace sluice {
namespace {

constexpr int kColumns = 10;

double Cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Bench {
  int64_t seconds = 60, rate = 10'000, addresses = 20, turn_us = 1'000;
  int64_t draws = 0, drawn_for = 0, records = 0, sent = 0, waited = 0;
  std::vector<std::string> names;
  std::vector<int64_t> waiting;  // By pair: messages without a grant yet.

  void Run(const std::string& url) {
    const storage::ConnectionOptions options{.url = url};
    SLUICE_CHECK(storage::Migrate(options, {.shards = 1}, SystemClock().Now()).ok());
    storage::ConnectionPool pool(options, 1);
    const auto ledger = storage::MakeWarmupLedger(pool);
    const storage::LedgerDay day = *ledger->Today();
    scheduler::Allowances allowances;
    for (int c = 0; c < kColumns; ++c) names.push_back(c == 0 ? "other" : Cat("provider-", c));
    waiting.assign(static_cast<size_t>(addresses * kColumns), 0);
    std::vector<storage::LedgerRow> rows;
    std::vector<scheduler::WarmingSource> sources;
    for (int a = 0; a < addresses; ++a) {
      scheduler::WarmingSource& source = sources.emplace_back();
      source.source = static_cast<uint16_t>(a);
      source.address = Cat("192.0.2.", a + 1);
      for (const std::string& name : names) source.columns.push_back({.provider = name});
      storage::LedgerRow row{.day = day.day, .address = source.address, .provider = "*", .cap = 1'000'000'000,
                             .opens_at = day.now - std::chrono::hours(2), .closes_at = day.now - std::chrono::hours(1)};
      rows.push_back(row);
      for (const auto& column : source.columns) {
        row.provider = column.provider;
        row.cap = 100'000'000;
        rows.push_back(row);
      }
    }
    SLUICE_CHECK(ledger->Open(rows).ok());
    allowances.Set(sources, day);
    Spend(allowances, *ledger, day);
  }

  // What waits at `pair` leaves, as far as its grants go.
  void Send(scheduler::Allowances& allowances, size_t pair, Instant now) {
    const auto source = static_cast<uint16_t>(pair / kColumns);
    const auto provider = static_cast<uint32_t>(pair % kColumns);
    while (waiting[pair] > 0) {
      const scheduler::Allowance allowance = allowances.Look(source, provider, names[provider], now);
      if (allowance != scheduler::Allowance::kReady) {
        if (allowance == scheduler::Allowance::kAsking) allowances.Want(source, provider, now);
        ++waited;
        return;
      }
      const scheduler::Grant grant = allowances.Take(source, provider, now);
      storage::LedgerCounts counts;
      counts.attempted = counts.accepted = 1;
      allowances.Conclude(grant.account, grant.day, counts, now);
      --waiting[pair];
      ++sent;
    }
  }

  void Draw(scheduler::Allowances& allowances, storage::WarmupLedger& ledger, Instant now) {
    const auto waits = [&](uint16_t source, uint32_t provider) { return waiting[source * size_t{kColumns} + provider] > 0; };
    const auto requests = allowances.TakeRequests(now, waits);
    if (requests.empty()) return;
    ++draws;
    drawn_for += static_cast<int64_t>(requests.size());
    allowances.OnDrawn(*ledger.Draw(requests), now);
    for (size_t pair = 0; pair < waiting.size(); ++pair) Send(allowances, pair, now);
  }

  void Spend(scheduler::Allowances& allowances, storage::WarmupLedger& ledger, const storage::LedgerDay& day) {
    const int64_t pairs = addresses * kColumns;
    const Duration turn = std::chrono::microseconds(turn_us);
    Instant now = day.now;
    int64_t next = 0, due = 0;
    const double before = Cpu();
    for (int64_t at = 0; at < seconds * 1'000'000; at += turn_us, now += turn) {
      for (due += rate * turn_us; due >= 1'000'000; due -= 1'000'000, ++next) {
        const auto pair = static_cast<size_t>(next % pairs);
        ++waiting[pair];
        Send(allowances, pair, now);
      }
      Draw(allowances, ledger, now);
      if (const auto counts = allowances.TakeCounts(now, false); !counts.empty()) {
        ++records;
        SLUICE_CHECK(ledger.Record(counts).ok());
      }
    }
    std::cout << "{\"seconds\": " << seconds << ", \"pairs\": " << pairs << ", \"sent\": " << sent << ", \"waited\": " << waited
              << ", \"draws\": " << draws << ", \"drawn_for\": " << drawn_for << ", \"records\": " << records
              << ", \"client_cpu\": " << Cpu() - before << "}\n" << std::flush;
    std::cin.get();  // The server's processes live until their CPU has been read.
  }
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::Bench bench;
  const std::map<std::string, int64_t sluice::Bench::*> numbers = {
      {"seconds", &sluice::Bench::seconds}, {"rate", &sluice::Bench::rate}, {"addresses", &sluice::Bench::addresses},
      {"turn_us", &sluice::Bench::turn_us}};
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const auto number = numbers.find(argument.substr(0, equals));
    if (equals == std::string::npos || number == numbers.end()) return 2;
    bench.*number->second = std::atoll(argument.c_str() + equals + 1);
    if (bench.*number->second <= 0) return 2;
  }
  if (argc < 2) {
    std::fprintf(stderr, "usage: warmup_bench URL [seconds=60] [rate=10000] [addresses=20] [turn_us=1000]\n");
    return 2;
  }
  bench.Run(argv[1]);
}
