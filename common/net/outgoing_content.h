// One message as it goes out: the caller's pieces where they may go as they are, a repaired or
// dot-stuffed copy where not. Kept from message to message for its buffers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <asio/buffer.hpp>

#include "smtp/data_encoding.h"

namespace sluice {

class OutgoingContent {
 public:
  // Looks through `pieces`, which live until the transaction is over.
  void Take(std::span<const std::string_view> pieces);
  // Of the content as it was given, before any repair: what SIZE speaks of.
  size_t size_bytes() const { return scan_.size_bytes; }

  // Brings it into the form for DATA (dots stuffed) or BDAT (not).
  void Prepare(bool stuff_dots);
  // After Prepare: all of it, none of the buffers empty.
  void AppendTo(std::vector<asio::const_buffer>& buffers) const;
  size_t wire_bytes() const;

  // Forgets the content, and a copy too large to be kept.
  void Clear();

 private:
  ContentScan scan_;
  std::span<const std::string_view> given_;
  std::vector<std::string_view> pieces_;
  std::string copy_;
};

}  // namespace sluice
