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
#include "mail/merge_template.h"
#include "smtp/dsn_request.h"

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
  std::string dsn_envelope_id = {};
  DsnReturn dsn_return = DsnReturn::kNone;
};

// Templates of what is added and of the message, and what they refer to.
struct CompiledMerge {
  MergeTemplate added, message;
  std::shared_ptr<const DecodedBody> keep;
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
    // A template keeps the message decoded, and its text parts once more.
    const size_t compiled = fields_.has_merge ? 2 * fields_.size_bytes : 0;
    return sizeof(Content) + fields_.data.capacity() + fields_.prepended_headers.size() +
           fields_.return_path.size() + compiled;
  }
  // What Body allocates when nobody shares it.
  size_t decoded_bytes() const {
    // Rendered for one recipient, the message is a copy.
    if (fields_.has_merge) return 2 * fields_.size_bytes;
    return fields_.encoding == ContentEncoding::kIdentity ? 0 : fields_.size_bytes;
  }
  // The compiled merge template, its message with it; made once, then shared. Errors as Body, or
  // InvalidArgument.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const CompiledMerge>> Merge() const;
  // Room for a message of its own, counted like a decoded one.
  std::shared_ptr<DecodedBody> NewBody(size_t size) const {
    return std::make_shared<DecodedBody>(size, memory_);
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
  mutable std::shared_ptr<const CompiledMerge> merge_;
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
