// Messages for the tests of the storage layer.
#pragma once

#include <string>
#include <vector>

#include "base/text.h"
#include "storage/cluster.h"
#include "storage/queue_store.h"

namespace sluice::storage {

inline AcceptedMessage MakeMessage(int recipients = 1, std::optional<uint64_t> key = std::nullopt,
                                   uint64_t digest = 1) {
  AcceptedMessage message;
  if (key) message.key_hash = Hash128{.high = *key * 0x9e3779b97f4a7c15ULL, .low = *key};
  message.digest = {.high = 7, .low = digest};
  message.tenant = "shop";
  message.stream = "marketing";
  message.campaign = "autumn";
  message.return_path = "bounce@shop.example";
  message.sender_domain = "shop.example";
  message.tags = "X-Kind=news\n";
  message.accepted_at = message.due_at = kNow;
  message.expires_at = kNow + std::chrono::hours(120);
  message.prepended_headers = "Received: by sluice\r\n";
  message.content = std::string("bytes\0\xff\x80 of content", 20);
  message.size_bytes = 20;
  for (int i = 0; i < recipients; ++i) {
    AcceptedRecipient recipient;
    recipient.address = Cat("user", i, "@example.net");
    recipient.domain = "example.net";
    recipient.metadata_json = R"({"order":"17"})";
    message.recipients.push_back(std::move(recipient));
  }
  return message;
}

}  // namespace sluice::storage
