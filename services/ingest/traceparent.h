// The trace context of a call, from its gRPC metadata.
#pragma once

#include <string>

#include "ingest/ingest_metrics.h"

namespace grpc {
class ServerContextBase;
}

namespace sluice::ingest {

// Empty when there is none, or it is malformed, which is counted: a broken tracer never costs mail.
std::string TraceparentOf(const grpc::ServerContextBase& context, IngestMetrics& metrics);

}  // namespace sluice::ingest
