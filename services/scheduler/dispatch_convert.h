// Dispatch's wire messages ↔ the core's values.
#pragma once

#include "scheduler/types.h"
#include "sluice/v1/dispatch.pb.h"
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
// Hand-off; moves the strings out.
HandedBatch FromProto(v1::AcceptedBatch& batch);
// Moves the strings out; at most kMostTlsResults of them.
std::vector<storage::TlsResultRow> RowsOf(v1::TlsResults& results);
inline constexpr int kMostTlsResults = 1000;

}  // namespace sluice::scheduler
