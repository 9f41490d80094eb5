// The face of SubmissionService: decodes, hands to the use cases, encodes. Nothing is decided here.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "ingest/accept.h"
#include "ingest/ingest_metrics.h"
#include "ingest/lookup.h"

namespace grpc {
class Service;
}

namespace sluice::ingest {

// What the face works with; all of it must outlive the server.
struct SubmissionParts {
  Accept& accept;
  Lookup& lookup;
  // For checking and compressing.
  ThreadPool& workers;
  // For questions that wait for the database.
  ThreadPool& queries;
  IngestMetrics& metrics;
  const Clock& clock;
};

class SubmissionFace {
 public:
  virtual ~SubmissionFace() = default;
  virtual grpc::Service& service() = 0;
  // Streams read no more, answer what they have read and end with UNAVAILABLE, new ones at once.
  virtual void EndStreams() = 0;
};
std::unique_ptr<SubmissionFace> MakeSubmissionFace(const SubmissionParts& parts);

}  // namespace sluice::ingest
