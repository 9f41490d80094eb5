// What gRPC itself lets through. A SubmitStream frame carries up to 64 MB of submissions (proto
// comments), the rest is for recipients and metadata.
#pragma once

namespace sluice::wire {

inline constexpr int kMaxMessageBytes = 70 * 1024 * 1024;

}  // namespace sluice::wire
