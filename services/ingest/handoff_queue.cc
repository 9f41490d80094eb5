#include "ingest/handoff_queue.h"

#include <utility>

namespace sluice::ingest {

size_t ContentBytes(const CommittedBatch& batch) {
  size_t bytes = 0;
  for (const CommittedBatch::Message& message : batch.messages)
    bytes += message.message.content.size();
  return bytes;
}

void DropContent(CommittedBatch& batch) {
  for (CommittedBatch::Message& message : batch.messages)
    std::string().swap(message.message.content);
}

HandoffQueue::Pushed HandoffQueue::Push(CommittedBatch batch) {
  Pushed pushed = Pushed::kWhole;
  const size_t bytes = ContentBytes(batch);
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || messages_ + batch.messages.size() > options_.messages) return Pushed::kDropped;
    if (content_bytes_ + bytes > options_.content_bytes) {
      DropContent(batch);
      pushed = Pushed::kWithoutContent;
    } else {
      content_bytes_ += bytes;
    }
    messages_ += batch.messages.size();
    queue_.push_back(std::move(batch));
  }
  pushed_.notify_one();
  return pushed;
}

std::vector<CommittedBatch> HandoffQueue::Pop(size_t bytes, Duration timeout) {
  std::vector<CommittedBatch> batches;
  std::unique_lock lock(mutex_);
  pushed_.wait_for(lock, timeout, [this] { return closed_ || !queue_.empty(); });
  size_t taken = 0;
  while (!queue_.empty()) {
    const size_t next = ContentBytes(queue_.front());
    if (!batches.empty() && taken + next > bytes) break;
    taken += next;
    content_bytes_ -= next;
    messages_ -= queue_.front().messages.size();
    batches.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batches;
}

size_t HandoffQueue::Clear() {
  const std::lock_guard lock(mutex_);
  const size_t batches = queue_.size();
  queue_.clear();
  content_bytes_ = 0;
  messages_ = 0;
  return batches;
}

void HandoffQueue::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  pushed_.notify_all();
}

bool HandoffQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void ContentWindow::OnSent(size_t bytes) {
  unhandled_.push_back(bytes);
  unhandled_bytes_ += static_cast<int64_t>(bytes);
}

void ContentWindow::OnAnswer(int64_t handled_count, int64_t budget_bytes) {
  for (; handled_ < handled_count && !unhandled_.empty(); ++handled_) {
    unhandled_bytes_ -= static_cast<int64_t>(unhandled_.front());
    unhandled_.pop_front();
  }
  budget_ = budget_bytes;
}

}  // namespace sluice::ingest
