// One message's bytes as the scheduler sent them, shared by all entries that name the message.
// Knows how to decode them; keeping and dropping is content_cache.h.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "egress/content_memory.h"
#include "mail/ids.h"

namespace sluice::egress {

enum class ContentEncoding : uint8_t { kIdentity, kLz4 };

// Bytes ready to be sent; lives as long as someone sends them.
class DecodedBody {
 public:
  // `size` bytes without a value.
  DecodedBody(size_t size, std::shared_ptr<ContentMemory> memory)
      : memory_(std::move(memory)), bytes_(memory_->TakeBuffer(size)), size_(size) {}
  ~DecodedBody() { memory_->GiveBuffer(std::move(bytes_), size_); }
  DecodedBody(const DecodedBody&) = delete;
  DecodedBody& operator=(const DecodedBody&) = delete;

  char* bytes() { return bytes_.get(); }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  const std::shared_ptr<ContentMemory> memory_;
  std::unique_ptr<char[]> bytes_;
  const size_t size_;
};

struct ContentFields {
  MessageId id;
  ContentEncoding encoding = ContentEncoding::kIdentity;
  std::string data;
  size_t size_bytes = 0;  // before encoding
  std::string prepended_headers;
  std::string return_path;
  bool has_8bit = false;
  bool needs_smtputf8 = false;
  bool has_merge = false;
};

// Immutable but for the shared decoded form. Thread-safe.
class Content {
 public:
  Content(ContentFields fields, std::shared_ptr<ContentMemory> memory)
      : memory_(std::move(memory)), fields_(std::move(fields)) {}
  ~Content() { memory_->GiveString(std::move(fields_.data)); }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  const ContentFields& fields() const { return fields_; }
  // What it costs to keep, decoded form not counted.
  size_t cost_bytes() const {
    return sizeof(Content) + fields_.data.capacity() + fields_.prepended_headers.size() +
           fields_.return_path.size();
  }
  // What Body allocates when nobody shares it.
  size_t decoded_bytes() const {
    return fields_.encoding == ContentEncoding::kIdentity ? 0 : fields_.size_bytes;
  }
  // A view of the message as submitted. `keep` holds what the view points into (nothing for
  // identity) and must outlive its use. DataLoss: the bytes are not what `encoding` and
  // `size_bytes` say.
  [[nodiscard]] absl::StatusOr<std::string_view> Body(
      std::shared_ptr<const DecodedBody>& keep) const;

 private:
  const std::shared_ptr<ContentMemory> memory_;
  ContentFields fields_;
  mutable std::mutex mutex_;
  mutable std::weak_ptr<const DecodedBody> decoded_;  // shared by transactions under way at once
};

class ContentCache;

// Keeps a content in its cache while it lives. Move-only; empty by default.
class PinnedContent {
 public:
  PinnedContent() = default;
  PinnedContent(PinnedContent&& other) noexcept
      : cache_(std::exchange(other.cache_, nullptr)), content_(std::move(other.content_)) {}
  PinnedContent& operator=(PinnedContent&& other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(content_, other.content_);
    return *this;
  }
  ~PinnedContent();

  explicit operator bool() const { return content_ != nullptr; }
  // Whether another entry may hold the same content now.
  bool has_others() const { return content_.use_count() > 2; }  // ours and the cache's
  const Content& operator*() const { return *content_; }
  const Content* operator->() const { return content_.get(); }

 private:
  friend class ContentCache;
  PinnedContent(ContentCache* cache, std::shared_ptr<const Content> content)
      : cache_(cache), content_(std::move(content)) {}

  ContentCache* cache_ = nullptr;
  std::shared_ptr<const Content> content_;
};

}  // namespace sluice::egress
