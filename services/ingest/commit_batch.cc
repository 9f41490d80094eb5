#include "ingest/commit_batch.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace sluice::ingest {
namespace {

using storage::AcceptedMessage;
using storage::AcceptOutcome;
using storage::AcceptResult;

bool BlamesARow(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kOutOfRange;
}

bool KillsTheWriter(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kUnknown;
}

class Committer {
 public:
  Committer(storage::AcceptWriter& writer, int shard) : writer_(writer), shard_(shard) {}

  void Commit(std::vector<AcceptedMessage>& batch) {
    if (result_.writer_is_dead) return FailAll(batch.size(), after_death_);
    absl::StatusOr<AcceptResult> accepted = writer_.Accept(shard_, batch);
    if (accepted.ok()) return Keep(*std::move(accepted), batch);
    if (KillsTheWriter(accepted.status())) {
      result_.writer_is_dead = true;
      result_.may_try_again =
          is_first_ && accepted.status().code() == absl::StatusCode::kUnavailable;
      // What comes after was never sent: not in doubt.
      after_death_ = absl::UnavailableError(accepted.status().message());
    }
    is_first_ = false;
    if (!BlamesARow(accepted.status()) || batch.size() == 1)
      return FailAll(batch.size(), accepted.status());
    const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
    std::vector<AcceptedMessage> second(std::make_move_iterator(middle),
                                        std::make_move_iterator(batch.end()));
    batch.erase(middle, batch.end());
    Commit(batch);
    Commit(second);
  }

  CommitResult Take() && { return std::move(result_); }

 private:
  void FailAll(size_t count, const absl::Status& status) {
    for (size_t i = 0; i < count; ++i) result_.outcomes.emplace_back(status);
  }

  void Keep(AcceptResult accepted, std::vector<AcceptedMessage>& batch) {
    SLUICE_CHECK(accepted.outcomes.size() == batch.size());
    CommittedBatch committed{.shard = shard_,
                             .writer = writer_.writer(),
                             .seq = accepted.seq,
                             .content_partition = accepted.content_partition,
                             .messages = {}};
    for (size_t i = 0; i < batch.size(); ++i) {
      AcceptOutcome& outcome = accepted.outcomes[i];
      if (outcome.kind == AcceptOutcome::Kind::kAccepted) {
        committed.messages.push_back({outcome.message_id, std::move(batch[i])});
      }
      result_.outcomes.emplace_back(std::move(outcome));
    }
    if (accepted.seq != 0) result_.committed.push_back(std::move(committed));
  }

  storage::AcceptWriter& writer_;
  int shard_;
  absl::Status after_death_;
  bool is_first_ = true;
  CommitResult result_;
};

}  // namespace

CommitResult CommitBatch(storage::AcceptWriter& writer, int shard,
                         std::vector<AcceptedMessage>& batch) {
  Committer committer(writer, shard);
  committer.Commit(batch);
  return std::move(committer).Take();
}

}  // namespace sluice::ingest
