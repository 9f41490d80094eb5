#include "scheduler/content_store.h"

namespace sluice::scheduler {

void ContentStore::Attach(int64_t message_id, std::shared_ptr<const Content> content) {
  Used& used = contents_[message_id];
  if (used.content == nullptr && content != nullptr) {
    bytes_ += static_cast<int64_t>(content->bytes());
    used.content = std::move(content);
  }
  ++used.entries;
}

void ContentStore::Detach(int64_t message_id) {
  const auto it = contents_.find(message_id);
  if (it == contents_.end() || --it->second.entries > 0) return;
  if (it->second.content != nullptr) bytes_ -= static_cast<int64_t>(it->second.content->bytes());
  contents_.erase(it);
}

std::shared_ptr<const Content> ContentStore::Find(int64_t message_id) const {
  const auto it = contents_.find(message_id);
  return it == contents_.end() ? nullptr : it->second.content;
}

void ContentStore::Keep(int64_t entry_id, int64_t message_id, EntryPayload payload,
                        std::shared_ptr<const Content> content) {
  Attach(message_id, std::move(content));
  payloads_.emplace(entry_id, std::move(payload));
}

bool ContentStore::Take(int64_t entry_id, EntryPayload& payload) {
  const auto it = payloads_.find(entry_id);
  if (it == payloads_.end()) return false;
  payload = std::move(it->second);
  payloads_.erase(it);
  return true;
}

void ContentStore::Drop(int64_t entry_id, int64_t message_id) {
  if (payloads_.erase(entry_id) > 0) Detach(message_id);
}

}  // namespace sluice::scheduler
