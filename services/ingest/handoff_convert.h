// A committed batch as Intake takes it.
#pragma once

#include "ingest/commit_batch.h"

namespace sluice::v1 {
class AcceptedBatch;
}

namespace sluice::ingest {

// Contents and names are moved out of `batch`. `out` must be empty.
void ToProto(CommittedBatch batch, v1::AcceptedBatch& out);

}  // namespace sluice::ingest
