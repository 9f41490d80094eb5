#include "egress/channels.h"

#include <grpcpp/channel.h>

#include "base/status.h"
#include "wire/channel.h"

namespace sluice::egress {

absl::StatusOr<SchedulerLink::Channels> MakeChannels(const wire::CredentialsConfig& credentials,
                                                     const DialTarget& target) {
  wire::ChannelOptions options;
  options.credentials = credentials;
  options.server_name = target.server_name;
  SchedulerLink::Channels channels;
  ASSIGN_OR_RETURN(channels.control, wire::MakeChannel(target.address, options));
  ASSIGN_OR_RETURN(channels.deliver, wire::MakeChannel(target.address, options));
  return channels;
}

}  // namespace sluice::egress
