// Any bytes as a message to be signed: however it is cut, its body hashes the same.
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "smtp/dkim_canonical.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t cut = data[0] % size;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  std::vector<sluice::HeaderFieldView> fields;
  const sluice::HeaderTaken taken = sluice::TakeHeaderFields(message, fields);
  std::string relaxed;
  for (const auto& field : fields) sluice::AppendRelaxedField(relaxed, field.name, field.value);
  SLUICE_CHECK(relaxed.size() <= 2 * size && relaxed.find('\n') == std::string::npos);
  sluice::DkimBodyHash whole, parts;
  whole.Update(message);
  parts.Update(message.substr(0, cut));
  parts.Update(message.substr(cut));
  SLUICE_CHECK(whole.Finish() == parts.Finish());
  SLUICE_CHECK(taken.body.size() <= size);
  return 0;
}
