#include "scheduler/storage_ports.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/status.h"
#include "base/text.h"
#include "mail/trace_context.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kLoadChunk = 4096;
constexpr int kTailLimit = 1000;
constexpr size_t kMostPendingRoutes = 50'000;
constexpr auto kReopenPause = std::chrono::milliseconds(200);

LoadedRow ToRow(const storage::LoadedEntry& entry) {
  return {.id = entry.id,
          .message_id = entry.message_id,
          .accepted_at = entry.accepted_at,
          .due_at = entry.due_at,
          .expires_at = entry.expires_at,
          .part = entry.part,
          .attempts = entry.attempts,
          .crashes = entry.crashes,
          .priority = entry.priority,
          .engagement = entry.engagement,
          .tenant = std::string(entry.tenant),
          .stream = std::string(entry.stream),
          .campaign = std::string(entry.campaign),
          .domain = std::string(entry.domain),
          .last_source = std::string(entry.last_source),
          .held = std::string(entry.held),
          .tags = std::string(entry.tags),
          .sender_domain = std::string(entry.sender_domain),
          .pool = std::string(entry.pool)};
}

MergeValues ParseMergeValues(const std::string& json) {
  MergeValues values;
  if (json.empty()) return values;
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) return values;
  for (const auto& [name, value] : parsed.items()) {
    if (value.is_string()) values.emplace_back(name, value.get<std::string>());
  }
  return values;
}

// What a client put there itself may be anything.
std::string TraceparentIn(const std::string& metadata_json) {
  for (const auto& [name, value] : ParseMergeValues(metadata_json)) {
    if (name == kTraceparent) return ParseTraceparent(value).value_or("");
  }
  return {};
}

std::vector<int> NotifyList(int16_t bits) {
  std::vector<int> out;
  for (int value = 1; value <= 4; ++value) {
    if (bits & (1 << (value - 1))) out.push_back(value);
  }
  return out;
}

std::shared_ptr<const Content> ToContent(storage::MessagePayload& message) {
  auto content = std::make_shared<Content>();
  content->message_id = message.id;
  content->return_path = std::move(message.return_path);
  content->prepended_headers = std::move(message.prepended_headers);
  content->data = std::move(message.content);
  content->dsn_envelope_id = std::move(message.dsn_envelope_id);
  content->encoding = message.encoding;
  content->size_bytes = message.size_bytes;
  content->has_8bit = message.flags & 1;
  content->needs_smtputf8 = message.flags & 2;
  content->merge = message.flags & 4;
  content->dsn_return = message.dsn_return;
  return content;
}

}  // namespace

StoragePorts::StoragePorts(storage::ConnectionOptions connection, storage::RouteStore& routes,
                           const storage::SuppressionSet& suppressions, storage::WarmupLedger& ledger, Resolver& resolver,
                           Mailbox& mailbox, const Clock& clock, const Logger& log)
    : connection_(std::move(connection)),
      routes_(routes),
      suppressions_(suppressions),
      ledger_(ledger),
      resolver_(resolver),
      mailbox_(mailbox),
      clock_(clock),
      log_(log) {}

StoragePorts::~StoragePorts() { stopping_ = true; }

void StoragePorts::Backoff() {
  if (!stopping_) std::this_thread::sleep_for(kReopenPause);
}

absl::StatusOr<storage::QueueReader*> StoragePorts::Reader(std::unique_ptr<storage::QueueReader>& reader) {
  if (reader == nullptr) {
    ASSIGN_OR_RETURN(reader, storage::OpenQueueReader(connection_));
  }
  return reader.get();
}

void StoragePorts::Resolve(uint32_t domain, const std::string& name) {
  resolver_.ResolveMx(name, [this, domain](const MxAnswer& answer) {
    std::vector<MxHost> ordered = OrderMxHosts(answer.hosts, [](size_t n) {
      static thread_local std::mt19937_64 engine{std::random_device{}()};
      return std::uniform_int_distribution<size_t>(0, n - 1)(engine);
    });
    Post([domain, answer, ordered = std::move(ordered)](Core& core) { core.OnResolved(domain, answer, ordered); });
  });
}

// ---- loading ------------------------------------------------------------------------------------

void StoragePorts::LoadShard(int shard, int64_t epoch) {
  loads_.Post([this, shard, epoch] { DoLoadShard(shard, epoch); });
}

void StoragePorts::DoLoadShard(int shard, int64_t epoch) {
  std::vector<Mark> marks;
  std::vector<LoadedRow> rows;
  bool marks_sent = false;
  const auto send = [&] {
    if (!marks_sent) {
      Post([shard, epoch, marks](Core& core) { core.OnShardMarks(shard, epoch, marks); });
      marks_sent = true;
    }
    Post([shard, epoch, rows = std::exchange(rows, {})](Core& core) mutable {
      core.OnLoaded(shard, epoch, std::move(rows));
    });
  };
  absl::Status status;
  if (auto reader = Reader(load_reader_); reader.ok()) {
    status = (*reader)->LoadShard(
        shard, [&](const storage::WriterMark& mark) { marks.push_back({mark.shard, mark.writer, mark.seq}); },
        [&](const storage::LoadedEntry& entry) {
          rows.push_back(ToRow(entry));
          if (rows.size() >= kLoadChunk) send();
          return !stopping_;
        });
  } else {
    status = reader.status();
  }
  if (stopping_) return;
  if (!status.ok()) {
    // What was sent is true; the same rows are ignored the next time.
    log_.Warn("shard_load_failed", {{"shard", shard}, {"error", View(status.message())}});
    load_reader_.reset();
    Backoff();
    loads_.Post([this, shard, epoch] { DoLoadShard(shard, epoch); });
    return;
  }
  send();
  Post([shard, epoch](Core& core) { core.OnShardLoaded(shard, epoch); });
}

void StoragePorts::Tail(std::vector<int> shards, std::vector<Mark> marks) {
  loads_.Post([this, shards = std::move(shards), marks = std::move(marks)] {
    std::vector<storage::WriterMark> from;
    from.reserve(marks.size());
    for (const Mark& mark : marks) from.push_back({mark.shard, mark.writer, mark.seq});
    absl::StatusOr<std::vector<storage::TailedBatch>> found;
    if (auto reader = Reader(load_reader_); reader.ok()) {
      found = (*reader)->Tail(shards, from, kTailLimit);
    } else {
      found = reader.status();
    }
    if (!found.ok()) {
      log_.Warn("tail_failed", {{"error", View(found.status().message())}});
      load_reader_.reset();
      Backoff();
      Post([](Core& core) { core.OnTailFailed(); });
      return;
    }
    Post([batches = *std::move(found)](Core& core) { core.OnTailed(batches); });
  });
}

void StoragePorts::LoadRange(int shard, int64_t epoch, int64_t first, int64_t last) {
  loads_.Post([this, shard, epoch, first, last] { DoLoadRange(shard, epoch, first, last); });
}

void StoragePorts::DoLoadRange(int shard, int64_t epoch, int64_t first, int64_t last) {
  std::vector<LoadedRow> rows;
  absl::Status status;
  if (auto reader = Reader(load_reader_); reader.ok()) {
    status = (*reader)->LoadRange(first, last, [&](const storage::LoadedEntry& entry) {
      rows.push_back(ToRow(entry));
      return true;
    });
  } else {
    status = reader.status();
  }
  if (!status.ok()) {
    // The batch is known already, so it must come: again, until the shard is lost.
    load_reader_.reset();
    if (stopping_) return;
    Backoff();
    loads_.Post([this, shard, epoch, first, last] { DoLoadRange(shard, epoch, first, last); });
    return;
  }
  Post([shard, epoch, rows = std::move(rows)](Core& core) mutable { core.OnLoaded(shard, epoch, std::move(rows)); });
}

void StoragePorts::CheckWriters(std::vector<int64_t> writers) {
  loads_.Post([this, writers = std::move(writers)] {
    std::vector<int64_t> alive, gone;
    if (auto reader = Reader(load_reader_); reader.ok()) {
      if (auto life = (*reader)->CheckWriters(writers); life.ok()) {
        gone = life->gone;
        for (const int64_t writer : writers) {
          if (std::find(gone.begin(), gone.end(), writer) == gone.end()) alive.push_back(writer);
        }
      } else {
        load_reader_.reset();
      }
    }
    Post([alive, gone](Core& core) { core.OnWritersChecked(alive, gone); });
  });
}

void StoragePorts::TrimBatches(std::vector<Mark> marks, std::vector<int64_t> gone, Instant before) {
  slow_.Post([this, marks = std::move(marks), gone = std::move(gone), before] {
    std::vector<storage::WriterMark> passed;
    for (const Mark& mark : marks) passed.push_back({mark.shard, mark.writer, mark.seq});
    absl::Status status;
    if (auto settler = storage::OpenSettler(connection_); settler.ok()) {
      status = (*settler)->TrimBatches(passed, gone, before);
    } else {
      status = settler.status();
    }
    if (!status.ok()) log_.Warn("trim_failed", {{"error", View(status.message())}});
  });
}

// ---- contents -----------------------------------------------------------------------------------

void StoragePorts::Fetch(std::vector<FetchRequest> requests) {
  fetches_.Post([this, requests = std::move(requests)] { DoFetch(requests); });
}

void StoragePorts::DoFetch(const std::vector<FetchRequest>& requests) {
  std::vector<int64_t> ids;
  std::vector<storage::QueueReader::ContentKey> keys;
  absl::flat_hash_set<int64_t> asked;
  for (const FetchRequest& request : requests) {
    ids.push_back(request.entry_id);
    if (request.need_content && asked.insert(request.message_id).second) {
      keys.push_back({request.part, request.message_id});
    }
  }
  const auto fetch = [&]() -> absl::StatusOr<std::vector<Fetched>> {
    ASSIGN_OR_RETURN(storage::QueueReader * reader, Reader(fetch_reader_));
    ASSIGN_OR_RETURN(std::vector<storage::EntryPayload> entries, reader->FetchEntries(ids));
    ASSIGN_OR_RETURN(std::vector<storage::MessagePayload> messages, reader->FetchMessages(keys));
    absl::flat_hash_map<int64_t, storage::EntryPayload*> by_id;
    for (storage::EntryPayload& entry : entries) by_id[entry.id] = &entry;
    absl::flat_hash_map<int64_t, std::shared_ptr<const Content>> contents;
    for (storage::MessagePayload& message : messages) contents[message.id] = ToContent(message);
    std::vector<Fetched> out;
    out.reserve(requests.size());
    for (const FetchRequest& request : requests) {
      Fetched row{.request = request, .entry_found = false, .payload = {}, .content = nullptr};
      if (const auto it = by_id.find(request.entry_id); it != by_id.end()) {
        row.entry_found = true;
        row.payload = {.recipient = std::move(it->second->recipient),
                       .merge_values = ParseMergeValues(it->second->merge_values_json),
                       .dsn_notify = NotifyList(it->second->dsn_notify),
                       .traceparent = TraceparentIn(it->second->metadata_json)};
      }
      if (const auto it = contents.find(request.message_id); it != contents.end()) row.content = it->second;
      out.push_back(std::move(row));
    }
    return out;
  };
  absl::StatusOr<std::vector<Fetched>> fetched = fetch();
  if (!fetched.ok()) {
    log_.Warn("fetch_failed", {{"error", View(fetched.status().message())}});
    fetch_reader_.reset();
    Backoff();
    Post([requests](Core& core) { core.OnFetchFailed(requests); });
    return;
  }
  Post([rows = *std::move(fetched)](Core& core) mutable { core.OnFetched(std::move(rows)); });
}

// ---- routes -------------------------------------------------------------------------------------

void StoragePorts::StoreRoute(std::string domain, std::string site, std::string provider, Instant now) {
  const std::lock_guard lock(routes_mutex_);
  if (pending_routes_.size() >= kMostPendingRoutes) return;  // It comes again with the next refresh.
  pending_routes_.push_back({std::move(domain), std::move(site), std::move(provider), now});
  if (routes_posted_) return;
  routes_posted_ = true;
  slow_.Post([this] { FlushRoutes(); });
}

void StoragePorts::FlushRoutes() {
  std::vector<storage::DomainRoute> routes;
  {
    const std::lock_guard lock(routes_mutex_);
    routes.swap(pending_routes_);
    routes_posted_ = false;
  }
  if (const absl::Status status = routes_.Upsert(routes); !status.ok()) {
    log_.Warn("routes_not_stored", {{"error", View(status.message())}});
  }
}

}  // namespace sluice::scheduler
