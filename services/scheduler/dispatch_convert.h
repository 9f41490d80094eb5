// Dispatch's wire messages ↔ the core's values.
#pragma once

#include "scheduler/types.h"
#include "sluice/v1/dispatch.pb.h"
#include "storage/share_store.h"
#include "storage/tls_result_store.h"

namespace sluice::scheduler {

EgressHello FromProto(const v1::Hello& hello);
std::vector<RoomAt> FromProto(const v1::Rooms& rooms);
// As constraints without an id; those whose value is empty have ended.
std::vector<Constraint> FromProto(const v1::Reactions& reactions, const std::string& egress, Instant now);
// Moves the strings out.
DeliverInput FromProto(v1::DeliverRequest& request);
// Appends; contents longer than a chunk become several, in order.
void ToProto(DeliverBatch& batch, v1::DeliverResponse& response);
v1::Assignment ToProto(const std::vector<AssignedSource>& sources);
v1::SigningKeys ToProto(const std::vector<SigningKey>& keys);
v1::Shaping ToProto(const ShapingOrder& order);
// Holders of an egress are called after it. At most kMostShareUses of them.
std::vector<storage::ShareUse> FromProto(const v1::ShareUses& uses, const std::string& egress);
v1::Shares ToProto(const std::vector<storage::OwnShare>& own, const std::string& egress);
inline constexpr int kMostShareUses = 100'000;
// Hand-off; moves the strings out.
HandedBatch FromProto(v1::AcceptedBatch& batch);
// Moves the strings out; at most kMostTlsResults of them.
std::vector<storage::TlsResultRow> RowsOf(v1::TlsResults& results);
inline constexpr int kMostTlsResults = 1000;

}  // namespace sluice::scheduler
