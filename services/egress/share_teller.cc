#include "egress/share_teller.h"

#include <utility>

#include <asio/post.hpp>

#include "base/text.h"

namespace sluice::egress {

void ShareTeller::Tick(SteadyInstant now) {
  if (now - started_at_ < (round_ == nullptr ? kEvery : kPatience)) return;
  if (round_ != nullptr) ++place_;
  started_at_ = now;
  round_ = std::make_shared<Round>();
  round_->at = now;
  round_->missing = threads_.size();
  for (size_t i = 0; i < threads_.size(); ++i) {
    threads_[i]->AskShares([this, round = round_, i](std::vector<ShareUse> uses) {
      asio::post(control_, [this, round, i, uses = std::move(uses)]() mutable { Collected(round, i, std::move(uses)); });
    });
  }
}

std::string ShareTeller::HolderOf(size_t thread, bool is_rate) const {
  return is_rate ? Cat(thread, " of ", incarnation_) : Cat(thread);
}

void ShareTeller::Collected(const std::shared_ptr<Round>& round, size_t thread, std::vector<ShareUse> uses) {
  if (round != round_) return;
  for (ShareUse& use : uses) {
    std::string holder = HolderOf(thread, use.is_rate);
    round->uses.push_back({.holder = std::move(holder), .use = std::move(use)});
  }
  if (--round->missing > 0) return;
  if (round->uses.empty()) {
    round_ = nullptr;
  } else {
    tell_(place_, round->at.time_since_epoch().count(), round->uses);
  }
}

void ShareTeller::Given(int64_t sent_at_micros, Duration valid_for, const std::vector<HeldShare>& shares) {
  if (round_ == nullptr || round_->missing > 0 || round_->at.time_since_epoch().count() != sent_at_micros) return;
  const SteadyInstant until = round_->at + valid_for;
  round_ = nullptr;
  for (size_t i = 0; i < threads_.size(); ++i) {
    std::vector<GivenShare> own;
    for (const HeldShare& held : shares) {
      if (held.holder == HolderOf(i, false) || held.holder == HolderOf(i, true)) own.push_back(held.share);
    }
    threads_[i]->GiveShares(std::move(own), until);
  }
}

}  // namespace sluice::egress
