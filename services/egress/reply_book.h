// The reply rules in force: the shipped ones with the operator's above them. Replaced as a whole by the control thread, read by any.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "policy/classification.h"

namespace sluice::egress {

class ReplyBook {
 public:
  // Compiles their patterns, unless they are what they were.
  void SetRules(const std::vector<ReplyRule>& operators) {
    if (operators == operators_) return;
    auto rules = std::make_shared<const ReplyRules>(operators);
    operators_ = operators;
    const std::lock_guard lock(mutex_);
    rules_ = std::move(rules);
  }
  // Verdicts refer to the rules they were made by: keep them as long.
  std::shared_ptr<const ReplyRules> Read() const {
    const std::lock_guard lock(mutex_);
    return rules_;
  }

 private:
  std::vector<ReplyRule> operators_;  // Control thread.
  mutable std::mutex mutex_;
  std::shared_ptr<const ReplyRules> rules_ = std::make_shared<const ReplyRules>();
};

}  // namespace sluice::egress
