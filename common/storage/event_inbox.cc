#include "storage/event_inbox.h"

#include "storage/inbox_columns.h"
#include "storage/pooled_session.h"

namespace sluice::storage {
namespace {

class PostgresEventInbox final : public EventInbox {
 public:
  explicit PostgresEventInbox(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Post(const std::vector<InboxNote>& notes) override {
    if (notes.empty()) return absl::OkStatus();
    InboxColumns columns;
    for (const InboxNote& note : notes) columns.Add(note);
    const Parameters parameters = columns.ToParameters();
    return RunTransaction(pool_, "post notes", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(sql::kPostNotes, parameters.dynamic());
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<EventInbox> MakeEventInbox(ConnectionPool& pool) {
  return std::make_unique<PostgresEventInbox>(pool);
}

}  // namespace sluice::storage
