// One message's bytes as the scheduler sent them, shared by all entries that name the message.
// Knows how to decode them; keeping and dropping is content_cache.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "mail/ids.h"

namespace sluice::egress {

enum class ContentEncoding : uint8_t { kIdentity, kLz4 };

// How many bytes are decoded right now, over all contents.
using DecodedCount = std::atomic<size_t>;

// Bytes ready to be sent; lives as long as someone sends them.
class DecodedBody {
 public:
  // `size` bytes without a value, counted in `count`.
  DecodedBody(size_t size, std::shared_ptr<DecodedCount> count)
      : bytes_(std::make_unique_for_overwrite<char[]>(size)),
        size_(size),
        count_(std::move(count)) {
    *count_ += size_;
  }
  ~DecodedBody() { *count_ -= size_; }
  DecodedBody(const DecodedBody&) = delete;
  DecodedBody& operator=(const DecodedBody&) = delete;

  char* bytes() { return bytes_.get(); }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  const std::unique_ptr<char[]> bytes_;
  const size_t size_;
  const std::shared_ptr<DecodedCount> count_;
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
  Content(ContentFields fields, std::shared_ptr<DecodedCount> count)
      : fields_(std::move(fields)), count_(std::move(count)) {}

  const ContentFields& fields() const { return fields_; }
  // What it costs to keep, decoded form not counted.
  size_t cost_bytes() const {
    return sizeof(Content) + fields_.data.size() + fields_.prepended_headers.size() +
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
  const ContentFields fields_;
  const std::shared_ptr<DecodedCount> count_;
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
