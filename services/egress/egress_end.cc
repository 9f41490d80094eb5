// How egress ends: the good end (Drain) and the end of the process.
#include <future>
#include <utility>

#include <asio/post.hpp>

#include "base/check.h"
#include "egress/egress.h"

namespace sluice::egress {

template <class Predicate>
bool Egress::WaitFor(Duration most, const Predicate& is_done) {
  constexpr Duration kPoll = std::chrono::milliseconds(5);
  for (Duration waited{0}; waited < most; waited += kPoll) {
    if (is_done()) return true;
    std::this_thread::sleep_for(kPoll);
  }
  return is_done();
}

void Egress::OnControl(const std::function<void()>& work) {
  std::promise<void> done;
  asio::post(control_, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void Egress::Drain() {
  if (std::exchange(is_drained_, true)) return;
  custody_.StartDrain();
  OnControl([this] {
    for (auto& [address, link] : links_) link->TellDrain();
    GiveUp([](const Entry&) { return true; }, ReturnReason::kDrain, {});
  });
  const auto is_quiet = [this] { return custody_.Stats().begun == 0; };
  if (!WaitFor(options_.drain_grace, is_quiet)) {
    for (auto& thread : threads_) thread->Abort(/*also_past_dot=*/false);
  }
  if (!WaitFor(options_.drain_past_dot, is_quiet)) {
    for (auto& thread : threads_) thread->Abort(/*also_past_dot=*/true);
    WaitFor(options_.drain_grace, is_quiet);
  }
  WaitFor(options_.drain_reports, [this] {
    const CustodyStats stats = custody_.Stats();
    return stats.unacked == 0 && stats.unwritten == 0;
  });
  const CustodyStats left = custody_.Stats();
  parts_.logger.Info("drained", {{"begun_left", left.begun}, {"reports_left", left.unacked}});
}

Egress::~Egress() {
  dialer_.reset();
  OnControl([this] {
    for (auto& [address, link] : links_) link->Stop();
  });
  const bool are_idle = WaitFor(std::chrono::seconds(30), [this] {
    bool idle = true;
    OnControl([&] {
      for (const auto& [address, link] : links_) idle = idle && link->is_idle();
    });
    return idle;
  });
  SLUICE_CHECK(are_idle);  // A cancelled call ends; what it refers to is about to go.
  control_.stop();
  control_thread_.join();
  for (auto& thread : threads_) thread->Stop();
  // What it works on belongs to coroutines of the threads.
  signers_.Stop();
  // Answers its open questions into event loops that have stopped but still exist.
  parts_.resolver.reset();
  parts_.https.reset();
  threads_.clear();
}

}  // namespace sluice::egress
