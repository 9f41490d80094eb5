// What is wrong with a policy, before anybody applies it: names that refer to nothing or stand
// twice, values out of bounds, pools that overflow in a circle, mail that no route covers. Pure; it
// knows nothing but the document, so that two hosts disagreeing about an address is found elsewhere
// (the test bind of a source).
#pragma once

#include <vector>

#include "mail/policy_document.h"

namespace sluice {

// Every finding names its path and the cure. Errors forbid applying; warnings are shown. At most
// 1,000.
std::vector<PolicyFinding> CheckPolicy(const PolicyDocument& policy);

}  // namespace sluice
