// The way onto the core's thread: calls are queued by anybody and made in order by the one thread that runs the core.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::scheduler {

class Mailbox {
 public:
  using Call = std::function<void()>;

  // Thread-safe; never blocks for long. After Close calls are dropped.
  void Post(Call call) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      calls_.push_back(std::move(call));
      if (calls_.size() > 1) return;  // Somebody has woken the core already.
    }
    wake_.notify_one();
  }

  // What `question` answers on the core's thread; nothing after `patience`. It may be asked then all the same: it refers to nothing
  // that goes before the core does. Not for the core's thread itself.
  template <class Question>
  std::optional<std::invoke_result_t<Question&>> Ask(Question question, std::chrono::microseconds patience) {
    // Held here as well, so that a call that is dropped breaks no promise.
    const auto promise = std::make_shared<std::promise<std::invoke_result_t<Question&>>>();
    auto answer = promise->get_future();
    Post([promise, question = std::move(question)]() mutable { promise->set_value(question()); });
    if (answer.wait_for(patience) != std::future_status::ready) return std::nullopt;
    return answer.get();
  }

  // Everything queued by now, waiting at most `patience` for something. Empty after Close when nothing is left.
  std::vector<Call> Take(std::chrono::microseconds patience) {
    std::unique_lock lock(mutex_);
    if (calls_.empty() && patience.count() > 0) {
      wake_.wait_for(lock, patience, [&] { return !calls_.empty() || closed_; });
    }
    return std::exchange(calls_, {});
  }

  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    wake_.notify_one();
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Call> calls_;
  bool closed_ = false;
};

}  // namespace sluice::scheduler
