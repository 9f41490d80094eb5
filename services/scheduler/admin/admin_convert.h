// What the admin verbs answer, and are asked, ↔ admin.proto.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/admin/constraints.h"
#include "scheduler/admin/keys.h"
#include "scheduler/admin/policy.h"
#include "scheduler/admin/status.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::scheduler {

void SetTime(Instant at, google::protobuf::Timestamp* out);
void ToProto(const std::vector<PolicyFinding>& from,
             google::protobuf::RepeatedPtrField<v1::PolicyFinding>* out);
void ToProto(const storage::PolicyRevision& from, v1::PolicyRevision* out);
void ToProto(const storage::ApiKey& from, v1::ApiKey* out);
storage::KeyLimits FromProto(const v1::ApiKeyLimits& limits);
void ToProto(const SourceState& from, v1::SourceStatus* out);
void ToProto(const SystemStatus& from, v1::GetStatusResponse* out);
void ToProto(const Constraint& from, v1::Constraint* out);
absl::StatusOr<Scope> ScopeOf(const v1::Match& from);
Instant TimeOf(const google::protobuf::Timestamp& at);
absl::StatusOr<int64_t> IdOf(const std::string& text);

}  // namespace sluice::scheduler
