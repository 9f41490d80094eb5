// A policy file, read and checked as `validate` and `apply` need it.
#pragma once

#include <string>

#include "ctl/context.h"

namespace sluice::v1 {
class Policy;
}

namespace sluice::ctl {

// Prints every finding with file and line. kOk when it can be applied (warnings are printed, too).
int ReadPolicyFile(const Context& context, const std::string& file, v1::Policy* out);

}  // namespace sluice::ctl
