#include "egress/work.h"

namespace sluice::egress {

std::string_view ToString(ReturnReason reason) {
  switch (reason) {
    case ReturnReason::kDrain:
      return "drain";
    case ReturnReason::kRecall:
      return "recall";
    case ReturnReason::kLease:
      return "lease";
    case ReturnReason::kSourceLost:
      return "source_lost";
    case ReturnReason::kContent:
      return "content";
    case ReturnReason::kKey:
      return "key";
    case ReturnReason::kLimit:
      return "limit";
  }
  return "lease";
}

}  // namespace sluice::egress
