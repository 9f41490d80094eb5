#include "net/timeout.h"

#include <chrono>
#include <utility>

#include <asio/steady_timer.hpp>

namespace sluice {

using TimePoint = asio::steady_timer::time_point;

struct Deadline::Watch {
  explicit Watch(const asio::any_io_executor& executor) : timer(executor) {}

  static void Arm(const std::shared_ptr<Watch>& watch) {
    watch->armed_for = watch->deadline;
    // Replaces an earlier wait, whose handler then gets operation_aborted.
    watch->timer.expires_at(watch->deadline);
    watch->timer.async_wait([watch](const asio::error_code& error) {
      if (!error) {
        Fire(watch);
      }
    });
  }

  static void Fire(const std::shared_ptr<Watch>& watch) {
    watch->armed_for = TimePoint::max();
    if (watch->deadline == TimePoint::max() || !watch->on_expiry) {
      return;
    }
    if (watch->deadline > asio::steady_timer::clock_type::now()) {
      Arm(watch);
      return;
    }
    watch->deadline = TimePoint::max();
    watch->has_passed = true;
    watch->on_expiry();
  }

  asio::steady_timer timer;
  TimePoint deadline = TimePoint::max();
  TimePoint armed_for = TimePoint::max();  // max = the timer is not running
  bool has_passed = false;
  std::function<void()> on_expiry;
};

Deadline::Deadline(const asio::any_io_executor& executor, std::function<void()> on_expiry)
    : watch_(std::make_shared<Watch>(executor)) {
  watch_->on_expiry = std::move(on_expiry);
}

Deadline::~Deadline() {
  watch_->deadline = TimePoint::max();
  watch_->on_expiry = nullptr;
  watch_->timer.cancel();
}

void Deadline::Set(Duration timeout) {
  watch_->has_passed = false;
  watch_->deadline = asio::steady_timer::clock_type::now() + timeout;
  if (watch_->deadline < watch_->armed_for) {
    Watch::Arm(watch_);
  }
}

void Deadline::Clear() { watch_->deadline = TimePoint::max(); }

bool Deadline::has_passed() const { return watch_->has_passed; }

}  // namespace sluice
