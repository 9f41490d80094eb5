// Many short texts as numbers, packed: about a dozen bytes and its own length each. For the few that everything refers to, see
// names.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "scheduler/chunked.h"
#include "scheduler/number_set.h"

namespace sluice::scheduler {

// Numbers from 0; those of forgotten texts, and their room, come again. Texts of at most 255 bytes: what is longer is cut. Not thread-safe.
class TextTable {
 public:
  uint32_t Number(std::string_view text);
  // Lives until it is forgotten.
  std::string_view Text(uint32_t number) const;
  void Forget(uint32_t number);
  // Those that are not forgotten.
  size_t size() const { return places_.size() - free_.size(); }

 private:
  static constexpr size_t kBlock = size_t{1} << 20;
  uint32_t Store(std::string_view text);

  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = kBlock;  // Of the last block.
  Chunked<uint32_t> places_;
  NumberSet numbers_;
  std::vector<uint32_t> free_;                           // Numbers.
  std::array<std::vector<uint32_t>, 256> free_places_;  // By the length of the text.
};

}  // namespace sluice::scheduler
