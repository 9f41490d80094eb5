// Feedback in memory, with the contract of storage::FeedbackStore.
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "storage/feedback_store.h"

namespace sluice::testing {

// Not thread-safe.
class FakeFeedbackStore final : public storage::FeedbackStore {
 public:
  absl::StatusOr<std::vector<std::optional<storage::FeedbackSubject>>> Match(
      const std::vector<storage::FeedbackKey>& keys) override {
    std::vector<std::optional<storage::FeedbackSubject>> out;
    for (const storage::FeedbackKey& key : keys) {
      const auto it = sent.find(key.message_id);
      out.push_back(it == sent.end() ? std::nullopt : std::optional(it->second));
    }
    return out;
  }
  absl::StatusOr<std::vector<bool>> Record(const std::vector<storage::Feedback>& feedback,
                                           Instant) override {
    std::vector<bool> is_new;
    for (const storage::Feedback& one : feedback) {
      is_new.push_back(
          told_.emplace(one.kind, one.subject.message_id, one.subject.recipient).second);
      if (is_new.back()) recorded.push_back(one);
    }
    return is_new;
  }
  absl::Status Forget(Instant) override { return absl::OkStatus(); }

  std::map<int64_t, storage::FeedbackSubject> sent;  // By message.
  std::vector<storage::Feedback> recorded;

 private:
  std::set<std::tuple<std::string, int64_t, std::string>> told_;
};

}  // namespace sluice::testing
