// A fixed number of threads that run what is posted, in order of posting. For work that must not
// run on a transport's threads; not for work that waits long.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sluice {

// Thread-safe. The queue is as long as its users let it become: whoever posts bounds what it posts.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  // Runs what was posted, then joins.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Never blocks. Not to be called once the destructor has begun, but from posted work.
  void Post(std::function<void()> work);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sluice
