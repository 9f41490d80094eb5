// What ingest stores as text of its own: refused recipients beside an idempotency key (to be
// answered again), and metadata as a JSON object.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/submission.h"

namespace sluice::ingest {

// Empty when there are none.
std::string EncodeVerdicts(const std::vector<Verdict>& verdicts);
// Nothing for bytes that EncodeVerdicts did not write.
std::vector<Verdict> DecodeVerdicts(std::string_view bytes);

// A JSON object of strings, names sorted; "" for none. Values must be UTF-8.
std::string EncodeJsonMap(const Pairs& pairs);
// What EncodeJsonMap wrote; nothing for other JSON.
std::map<std::string, std::string> DecodeJsonMap(std::string_view json);
// `over` wins over `under`, name by name.
Pairs Overlay(const Pairs& under, const Pairs& over);

}  // namespace sluice::ingest
