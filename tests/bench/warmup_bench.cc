// What warmup costs a scheduler and PostgreSQL: the scheduler's own account of grants (Allowances) over the real ledger, messages of an
// injected clock. Run by warmup_ledger.sh, which adds the server's CPU.
//
//   warmup_bench URL [seconds=60] [rate=10000] [addresses=20]       10 columns each: 200 (source, provider) pairs
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "scheduler/allowances.h"
#include "storage/connection_pool.h"
#include "storage/migrate.h"
#include "storage/warmup_ledger.h"

namespace sluice {
namespace {

constexpr int kColumns = 10;
constexpr Duration kTurn = std::chrono::milliseconds(50);

double Cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Bench {
  int64_t seconds = 60, rate = 10'000, addresses = 20;
  int64_t draws = 0, records = 0, sent = 0, short_of = 0;

  void Run(const std::string& url) {
    const storage::ConnectionOptions options{.url = url};
    SLUICE_CHECK(storage::Migrate(options, {.shards = 1}, SystemClock().Now()).ok());
    storage::ConnectionPool pool(options, 1);
    const auto ledger = storage::MakeWarmupLedger(pool);
    const storage::LedgerDay day = *ledger->Today();
    scheduler::Allowances allowances;
    std::vector<storage::LedgerRow> rows;
    std::vector<scheduler::WarmingSource> sources;
    for (int a = 0; a < addresses; ++a) {
      scheduler::WarmingSource& source = sources.emplace_back();
      source.source = static_cast<uint16_t>(a);
      source.address = Cat("192.0.2.", a + 1);
      for (int c = 0; c < kColumns; ++c) source.columns.push_back({.provider = c == 0 ? "other" : Cat("provider-", c)});
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

  void Spend(scheduler::Allowances& allowances, storage::WarmupLedger& ledger, const storage::LedgerDay& day) {
    const int64_t pairs = addresses * kColumns;
    const int64_t a_turn = rate * kTurn.count() / 1'000'000;
    Instant now = day.now;
    int64_t next = 0;
    const double before = Cpu();
    for (int64_t turn = 0; turn < seconds * 1'000'000 / kTurn.count(); ++turn, now += kTurn) {
      for (int64_t i = 0; i < a_turn; ++i, ++next) {
        const auto source = static_cast<uint16_t>(next % pairs / kColumns);
        const auto provider = static_cast<uint32_t>(next % kColumns);
        const std::string name = provider == 0 ? "other" : Cat("provider-", provider);
        const scheduler::Allowance allowance = allowances.Look(source, provider, name, now);
        if (allowance != scheduler::Allowance::kReady) {
          if (allowance == scheduler::Allowance::kAsking) allowances.Want(source, provider, now);
          ++short_of;
          continue;
        }
        const scheduler::Grant grant = allowances.Take(source, provider, now);
        storage::LedgerCounts counts;
        counts.attempted = counts.accepted = 1;
        allowances.Conclude(grant.account, grant.day, counts, now);
        ++sent;
      }
      if (const auto requests = allowances.TakeRequests(now, [](uint16_t, uint32_t) { return true; }); !requests.empty()) {
        ++draws;
        allowances.OnDrawn(*ledger.Draw(requests), now);
      }
      if (const auto counts = allowances.TakeCounts(now, false); !counts.empty()) {
        ++records;
        SLUICE_CHECK(ledger.Record(counts).ok());
      }
    }
    std::printf("{\"seconds\": %lld, \"pairs\": %lld, \"sent\": %lld, \"short\": %lld, \"draws\": %lld, \"records\": %lld, \"client_cpu\": %.3f}\n",
                static_cast<long long>(seconds), static_cast<long long>(pairs), static_cast<long long>(sent), static_cast<long long>(short_of),
                static_cast<long long>(draws), static_cast<long long>(records), Cpu() - before);
    std::fflush(stdout);
    std::cin.get();  // The server's processes live until their CPU has been read.
  }
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::Bench bench;
  const std::map<std::string, int64_t sluice::Bench::*> numbers = {
      {"seconds", &sluice::Bench::seconds}, {"rate", &sluice::Bench::rate}, {"addresses", &sluice::Bench::addresses}};
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const auto number = numbers.find(argument.substr(0, equals));
    if (equals == std::string::npos || number == numbers.end()) return 2;
    bench.*number->second = std::atoll(argument.c_str() + equals + 1);
  }
  if (argc < 2) {
    std::fprintf(stderr, "usage: warmup_bench URL [seconds=60] [rate=10000] [addresses=20]\n");
    return 2;
  }
  bench.Run(argv[1]);
}
