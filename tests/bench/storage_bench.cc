// Accept and settle against a real PostgreSQL, by hand: rows a second, CPU of client and server a
// message, WAL a message.
//
//   dir=$(mktemp -d); url=$(tests/rig/postgres.py up --dir $dir --profile bench)
//   build/release/bin/storage_bench "$url" batch=200 writers=2
//   tests/rig/postgres.py down --dir $dir --remove
//
// Server CPU is the sum over the children of the postmaster from /proc, so the server must be local
// and nobody else's.
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <random>
#include <sstream>
#include <thread>

#include "base/check.h"
#include "base/text.h"
#include "storage/connection_pool.h"
#include "storage/migrate.h"
#include "storage/queue_store.h"
#include "storage/shard_lease.h"

namespace sluice::storage {
namespace {

struct Options {
  std::string url;
  int messages = 100'000, batch = 200, writers = 2, content_bytes = 5000, recipients = 1;
  int keys = 1, settle = 1, load = 0;  // 0 = leave out.
};

template <class T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  SLUICE_CHECK(value.ok());
  return *std::move(value);
}

// CPU microseconds of the children of the postmaster, by what they do.
class ServerCpu {
 public:
  explicit ServerCpu(pid_t backend) : postmaster_(ParentOf(backend)) {}

  // Processes that serve a client, those that are just ending included.
  int Backends() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const int pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0 && ParentOf(pid) == postmaster_ && RoleOf(pid) == "backends") ++count;
    }
    return count;
  }

  std::map<std::string, double> Read() const {
    std::map<std::string, double> cpu;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const int pid = std::atoi(entry.path().filename().c_str());
      if (pid <= 0 || ParentOf(pid) != postmaster_) continue;
      std::ifstream in(Cat("/proc/", pid, "/schedstat"));
      double nanos = 0;
      in >> nanos;
      cpu[RoleOf(pid)] += nanos / 1000;
    }
    return cpu;
  }

 private:
  static pid_t ParentOf(pid_t pid) {
    std::ifstream in(Cat("/proc/", pid, "/stat"));
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const size_t after = text.rfind(')');
    if (after == std::string::npos) return -1;
    std::istringstream fields(text.substr(after + 1));
    char state = 0;
    pid_t parent = -1;
    fields >> state >> parent;
    return parent;
  }
  static std::string RoleOf(pid_t pid) {
    std::ifstream in(Cat("/proc/", pid, "/cmdline"));
    std::string text;
    std::getline(in, text, '\0');
    for (const char* role : {"walwriter", "checkpointer", "background writer", "autovacuum"}) {
      if (text.find(role) != std::string::npos) return role;
    }
    return text.find('(') == std::string::npos && text.find("[local]") == std::string::npos
               ? "other"
               : "backends";
  }

  const pid_t postmaster_;
};

double ClientCpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        connection_({.url = options.url, .application_name = "bench"}),
        clock_now_(SystemClock().Now()),
        control_(options.url) {
    const absl::Status status = Migrate(connection_, MigrateOptions{}, clock_now_);
    SLUICE_CHECK(status.ok());
    pqxx::nontransaction tx(control_);
    server_ = std::make_unique<ServerCpu>(tx.exec1("select pg_backend_pid()")[0].as<pid_t>());
  }

  void Run() {
    std::vector<std::vector<int64_t>> ids(static_cast<size_t>(options_.writers));
    Measure("accept", [&] {
      std::vector<std::thread> threads;
      for (int w = 0; w < options_.writers; ++w) {
        threads.emplace_back([&, w] { Accept(w, ids[static_cast<size_t>(w)]); });
      }
      for (std::thread& thread : threads) thread.join();
    });
    if (options_.load != 0) Measure("load", [&] { Load(); });
    if (options_.settle != 0) Measure("settle", [&] { Settle(ids); });
  }

 private:
  template <class Body>
  void Measure(const char* name, const Body& body) {
    // CPU of a session that ends meanwhile would count as negative.
    while (server_->Backends() > 1) std::this_thread::yield();
    const double client = ClientCpu(), wal = Wal();
    const auto before = server_->Read();
    const auto begin = std::chrono::steady_clock::now();
    body();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double count = options_.messages;
    const double micros = (ClientCpu() - client) / count;
    std::printf("%-7s %9.0f messages/s  client %5.1f us", name, count / seconds, micros);
    double total = micros;
    for (const auto& [role, cpu] : at_end_) {
      const auto it = before.find(role);
      const double used = (cpu - (it == before.end() ? 0 : it->second)) / count;
      // A worker of autovacuum that has ended took its count along.
      if (used < 0.05) continue;
      std::printf("  %s %5.1f us", role.c_str(), used);
      total += used;
    }
    std::printf("  sum %5.1f us  WAL %6.0f bytes each\n", total, (Wal() - wal) / count);
  }

  double Wal() {
    pqxx::nontransaction tx(control_);
    return tx.exec1("select pg_current_wal_lsn() - '0/0'")[0].as<double>();
  }

  // Read while the sessions of a phase still live: their CPU goes with them.
  void NoteServer() {
    const std::lock_guard lock(mutex_);
    at_end_ = server_->Read();
  }

  void Accept(int w, std::vector<int64_t>& ids) {
    std::mt19937_64 random(std::random_device{}());
    auto writer = Must(OpenAcceptWriter(connection_, clock_now_));
    std::vector<AcceptedMessage> batch(static_cast<size_t>(options_.batch));
    for (int done = 0, round = 0; done < options_.messages / options_.writers; ++round) {
      for (AcceptedMessage& message : batch) Fill(message, random);
      const AcceptResult result = Must(writer->Accept(round % 16, batch));
      for (const AcceptOutcome& outcome : result.outcomes) ids.push_back(outcome.message_id);
      done += options_.batch;
    }
    ++ended_;
    while (ended_ < options_.writers) std::this_thread::yield();
    if (w == 0) NoteServer();
    ++noted_;
    while (noted_ < options_.writers) std::this_thread::yield();
  }

  void Fill(AcceptedMessage& message, std::mt19937_64& random) const {
    if (message.recipients.empty()) {
      message.tenant = "shop";
      message.stream = "marketing";
      message.campaign = "autumn-2026";
      message.return_path = "bounces+4711@shop.example";
      message.sender_domain = "shop.example";
      message.prepended_headers = std::string(220, 'h');
      message.content.resize(static_cast<size_t>(options_.content_bytes));
      message.size_bytes = 2 * options_.content_bytes;
      message.encoding = 2;
      message.recipients.resize(static_cast<size_t>(options_.recipients));
    }
    for (size_t i = 0; i + 8 <= message.content.size(); i += 8) {
      const uint64_t word = random();
      std::memcpy(message.content.data() + i, &word, 8);
    }
    if (options_.keys != 0) message.key_hash = Hash128{.high = random(), .low = random()};
    message.digest = {.high = random(), .low = random()};
    message.accepted_at = message.due_at = clock_now_;
    message.expires_at = clock_now_ + std::chrono::hours(120);
    for (AcceptedRecipient& recipient : message.recipients) {
      recipient.address = Cat("user", random() % 1'000'000, "@domain", random() % 1000, ".example");
      recipient.domain = recipient.address.substr(recipient.address.find('@') + 1);
      recipient.metadata_json = R"({"order":"4711","kind":"news"})";
    }
  }

  void Load() {
    auto reader = Must(OpenQueueReader(connection_));
    int64_t count = 0;
    for (int shard = 0; shard < 16; ++shard) {
      const absl::Status status = reader->LoadShard(
          shard, [](const WriterMark&) {}, [&](const LoadedEntry&) { return ++count > 0; });
      SLUICE_CHECK(status.ok());
    }
    NoteServer();
    std::printf("loaded %ld entries\n", static_cast<long>(count));
  }

  void Settle(const std::vector<std::vector<int64_t>>& ids) {
    auto leases = Must(OpenShardLeases(connection_));
    auto settler = Must(OpenSettler(connection_));
    std::vector<ShardEpoch> shards;
    std::vector<int> all;
    for (int shard = 0; shard < 16; ++shard) all.push_back(shard);
    for (const Lease& lease :
         Must(leases->Take(all, "bench", "", std::chrono::minutes(10), 1, 16))) {
      shards.push_back({.shard = lease.shard,
                        .epoch = lease.epoch,
                        .last_seq = Must(settler->LastSeq(lease.shard))});
    }
    SLUICE_CHECK(shards.size() == 16);
    std::vector<Settlement> call;
    for (const auto& part : ids) {
      for (int64_t id : part) {
        for (int i = 0; i < options_.recipients; ++i) call.push_back(Outcome(id, id + i));
        if (call.size() < static_cast<size_t>(options_.batch)) continue;
        SettleOnce(*settler, shards, call);
      }
    }
    if (!call.empty()) SettleOnce(*settler, shards, call);
    NoteServer();
  }

  void SettleOnce(Settler& settler, std::vector<ShardEpoch>& shards,
                  std::vector<Settlement>& call) {
    const SettleResult result = Must(settler.Settle(shards, call));
    SLUICE_CHECK(result.missing.empty());
    for (size_t i = 0; i < shards.size(); ++i) shards[i].last_seq = result.shards[i].last_seq;
    call.clear();
  }

  Settlement Outcome(int64_t message, int64_t entry) const {
    Settlement s{
        .entry_id = entry, .message_id = message, .attempt_id = entry, .kind = "delivered"};
    s.occurred_at = clock_now_;
    s.attempts = 1;
    s.stage = "body";
    s.source = "ip-11";
    s.mx_host = "mx1.domain.example";
    s.mx_address = "192.0.2.25";
    s.enhanced_status = "2.0.0";
    s.reply = "ok queued as 4bXyzP1qR2";
    s.reply_code = 250;
    s.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
    s.egress = "egress-1";
    s.pool = "warm";
    s.provider = "google";
    s.site = "google";
    s.duration_micros = 81'000;
    return s;
  }

  const Options options_;
  const ConnectionOptions connection_;
  const Instant clock_now_;
  pqxx::connection control_;
  std::unique_ptr<ServerCpu> server_;
  std::mutex mutex_;
  std::map<std::string, double> at_end_;
  std::atomic<int> ended_ = 0, noted_ = 0;
};

}  // namespace
}  // namespace sluice::storage

int main(int argc, char** argv) {
  using sluice::storage::Options;
  Options options;
  const std::map<std::string, int Options::*> numbers = {
      {"messages", &Options::messages},     {"batch", &Options::batch},
      {"writers", &Options::writers},       {"content", &Options::content_bytes},
      {"recipients", &Options::recipients}, {"keys", &Options::keys},
      {"settle", &Options::settle},         {"load", &Options::load},
  };
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const auto number = numbers.find(argument.substr(0, equals));
    if (equals == std::string::npos || number == numbers.end()) argc = 0;
    if (argc != 0) options.*number->second = std::atoi(argument.c_str() + equals + 1);
  }
  if (argc < 2) {
    std::fprintf(stderr, "usage: storage_bench URL [name=number …], names:");
    for (const auto& [name, member] : numbers) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  options.url = argv[1];
  sluice::storage::Bench(options).Run();
}
