// One MX record as routing sees it.
#pragma once

#include <cstdint>
#include <string>

namespace sluice {

struct MxHost {
  std::string name;  // Lower case, no trailing dot.
  uint16_t preference = 0;
  friend bool operator==(const MxHost&, const MxHost&) = default;
};

}  // namespace sluice
