// Every limit on what a client may submit, in one place. Proto comments, gRPC's message size and
// the checks of ingest refer to these names; sizes are in bytes, counts are of elements.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::limits {

// ---- content ----
// A submitted message, header and body, before compression. Larger than any big provider takes
// (Microsoft 365 with raised limits: 150 MB only inside; Gmail and Yahoo: 25 MB).
inline constexpr size_t kContentBytes = 50 * 1024 * 1024;
// A line without its CRLF: RFC 5322 section 2.1.1, RFC 5321 section 4.5.3.1.6.
inline constexpr size_t kLineBytes = 998;
// The header section. Microsoft 365 refuses more than 256 KB.
inline constexpr size_t kHeaderBytes = 256 * 1024;
inline constexpr size_t kHeaderFields = 1'000;
// Addresses in one From field.
inline constexpr size_t kFromAddresses = 20;
// A header value kept as a tag for routing; longer values are cut.
inline constexpr size_t kTagBytes = 256;
// Header fields that a policy may name as tags.
inline constexpr size_t kTags = 16;

// ---- addresses (RFC 5321 section 4.5.3.1) ----
inline constexpr size_t kLocalPartBytes = 64;
inline constexpr size_t kDomainBytes = 255;
// A path is 256 with its angle brackets.
inline constexpr size_t kAddressBytes = 254;

// ---- one message ----
// More recipients than this want several messages: one request must not hold a whole group commit.
inline constexpr size_t kRecipients = 1'000;
inline constexpr size_t kMetadataEntries = 32;
inline constexpr size_t kMetadataKeyBytes = 64;
inline constexpr size_t kMetadataValueBytes = 1'024;
inline constexpr size_t kMergeEntries = 64;
inline constexpr size_t kMergeKeyBytes = 64;
inline constexpr size_t kMergeValueBytes = 16 * 1024;
// Metadata and merge values of all recipients of one message together.
inline constexpr size_t kRecipientDataBytes = 8 * 1024 * 1024;
// At least 1.
inline constexpr size_t kIdempotencyKeyBytes = 200;
inline constexpr size_t kCampaignBytes = 128;
// RFC 3461 section 4.4.
inline constexpr size_t kDsnEnvelopeIdBytes = 100;
// It must fit a header line.
inline constexpr size_t kUrlBytes = 900;
// Names of tenants, streams, pools and sources.
inline constexpr size_t kNameBytes = 64;

// ---- time ----
inline constexpr std::chrono::hours kDefaultExpiry{5 * 24};
// From the first attempt on.
inline constexpr std::chrono::hours kLongestExpiry{30 * 24};
// How far ahead a first attempt may be asked for.
inline constexpr std::chrono::hours kLongestSchedule{30 * 24};

// ---- requests ----
inline constexpr size_t kFrameSubmissions = 1'000;
// Frames of one stream that may be unanswered; the server stops reading there.
inline constexpr size_t kUnansweredFrames = 64;
// One frame of SubmitStream, and one Submit request: content and recipients must fit.
inline constexpr size_t kFrameBytes = 64 * 1024 * 1024;
// What gRPC servers and clients set as their largest message: a frame and what protobuf adds to it.
inline constexpr int kGrpcMessageBytes = 70 * 1024 * 1024;

static_assert(kContentBytes + kRecipientDataBytes < kFrameBytes);
static_assert(kFrameBytes < static_cast<size_t>(kGrpcMessageBytes));

}  // namespace sluice::limits
