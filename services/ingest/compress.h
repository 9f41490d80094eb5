// Content as it is stored: one LZ4 block, or the bytes themselves when LZ4 does not shrink them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::ingest {

// Stored (message.encoding) and sent (ContentEncoding): may not change.
inline constexpr int16_t kEncodingIdentity = 1;
inline constexpr int16_t kEncodingLz4 = 2;

struct StoredContent {
  std::string bytes;
  int16_t encoding = kEncodingIdentity;
};

// Any thread. `content` is at most limits::kContentBytes.
StoredContent Compress(std::string_view content);

}  // namespace sluice::ingest
