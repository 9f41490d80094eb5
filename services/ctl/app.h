// sluicectl as a function, so that tests run whole command lines.
#pragma once

#include "ctl/context.h"

namespace sluice::ctl {

// Exit code: 0 done, 1 refused, 2 wrong usage.
int Run(int argc, const char* const* argv, const Io& io);

}  // namespace sluice::ctl
