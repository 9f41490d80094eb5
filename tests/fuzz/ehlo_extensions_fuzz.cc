// Any lines as an EHLO reply: bounded, and mechanisms are words.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "smtp/extensions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  sluice::Extensions extensions;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    extensions.AddLine(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  SLUICE_CHECK(extensions.auth.size() <= sluice::Extensions::kMaxAuthMechanisms);
  for (const std::string& mechanism : extensions.auth) {
    SLUICE_CHECK(!mechanism.empty() && mechanism.size() <= 20);
    SLUICE_CHECK(mechanism.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
                 std::string::npos);
  }
  SLUICE_CHECK(extensions.size || extensions.max_size_bytes == 0);
  return 0;
}
