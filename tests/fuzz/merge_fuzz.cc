// Any bytes as a message with merge fields: compiling and rendering are bounded, and what is rendered
// lets no value end a header line.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mail/merge_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const auto compiled = sluice::MergeTemplate::Compile("", message);
  if (!compiled.ok()) return 0;
  const auto values = [](std::string_view name) -> std::optional<std::string_view> {
    if (name.size() % 3 == 0) return "Zo\xc3\xab <\"&'> \\, x";
    if (name.size() % 3 == 1) return "a@b.example";
    return "line\r\nX-Forged: line";
  };
  const bool will_do = compiled->Check(values, 1 << 24).ok();
  const auto rendered = compiled->Render(values);
  if (will_do) SLUICE_CHECK(rendered.ok() && rendered->size() < (size_t{1} << 24));
  if (!rendered.ok() || message.find("X-Forged") != std::string_view::npos) return 0;
  const size_t blank = rendered->find("\r\n\r\n");
  SLUICE_CHECK(rendered->substr(0, blank).find("\nX-Forged") == std::string::npos ||
               message.find("\r\n\r\n") == std::string_view::npos ||
               message.starts_with("\r\n"));
  return 0;
}
