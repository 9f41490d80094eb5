#include "ingest/cancel_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <set>

#include "base/status.h"
#include "base/text.h"
#include "sluice/v1/intake.grpc.pb.h"
#include "wire/status.h"

namespace sluice::ingest {
namespace {

constexpr Duration kRetryDelay = std::chrono::seconds(2);

}  // namespace

void CancelClient::SetOwners(const std::map<int, std::string>& owners) {
  std::set<std::string> wanted;
  for (const auto& [shard, endpoint] : owners) wanted.insert(endpoint);
  const std::lock_guard lock(mutex_);
  owners_ = owners;
  std::erase_if(channels_, [&](const auto& channel) { return !wanted.contains(channel.first); });
}

absl::StatusOr<std::vector<std::pair<int64_t, bool>>> CancelClient::Cancel(
    MessageId message, const std::vector<int64_t>& entries) {
  std::shared_ptr<grpc::Channel> channel;
  {
    const std::lock_guard lock(mutex_);
    const auto owner = owners_.find(ShardOf(message).value());
    if (owner == owners_.end()) {
      return wire::Retry(absl::StatusCode::kUnavailable,
                         "no scheduler owns this message now: try again", kRetryDelay);
    }
    std::shared_ptr<grpc::Channel>& known = channels_[owner->second];
    if (known == nullptr) {
      ASSIGN_OR_RETURN(known, wire::MakeChannel(owner->second, options_));
    }
    channel = known;
  }
  v1::CancelEntriesRequest request;
  request.set_message_id(message.value());
  for (const int64_t id : entries) request.add_queue_entry_ids(id);
  v1::CancelEntriesResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
  const grpc::Status status =
      v1::IntakeService::NewStub(channel)->CancelEntries(&context, request, &response);
  if (!status.ok()) {
    return wire::Retry(absl::StatusCode::kUnavailable,
                       Cat("the scheduler that owns this message does not answer (",
                           status.error_message(), "): it may or may not be cancelled, ask again"),
                       kRetryDelay);
  }
  std::vector<std::pair<int64_t, bool>> answers;
  for (const auto& outcome : response.outcomes())
    answers.emplace_back(outcome.queue_entry_id(), outcome.cancelled());
  return answers;
}

}  // namespace sluice::ingest
