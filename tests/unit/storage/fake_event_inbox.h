// Notes that were posted, in order.
#pragma once

#include <vector>

#include "storage/event_inbox.h"

namespace sluice::testing {

class FakeEventInbox final : public storage::EventInbox {
 public:
  std::vector<storage::InboxNote> notes;
  absl::Status Post(const std::vector<storage::InboxNote>& posted) override {
    notes.insert(notes.end(), posted.begin(), posted.end());
    return absl::OkStatus();
  }
};

}  // namespace sluice::testing
