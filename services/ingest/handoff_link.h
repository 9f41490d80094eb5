// The hand-off stream over gRPC: a thread of its own takes batches from the queue and writes them,
// another reads the scheduler's answers. A broken stream is opened again with a delay; what waited
// meanwhile is forgotten.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "ingest/handoff.h"
#include "wire/channel.h"

namespace sluice::ingest {

struct HandoffLinkOptions {
  wire::ChannelOptions channel;
  HandoffQueue::Options queue;
  // Content of one write.
  size_t write_bytes = size_t{1} << 20;
  Duration connect_timeout = std::chrono::milliseconds(500);
  Duration reconnect_delay = std::chrono::milliseconds(500);
  // How long the destructor lets queued batches go out.
  Duration close_timeout = std::chrono::seconds(1);
};

// `on_not_owned` is called (on a thread of the link) when the scheduler says that it does not own a
// shard: it is time to look at the leases again. `log` must outlive the link.
std::unique_ptr<HandoffLink> OpenHandoffLink(const std::string& endpoint,
                                             const HandoffLinkOptions& options,
                                             std::function<void()> on_not_owned, const Logger& log);

}  // namespace sluice::ingest
