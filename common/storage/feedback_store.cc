#include "storage/feedback_store.h"

#include <xxhash.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "storage/feedback_sql.h"
#include "storage/inbox_columns.h"
#include "storage/pooled_session.h"
#include "storage/suppression_columns.h"
#include "storage/suppression_sql.h"

namespace sluice::storage {
namespace {

std::string LowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

Hash128 DigestOf(const Feedback& feedback) {
  const FeedbackSubject& subject = feedback.subject;
  std::string text = Cat(feedback.kind, "\n", subject.tenant, "\n", subject.message_id, "\n",
                         LowerAscii(subject.recipient));
  if (subject.message_id == 0) Append(text, "\n", ToMicros(feedback.occurred_at));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {.high = hash.high64, .low = hash.low64};
}

// As PostgreSQL writes it.
std::string UuidText(const Hash128& hash) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint64_t half : {hash.high, hash.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      out += kDigits[half >> shift & 15];
      if (out.size() == 8 || out.size() == 13 || out.size() == 18 || out.size() == 23) out += '-';
    }
  }
  return out;
}

InboxNote NoteOf(const Feedback& feedback) {
  const FeedbackSubject& subject = feedback.subject;
  return {.message_id = subject.message_id,
          .queue_entry_id = subject.queue_entry_id,
          .kind = feedback.kind,
          .tenant = subject.tenant,
          .stream = subject.stream,
          .campaign = subject.campaign,
          .recipient = subject.recipient,
          .pool = subject.pool,
          .provider = subject.provider,
          .source = subject.source,
          .enhanced_status = feedback.enhanced_status,
          .reply = feedback.reply,
          .reply_class = feedback.reply_class,
          .detail = feedback.detail,
          .metadata_json = subject.metadata_json};
}

FeedbackSubject SubjectOf(const pqxx::row& row) {
  return {.message_id = IntOf<int64_t>(row[1]),
          .queue_entry_id = IntOf<int64_t>(row[2]),
          .tenant = StringOf(row[3]),
          .stream = StringOf(row[4]),
          .campaign = StringOf(row[5]),
          .recipient = StringOf(row[6]),
          .pool = StringOf(row[7]),
          .provider = StringOf(row[8]),
          .source = StringOf(row[9]),
          .metadata_json = BytesOf(row[10])};
}

class PostgresFeedbackStore final : public FeedbackStore {
 public:
  explicit PostgresFeedbackStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::vector<std::optional<FeedbackSubject>>> Match(
      const std::vector<FeedbackKey>& keys) override {
    using Subjects = std::vector<std::optional<FeedbackSubject>>;
    BinaryArray<int64_t> message_id, entry_id;
    BinaryArray<Text> recipient;
    for (const FeedbackKey& key : keys) {
      message_id.Add(key.message_id);
      entry_id.Add(key.queue_entry_id);
      recipient.Add(LowerAscii(key.recipient));
    }
    Parameters parameters;
    parameters.Add(message_id).Add(entry_id).Add(recipient);
    return InTransaction<Subjects>(
        pool_, "match feedback", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Subjects> {
          Subjects subjects(keys.size());
          for (const pqxx::row& row : tx.exec_params(sql::kMatchFeedback, parameters.dynamic())) {
            const auto n = static_cast<size_t>(IntOf<int64_t>(row[0]) - 1);
            SLUICE_CHECK(n < subjects.size());
            if (!subjects[n]) subjects[n] = SubjectOf(row);
          }
          return subjects;
        });
  }

  absl::StatusOr<std::vector<bool>> Record(const std::vector<Feedback>& feedback,
                                           Instant now) override {
    std::vector<std::string> digests;
    BinaryArray<Hash128> digest;
    for (const Feedback& one : feedback) {
      const Hash128 hash = DigestOf(one);
      digest.Add(hash);
      digests.push_back(UuidText(hash));
    }
    Parameters parameters;
    parameters.Add(digest);
    using New = std::vector<bool>;
    return InTransaction<New>(
        pool_, "record feedback", [&](pqxx::transaction_base& tx) -> absl::StatusOr<New> {
          std::set<std::string> fresh;
          for (const pqxx::row& row :
               tx.exec_params(sql::kTellFeedback, parameters.dynamic(), ToMicros(now))) {
            fresh.insert(StringOf(row[0]));
          }
          New is_new;
          InboxColumns notes;
          std::vector<Suppression> suppressions;
          for (size_t i = 0; i < feedback.size(); ++i) {
            is_new.push_back(fresh.erase(digests[i]) > 0);
            if (!is_new.back()) continue;
            notes.Add(NoteOf(feedback[i]));
            if (feedback[i].suppression) suppressions.push_back(*feedback[i].suppression);
          }
          if (notes.shard.count() > 0) tx.exec_params(sql::kPostNotes, notes.ToParameters().dynamic());
          if (!suppressions.empty()) {
            tx.exec(sql::kSuppressionLock);
            tx.exec_params(sql::kAddSuppressions, SuppressionParameters(suppressions).dynamic());
          }
          return is_new;
        });
  }

  absl::Status Forget(Instant before) override {
    return RunTransaction(pool_, "forget feedback", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(sql::kForgetFeedback, ToMicros(before));
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<FeedbackStore> MakeFeedbackStore(ConnectionPool& pool) {
  return std::make_unique<PostgresFeedbackStore>(pool);
}

}  // namespace sluice::storage
