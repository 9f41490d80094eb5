#include "base/throughput.h"

#include <sched.h>

namespace sluice {

void PreferThroughput() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;
  const sched_param priority{};
  // Where it is forbidden everything works, with more switches.
  static_cast<void>(::sched_setscheduler(0, SCHED_BATCH, &priority));
}

}  // namespace sluice
