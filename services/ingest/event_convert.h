// Rows of the event and queue tables as the public API tells them.
#pragma once

#include <optional>
#include <string>

#include "storage/entry_store.h"
#include "storage/event_store.h"

namespace sluice::v1 {
class Event;
class QueueEntry;
}  // namespace sluice::v1

namespace sluice::ingest {

void ToProto(const storage::StoredEvent& event, v1::Event& out);
void ToProto(const storage::QueueEntryRow& entry, v1::QueueEntry& out);

// Number of v1::EventKind ⇄ the name in the event table ("delivered"). 0 and "" for what is
// unknown.
int KindNumber(const std::string& name);
std::string KindName(int number);

}  // namespace sluice::ingest
