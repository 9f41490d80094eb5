// AdminService.ReportFeedback: proto in and out.
#pragma once

#include "absl/status/status.h"
#include "base/clock.h"
#include "sluice/v1/admin.pb.h"
#include "storage/feedback_intake.h"

namespace sluice::scheduler {

// Any scheduler takes it. INVALID_ARGUMENT names the first wrong element; nothing is recorded then.
absl::Status ReportFeedback(const storage::FeedbackIntake& intake, Instant now,
                            const v1::ReportFeedbackRequest& request,
                            v1::ReportFeedbackResponse* response);

}  // namespace sluice::scheduler
