// Dispatch's wire messages ↔ the values of egress. What comes from the wire is taken apart (strings
// are moved out); what makes no sense there is dropped or brought into bounds here.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "egress/addresses.h"
#include "egress/content_cache.h"
#include "egress/custody.h"
#include "egress/share_teller.h"
#include "egress/surroundings.h"
#include "egress/tls_results.h"
#include "egress/trace.h"
#include "egress/work.h"
#include "mail/reply_rule.h"
#include "mail/signing_key.h"
#include "policy/shaping.h"
#include "sluice/v1/dispatch.pb.h"

namespace sluice::egress {

// `spare` takes the place of the data in the message, so that the next one to be received in it
// finds room.
ContentPart FromProto(v1::ContentChunk& chunk, std::string spare);
EntryPtr FromProto(v1::Release& release, std::shared_ptr<Session> session);
std::vector<AssignedSource> FromProto(const v1::Assignment& assignment);
std::vector<SigningKey> FromProto(const v1::SigningKeys& keys);
LimitBook FromProto(const v1::Shaping& shaping);
std::vector<ReplyRule> ReplyRulesOf(const v1::Shaping& shaping);
std::vector<PlacedAutomation> AutomationOf(const v1::Shaping& shaping);
v1::Reactions ToProto(const std::vector<NumberedReaction>& reactions);

v1::DeliverRequest ToProto(const DeliverBatch& batch);
v1::AssignmentResult ToProto(const BindResult& result);
v1::ShareUses ToProto(const std::vector<HeldUse>& uses);
std::vector<HeldShare> FromProto(const v1::Shares& shares);
v1::Rooms ToProto(std::span<const RoomFor> rooms);

v1::TlsResults ToProto(const std::vector<TlsResults::Counted>& results);
std::vector<TraceFilter> FromProto(const v1::TraceOrder& order);
v1::TraceLines ToProto(const std::deque<TracedLine>& lines, int64_t dropped);

}  // namespace sluice::egress
