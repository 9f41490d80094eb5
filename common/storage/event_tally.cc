#include "storage/event_tally.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "policy/classification.h"
#include "storage/feedback_sql.h"
#include "storage/pooled_session.h"
#include "storage/suppression_columns.h"
#include "storage/suppression_sql.h"

namespace sluice::storage {
namespace {

constexpr size_t kMostDetailBytes = 512;

// Of what one Take reads again; more than so many kinds of refusal at once keep the scope that is usual for their class.
constexpr int kMostClassified = 1'000;

// What is new is a thousandth of a day's events, whatever statistics say: never read them all.
constexpr const char* kByIndex =
    "set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off";

TallyCount CountOf(const pqxx::row& row) {
  return {.source = StringOf(row[0]),
          .provider = StringOf(row[1]),
          .tenant = StringOf(row[2]),
          .kind = StringOf(row[3]),
          .reply_class = StringOf(row[4]),
          .count = IntOf<int64_t>(row[5]),
          .last_at = InstantOf(row[6]),
          .last_reply = StringOf(row[7])};
}

TallyCount StoredCountOf(const pqxx::row& row) {
  TallyCount out = CountOf(row);
  out.reply_rule = StringOf(row[8]);
  out.reply_scope = ParseReplyScope(ViewOf(row[9])).value_or(ReplyScope::kMessage);
  out.sender_domain = StringOf(row[10]);
  return out;
}

// Whom the reply means. The class was decided where it was heard and stays.
void ReadReply(TallyCount& count, std::string_view stage, std::string_view mx_host) {
  const std::optional<SmtpReply> reply = ParseSmtpReply(count.last_reply);
  if (!reply || reply->code < 400) return;
  const Verdict verdict = Classify(*reply, ParseStage(stage).value_or(Stage::kBody), {count.provider, mx_host});
  if (ToString(verdict.reply_class) != count.reply_class) return;
  count.reply_rule = verdict.rule;
  count.reply_scope = verdict.scope;
  const bool is_domain = verdict.culprit == Culprit::kDkimDomain || verdict.culprit == Culprit::kSpfDomain;
  if (is_domain) count.sender_domain = verdict.culprit_name;
}

void Merge(std::vector<TallyCount>& counts, TallyCount one) {
  const auto same = std::find_if(counts.begin(), counts.end(), [&](const TallyCount& c) {
    return c.source == one.source && c.provider == one.provider && c.tenant == one.tenant && c.kind == one.kind &&
           c.reply_class == one.reply_class && c.reply_rule == one.reply_rule && c.sender_domain == one.sender_domain;
  });
  if (same == counts.end()) {
    counts.push_back(std::move(one));
    return;
  }
  same->count += one.count;
  if (one.last_at < same->last_at) return;
  same->last_at = one.last_at;
  same->last_reply = std::move(one.last_reply);
}

Parameters CountParameters(const std::vector<TallyCount>& counts) {
  BinaryArray<Text> source, provider, tenant, kind, reply_class, last_reply, reply_rule, reply_scope, sender_domain;
  BinaryArray<int64_t> count;
  BinaryArray<Instant> last_at;
  for (const TallyCount& one : counts) {
    source.Add(one.source);
    provider.Add(one.provider);
    tenant.Add(one.tenant);
    kind.Add(one.kind);
    reply_class.Add(one.reply_class);
    count.Add(one.count);
    last_at.Add(one.last_at);
    last_reply.Add(one.last_reply);
    reply_rule.Add(one.reply_rule);
    reply_scope.Add(ToString(one.reply_scope));
    sender_domain.Add(one.sender_domain);
  }
  Parameters parameters;
  parameters.Add(source).Add(provider).Add(tenant).Add(kind).Add(reply_class).Add(count);
  parameters.Add(last_at).Add(last_reply).Add(reply_rule).Add(reply_scope).Add(sender_domain);
  return parameters;
}

class PostgresEventTally final : public EventTally {
 public:
  explicit PostgresEventTally(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<Tally> Take(const std::map<std::string, SuppressionLife>& lives, int limit) override {
    return InTransaction<Tally>(pool_, "tally events", [&](auto& tx) -> absl::StatusOr<Tally> {
      Tally tally;
      tx.exec0(kByIndex);
      const std::vector<Range> ranges = Claim(tx, FindNew(tx, limit, tally.is_all));
      if (ranges.empty()) return tally;
      std::vector<Suppression> bad;
      for (const Range& range : ranges) {
        if (Count(tx, range, tally.counts)) AddBad(tx, range, lives, bad);
      }
      if (!tally.counts.empty()) tx.exec_params(sql::kTallyAdd, CountParameters(tally.counts).dynamic());
      tally.suppressed = Suppress(tx, bad);
      return tally;
    });
  }

  absl::StatusOr<std::vector<TallyCount>> Read(Instant from, const std::string& source,
                                               const std::string& provider, bool by_time) override {
    using Counts = std::vector<TallyCount>;
    return InTransaction<Counts>(
        pool_, "read tally", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Counts> {
          Counts counts;
          for (const pqxx::row& row : tx.exec_params(sql::kTallyRead, ToMicros(from), source, provider, by_time)) {
            counts.push_back(StoredCountOf(row));
          }
          return counts;
        });
  }

  absl::Status Forget(Instant before) override {
    return RunTransaction(pool_, "forget tally", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(sql::kTallyForget, ToMicros(before));
      return absl::OkStatus();
    });
  }

 private:
  // Events of one shard: above `from`, up to `to`.
  struct Range {
    int shard;
    int64_t from, to;
  };

  // Shards until there are `limit` events, and no more than that of one.
  static std::vector<Range> FindNew(pqxx::transaction_base& tx, int limit, bool& is_all) {
    std::vector<Range> ranges;
    int64_t count = 0;
    for (const pqxx::row& row : tx.exec_params(sql::kTallyRange, limit)) {
      if (count >= limit) break;
      ranges.push_back({IntOf<int32_t>(row[0]), IntOf<int64_t>(row[1]), IntOf<int64_t>(row[2])});
      count += ranges.back().to - ranges.back().from;
    }
    is_all = count < limit;
    return ranges;
  }

  // Those that nobody else was faster with: the sums of the others are in another transaction.
  static std::vector<Range> Claim(pqxx::transaction_base& tx, std::vector<Range> ranges) {
    if (ranges.empty()) return ranges;
    BinaryArray<int16_t> shards;
    BinaryArray<int64_t> from, to;
    for (const Range& range : ranges) {
      shards.Add(static_cast<int16_t>(range.shard));
      from.Add(range.from);
      to.Add(range.to);
    }
    Parameters parameters;
    parameters.Add(shards).Add(from).Add(to);
    std::set<int> claimed;
    for (const pqxx::row& row : tx.exec_params(sql::kTallyDone, parameters.dynamic())) {
      claimed.insert(IntOf<int32_t>(row[0]));
    }
    std::erase_if(ranges, [&](const Range& range) { return !claimed.contains(range.shard); });
    return ranges;
  }

  // Whether hard bounces are among them.
  static bool Count(pqxx::transaction_base& tx, const Range& range, std::vector<TallyCount>& counts) {
    bool any_bad = false;
    int classified = 0;
    for (const pqxx::row& row : tx.exec_params(sql::kTallyCounts, range.shard, range.from, range.to)) {
      TallyCount count = CountOf(row);
      count.reply_scope = UsualScope(ParseReplyClass(count.reply_class).value_or(ReplyClass::kUnknown));
      if (count.kind != "delivered" && classified++ < kMostClassified) ReadReply(count, ViewOf(row[8]), ViewOf(row[9]));
      any_bad = any_bad || (count.kind == "bounced" && count.reply_class == "rcpt_bad");
      Merge(counts, std::move(count));
    }
    return any_bad;
  }

  // Those whose tenant wants it.
  static void AddBad(pqxx::transaction_base& tx, const Range& range, const std::map<std::string, SuppressionLife>& lives,
                     std::vector<Suppression>& bad) {
    for (const pqxx::row& row : tx.exec_params(sql::kTallyBounces, range.shard, range.from, range.to)) {
      const auto life = lives.find(StringOf(row[0]));
      if (life == lives.end() || !life->second.is_on) continue;
      Suppression& one = bad.emplace_back();
      one = {.tenant = life->first,
             .address = StringOf(row[1]),
             .reason = SuppressionReason::kBounce,
             .detail = StringOf(row[3]).substr(0, kMostDetailBytes),
             .created_at = InstantOf(row[2])};
      if (life->second.age) one.expires_at = one.created_at + *life->second.age;
    }
  }

  // An address may be there once for each shard.
  static int Suppress(pqxx::transaction_base& tx, const std::vector<Suppression>& bad) {
    if (bad.empty()) return 0;
    tx.exec(sql::kSuppressionLock);
    return static_cast<int>(tx.exec_params(sql::kAddSuppressions, SuppressionParameters(bad).dynamic()).size());
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<EventTally> MakeEventTally(ConnectionPool& pool) {
  return std::make_unique<PostgresEventTally>(pool);
}

}  // namespace sluice::storage
