// Entries, contents and a Deliver stream for the tests of egress.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "egress/custody.h"
#include "egress/work.h"

namespace sluice::egress {

inline int64_t IdIn(int shard, int64_t counter) { return (int64_t{shard} << 56) | counter; }

inline EntryPtr MakeEntry(std::shared_ptr<Session> session, int64_t id, int64_t message = 1) {
  auto entry = std::make_unique<Entry>();
  entry->id = QueueEntryId(id);
  entry->message = MessageId(message);
  entry->attempt_id = static_cast<uint64_t>(id) * 10;
  entry->recipient = "someone@example.com";
  entry->source = SourceName("ip-11");
  entry->site = SiteName("mx.example.com");
  entry->not_after = FromMicros(4'000'000'000'000'000);
  entry->session = std::move(session);
  return entry;
}

inline ReportPtr MakeReport(int64_t id, uint64_t attempt_id = 0) {
  auto report = std::make_shared<Report>();
  report->entry = QueueEntryId(id);
  report->attempt_id = attempt_id;
  return report;
}

// Keeps what was written; the test says when a write has ended.
class FakeSink final : public DeliverSink {
 public:
  void Write(DeliverBatch batch) override { writes.push_back(std::move(batch)); }
  void FlushAt(SteadyInstant at) override { flushes.push_back(at); }

  std::vector<DeliverBatch> writes;
  std::vector<SteadyInstant> flushes;
};

}  // namespace sluice::egress
