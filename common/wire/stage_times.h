// StageTimes, proto and value.
#pragma once

#include "mail/stage_times.h"
#include "sluice/v1/types.pb.h"

namespace sluice::wire {

v1::StageTimes ToProto(const StageTimes& times);
StageTimes FromProto(const v1::StageTimes& times);

}  // namespace sluice::wire
