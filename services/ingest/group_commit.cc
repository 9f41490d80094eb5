#include "ingest/group_commit.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sluice::ingest {
namespace {

size_t BytesOf(const storage::AcceptedMessage& message) {
  size_t bytes = message.content.size() + message.prepended_headers.size();
  for (const storage::AcceptedRecipient& recipient : message.recipients) {
    bytes += recipient.metadata_json.size() + recipient.merge_values_json.size();
  }
  return bytes;
}

}  // namespace

GroupCommit::GroupCommit(Options options, OpenWriter open_writer, OnBatch on_batch,
                         const Clock& clock, const Logger& log)
    : options_(std::move(options)),
      open_writer_(std::move(open_writer)),
      on_batch_(std::move(on_batch)),
      clock_(clock),
      log_(log) {
  SLUICE_CHECK(options_.writers > 0);
  for (int i = 0; i < options_.writers; ++i) threads_.emplace_back([this] { Run(); });
}

GroupCommit::~GroupCommit() { Stop(); }

void GroupCommit::Add(std::vector<Accepting> accepting) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      // Writers that gather need to hear of the first message and of a full batch, not of each one.
      wake = queue_.empty();
      if (queue_.empty()) oldest_at_ = std::chrono::steady_clock::now();
      for (Accepting& one : accepting) {
        queued_recipients_ += one.message.recipients.size();
        queued_bytes_ += BytesOf(one.message);
        queue_.push_back(std::move(one));
      }
      accepting.clear();
      wake = wake || IsFull();
    }
  }
  if (wake) changed_.notify_one();
  for (Accepting& one : accepting) {
    one.waiter->OnCommitted(one.index, absl::UnavailableError("the service is stopping"));
  }
}

void GroupCommit::SetShards(std::vector<int> shards) {
  const std::lock_guard lock(mutex_);
  shards_ = std::move(shards);
}

void GroupCommit::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

GroupCommit::Counts GroupCommit::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

bool GroupCommit::healthy() const {
  const std::lock_guard lock(mutex_);
  return healthy_;
}

void GroupCommit::Run() {
  Writer writer;
  while (true) {
    std::vector<Accepting> batch = NextBatch();
    if (batch.empty()) return;
    Commit(writer, std::move(batch));
    {
      const std::lock_guard lock(mutex_);
      --in_flight_;
    }
    changed_.notify_all();
  }
}

std::vector<Accepting> GroupCommit::NextBatch() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return {};
    changed_.wait_until(lock, oldest_at_ + options_.gather, [this] {
      return queue_.empty() || in_flight_ == 0 || stopping_ || IsFull();
    });
    // Another writer may have taken it meanwhile, and something younger come.
    const bool is_gathered = std::chrono::steady_clock::now() >= oldest_at_ + options_.gather;
    if (queue_.empty() || (in_flight_ > 0 && !stopping_ && !IsFull() && !is_gathered)) continue;
    ++in_flight_;
    std::vector<Accepting> batch = TakeBatch();
    if (!queue_.empty()) changed_.notify_one();
    return batch;
  }
}

bool GroupCommit::IsFull() const {
  return queued_recipients_ >= options_.batch_recipients || queued_bytes_ >= options_.batch_bytes;
}

std::vector<Accepting> GroupCommit::TakeBatch() {
  std::vector<Accepting> batch;
  size_t recipients = 0;
  size_t bytes = 0;
  std::unordered_set<uint64_t> keys;
  while (!queue_.empty()) {
    Accepting& next = queue_.front();
    const size_t next_recipients = next.message.recipients.size();
    const size_t next_bytes = BytesOf(next.message);
    const bool fits = recipients + next_recipients <= options_.batch_recipients &&
                      bytes + next_bytes <= options_.batch_bytes;
    if (!batch.empty() && !fits) break;
    // A key twice in one transaction: the second must see what became of the first.
    if (next.message.key_hash.has_value() && !keys.insert(next.message.key_hash->low).second) break;
    recipients += next_recipients;
    bytes += next_bytes;
    batch.push_back(std::move(next));
    queue_.pop_front();
  }
  queued_recipients_ -= recipients;
  queued_bytes_ -= bytes;
  return batch;
}

std::optional<int> GroupCommit::NextShard() {
  const std::lock_guard lock(mutex_);
  if (shards_.empty()) return std::nullopt;
  return shards_[next_shard_++ % shards_.size()];
}

void GroupCommit::Commit(Writer& writer, std::vector<Accepting> batch) {
  std::vector<storage::AcceptedMessage> messages;
  messages.reserve(batch.size());
  for (Accepting& one : batch) messages.push_back(std::move(one.message));
  CommitResult result = CommitOrExplain(writer, messages);
  SLUICE_CHECK(result.outcomes.size() == batch.size());
  Count(result);
  for (CommittedBatch& committed : result.committed) on_batch_(std::move(committed));
  for (size_t i = 0; i < batch.size(); ++i) {
    batch[i].waiter->OnCommitted(batch[i].index, std::move(result.outcomes[i]));
  }
}

CommitResult GroupCommit::CommitOrExplain(Writer& writer,
                                          std::vector<storage::AcceptedMessage>& messages) {
  const auto fail = [&](const absl::Status& status) {
    CommitResult result;
    result.outcomes.assign(messages.size(), status);
    return result;
  };
  const bool was_connected = writer.connection != nullptr;
  if (const absl::Status status = Connect(writer); !status.ok()) return fail(status);
  const std::optional<int> shard = NextShard();
  if (!shard.has_value()) return fail(absl::UnavailableError("the shards are not known yet"));
  const SteadyInstant begun_at = clock_.Steady();
  CommitResult result = CommitBatch(*writer.connection, *shard, messages);
  if (options_.on_commit) options_.on_commit(clock_.Steady() - begun_at, result.outcomes.size());
  if (!result.writer_is_dead) return result;
  writer.connection.reset();
  const absl::Status& first = result.outcomes.front().status();
  log_.Warn("commit_failed",
            {{"shard", *shard}, {"messages", messages.size()}, {"error", View(first.message())}});
  // An old connection may have died long ago: a new one tells whether the store is there.
  if (!was_connected || !result.may_try_again || !Connect(writer).ok()) return result;
  result = CommitBatch(*writer.connection, *shard, messages);
  if (result.writer_is_dead) writer.connection.reset();
  return result;
}

absl::Status GroupCommit::Connect(Writer& writer) {
  if (writer.connection != nullptr) return absl::OkStatus();
  const SteadyInstant now = clock_.Steady();
  if (now < writer.retry_at) return writer.failure;
  absl::StatusOr<std::unique_ptr<storage::AcceptWriter>> opened = open_writer_();
  {
    const std::lock_guard lock(mutex_);
    healthy_ = opened.ok();
  }
  if (opened.ok()) {
    writer.connection = *std::move(opened);
    writer.retry_at = {};
    return absl::OkStatus();
  }
  writer.retry_at = now + options_.reconnect_delay;
  // Not stored, whatever the reason.
  writer.failure =
      absl::UnavailableError(Cat("the store cannot be reached: ", opened.status().message()));
  log_.Warn("store_unreachable", {{"error", View(opened.status().message())}});
  return writer.failure;
}

void GroupCommit::Count(const CommitResult& result) {
  const std::lock_guard lock(mutex_);
  counts_.batches += result.committed.size();
  for (const auto& outcome : result.outcomes) {
    if (!outcome.ok()) {
      ++counts_.failed_messages;
    } else if (outcome->kind == storage::AcceptOutcome::Kind::kAccepted) {
      ++counts_.messages;
    } else {
      ++counts_.repeated_messages;
    }
  }
}

}  // namespace sluice::ingest
