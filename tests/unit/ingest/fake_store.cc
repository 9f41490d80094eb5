#include "unit/ingest/fake_store.h"

#include <set>

namespace sluice::ingest {

using storage::AcceptedMessage;
using storage::AcceptOutcome;
using storage::AcceptResult;

class FakeAcceptWriter final : public storage::AcceptWriter {
 public:
  FakeAcceptWriter(FakeStore& store, int64_t writer) : store_(store), writer_(writer) {}
  int64_t writer() const override { return writer_; }
  absl::StatusOr<AcceptResult> Accept(int shard,
                                      const std::vector<AcceptedMessage>& batch) override {
    return store_.Accept(writer_, shard, batch);
  }

 private:
  FakeStore& store_;
  int64_t writer_;
};

absl::StatusOr<std::unique_ptr<storage::AcceptWriter>> FakeStore::Open() {
  const std::lock_guard lock(mutex_);
  if (!open_failure_.ok()) return open_failure_;
  return std::make_unique<FakeAcceptWriter>(*this, ++opened_);
}

void FakeStore::FailNext(absl::Status status) {
  const std::lock_guard lock(mutex_);
  failures_.push_back(std::move(status));
}

void FakeStore::FailOpen(absl::Status status) {
  const std::lock_guard lock(mutex_);
  open_failure_ = std::move(status);
}

void FakeStore::Block() {
  const std::lock_guard lock(mutex_);
  blocking_ = true;
}

void FakeStore::WaitForBlocked(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return blocked_ >= count; });
}

void FakeStore::Release() {
  {
    const std::lock_guard lock(mutex_);
    blocking_ = false;
  }
  changed_.notify_all();
}

std::vector<FakeStore::Batch> FakeStore::batches() const {
  const std::lock_guard lock(mutex_);
  return batches_;
}

int FakeStore::opened() const {
  const std::lock_guard lock(mutex_);
  return opened_;
}

int FakeStore::tries() const {
  const std::lock_guard lock(mutex_);
  return tries_;
}

absl::StatusOr<AcceptResult> FakeStore::Accept(int64_t writer, int shard,
                                               const std::vector<AcceptedMessage>& batch) {
  std::unique_lock lock(mutex_);
  ++tries_;
  ++blocked_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !blocking_; });
  --blocked_;
  if (!failures_.empty()) {
    const absl::Status status = failures_.front();
    failures_.pop_front();
    return status;
  }
  for (const AcceptedMessage& message : batch) {
    for (const storage::AcceptedRecipient& recipient : message.recipients) {
      if (recipient.address == kBadRow) return absl::InvalidArgumentError("the row is bad");
    }
  }
  std::set<storage::Hash128> keys;
  for (const AcceptedMessage& message : batch) {
    if (message.key_hash.has_value() && !keys.insert(*message.key_hash).second) {
      return absl::InternalError("a key stands twice in one batch");
    }
  }
  Batch stored{.shard = shard, .writer = writer, .seq = 0, .messages = {}};
  AcceptResult result;
  for (const AcceptedMessage& message : batch)
    result.outcomes.push_back(AcceptOne(shard, writer, message, stored));
  result.content_partition = 1;
  if (!stored.messages.empty()) {
    result.seq = stored.seq = ++seqs_[{shard, writer}];
    batches_.push_back(std::move(stored));
  }
  return result;
}

AcceptOutcome FakeStore::AcceptOne(int shard, int64_t writer, const AcceptedMessage& message,
                                   Batch& stored) {
  if (message.key_hash.has_value()) {
    if (const auto known = keys_.find(*message.key_hash); known != keys_.end()) {
      const bool is_same = known->second.digest == message.digest;
      return {is_same ? AcceptOutcome::Kind::kRepeated : AcceptOutcome::Kind::kConflict,
              known->second.message_id, is_same ? known->second.verdicts : ""};
    }
  }
  uint32_t& counter = counters_[writer];
  const int64_t id = MakeId(ShardId(shard), WriterId(static_cast<int32_t>(writer)), counter + 1);
  counter += static_cast<uint32_t>(message.recipients.size());
  if (message.key_hash.has_value())
    keys_[*message.key_hash] = {message.digest, id, message.verdicts};
  stored.messages.push_back(message);
  return {AcceptOutcome::Kind::kAccepted, id, message.verdicts};
}

}  // namespace sluice::ingest
