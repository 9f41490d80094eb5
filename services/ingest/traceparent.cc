#include "ingest/traceparent.h"

#include <grpcpp/server_context.h>

#include "mail/trace_context.h"

namespace sluice::ingest {

std::string TraceparentOf(const grpc::ServerContextBase& context, IngestMetrics& metrics) {
  const auto& metadata = context.client_metadata();
  const auto [begin, end] = metadata.equal_range(grpc::string_ref(kTraceparent.data(), kTraceparent.size()));
  if (begin == end) return {};
  // Two of them say nothing.
  std::optional<std::string> parsed;
  if (std::next(begin) == end) parsed = ParseTraceparent(std::string_view(begin->second.data(), begin->second.size()));
  if (!parsed.has_value()) metrics.OnMalformedTraceparent();
  return std::move(parsed).value_or("");
}

}  // namespace sluice::ingest
