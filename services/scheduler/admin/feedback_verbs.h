// AdminService.ReportFeedback: proto in and out.
#pragma once

#include "absl/status/status.h"
#include "base/clock.h"
#include "scheduler/admin/feedback.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::scheduler {

// Any scheduler takes it. INVALID_ARGUMENT names the first wrong element; nothing is recorded then.
absl::Status ReportFeedback(const FeedbackFace& face, Instant now,
                            const v1::ReportFeedbackRequest& request,
                            v1::ReportFeedbackResponse* response);

}  // namespace sluice::scheduler
