// What is needed to take reports of bounces, complaints and unsubscribes that came another way than by our listener.
#pragma once

#include <functional>
#include <string>

#include "storage/feedback_intake.h"

namespace sluice::scheduler {

struct FeedbackFace {
  const storage::FeedbackIntake& intake;
  std::function<absl::StatusOr<bool>(const std::string& tenant)> knows_tenant;
};

}  // namespace sluice::scheduler
