#include "egress/content.h"

#include <lz4.h>

#include "base/status.h"
#include "base/text.h"
#include "egress/content_cache.h"
#include "mail/limits.h"

namespace sluice::egress {
namespace {

// What no accepted message can exceed: content and the headers put before it. Guards the allocation
// below.
constexpr size_t kMostDecodedBytes = limits::kContentBytes + (size_t{1} << 20);

absl::StatusOr<std::shared_ptr<const DecodedBody>> DecodeLz4(
    const ContentFields& fields, const std::shared_ptr<ContentMemory>& memory) {
  if (fields.size_bytes > kMostDecodedBytes) {
    return absl::DataLossError(
        Cat("message ", FormatMessageId(fields.id), " claims ", fields.size_bytes, " bytes"));
  }
  auto body = std::make_shared<DecodedBody>(fields.size_bytes, memory);
  const int got =
      LZ4_decompress_safe(fields.data.data(), body->bytes(), static_cast<int>(fields.data.size()),
                          static_cast<int>(fields.size_bytes));
  if (got < 0 || static_cast<size_t>(got) != fields.size_bytes) {
    return absl::DataLossError(
        Cat("message ", FormatMessageId(fields.id), " does not decode to its size"));
  }
  return body;
}

}  // namespace

absl::StatusOr<std::string_view> Content::Body(std::shared_ptr<const DecodedBody>& keep) const {
  if (fields_.encoding == ContentEncoding::kIdentity) {
    if (fields_.data.size() != fields_.size_bytes) {
      return absl::DataLossError(
          Cat("message ", FormatMessageId(fields_.id), " is not as long as its size says"));
    }
    return std::string_view(fields_.data);
  }
  const std::lock_guard lock(mutex_);
  keep = decoded_.lock();
  if (keep == nullptr) {
    auto decoded = DecodeLz4(fields_, memory_);
    if (!decoded.ok()) return decoded.status();
    keep = *std::move(decoded);
    decoded_ = keep;
  }
  return keep->view();
}

absl::StatusOr<std::shared_ptr<const CompiledMerge>> Content::Merge() const {
  {
    const std::lock_guard lock(mutex_);
    if (merge_ != nullptr) return merge_;
  }
  std::shared_ptr<const DecodedBody> keep;
  ASSIGN_OR_RETURN(const std::string_view body, Body(keep));
  ASSIGN_OR_RETURN(MergeTemplate added, MergeTemplate::Compile(fields_.prepended_headers, ""));
  ASSIGN_OR_RETURN(MergeTemplate message, MergeTemplate::Compile("", body));
  auto compiled = std::make_shared<const CompiledMerge>(
      CompiledMerge{std::move(added), std::move(message), std::move(keep)});
  const std::lock_guard lock(mutex_);
  if (merge_ == nullptr) merge_ = std::move(compiled);
  return merge_;
}

PinnedContent::~PinnedContent() {
  if (content_ != nullptr) cache_->Unpin(*content_);
}

}  // namespace sluice::egress
