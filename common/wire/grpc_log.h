// gRPC logs to stderr in a format of its own; this makes its errors logfmt lines like ours, or
// silences them.
#pragma once

namespace sluice::wire {

// For services: errors only, as `level=warn event=grpc text="…"`.
void UseLogfmtForGrpc();
// For sluicectl: a person sees the status of the call, nothing else.
void SilenceGrpc();

}  // namespace sluice::wire
