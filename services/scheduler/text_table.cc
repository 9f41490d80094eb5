#include "scheduler/text_table.h"

#include <cstring>

#include "absl/hash/hash.h"
#include "base/check.h"

namespace sluice::scheduler {
namespace {
uint64_t HashOf(std::string_view text) { return absl::Hash<std::string_view>()(text); }
}  // namespace

uint32_t TextTable::Number(std::string_view text) {
  text = text.substr(0, 255);
  const uint64_t hash = HashOf(text);
  const uint32_t found = numbers_.Find(hash, [&](uint32_t number) { return Text(number) == text; });
  if (found != NumberSet::kNone) return found;
  uint32_t number = 0;
  if (free_.empty()) {
    number = static_cast<uint32_t>(places_.size());
    places_.Add();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  places_[number] = Store(text);
  numbers_.Insert(hash, number, [&](uint32_t other) { return HashOf(Text(other)); });
  return number;
}

std::string_view TextTable::Text(uint32_t number) const {
  const uint32_t place = places_[number];
  const char* at = blocks_[place / kBlock].get() + place % kBlock;
  return {at + 1, static_cast<uint8_t>(*at)};
}

void TextTable::Forget(uint32_t number) {
  const std::string_view text = Text(number);
  numbers_.Erase(HashOf(text), number);
  free_places_[text.size()].push_back(places_[number]);
  free_.push_back(number);
}

uint32_t TextTable::Store(std::string_view text) {
  if (std::vector<uint32_t>& places = free_places_[text.size()]; !places.empty()) {
    const uint32_t place = places.back();
    places.pop_back();
    std::memcpy(blocks_[place / kBlock].get() + place % kBlock + 1, text.data(), text.size());
    return place;
  }
  if (used_ + text.size() + 1 > kBlock) {
    blocks_.push_back(std::make_unique<char[]>(kBlock));
    used_ = 0;
    SLUICE_CHECK(blocks_.size() <= (uint64_t{1} << 32) / kBlock);
  }
  char* at = blocks_.back().get() + used_;
  *at = static_cast<char>(static_cast<uint8_t>(text.size()));
  std::memcpy(at + 1, text.data(), text.size());
  const auto place = static_cast<uint32_t>((blocks_.size() - 1) * kBlock + used_);
  used_ += text.size() + 1;
  return place;
}

}  // namespace sluice::scheduler
