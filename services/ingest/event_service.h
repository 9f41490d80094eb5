// The face of EventService: each subscriber is a reader that is stepped as fast as it takes what it
// gets, and looked at a few times a second when there is nothing.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "ingest/accept.h"
#include "ingest/ingest_metrics.h"
#include "storage/event_store.h"

namespace grpc {
class Service;
}

namespace sluice::ingest {

// What the face works with; all of it must outlive the server.
struct EventParts {
  Accept& accept;
  storage::EventStore& events;
  ThreadPool& queries;
  IngestMetrics& metrics;
  // How long a new event may wait to be looked for.
  Duration poll_interval = std::chrono::milliseconds(200);
  size_t most_subscribers = 64;
};

class EventFace {
 public:
  virtual ~EventFace() = default;
  virtual grpc::Service& service() = 0;
  // Subscriptions end with UNAVAILABLE; the cursor lets them go on elsewhere.
  virtual void EndStreams() = 0;
};
std::unique_ptr<EventFace> MakeEventFace(const EventParts& parts);

}  // namespace sluice::ingest
