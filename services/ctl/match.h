// Which mail a verb means.
#pragma once

#include <string>

#include "ctl/verbs.h"
#include "sluice/v1/policy.pb.h"

namespace sluice::ctl {

v1::Match MatchOf(const QueueOptions& options);
// "tenant=shop domain=example.com".
std::string MatchText(const v1::Match& match);

}  // namespace sluice::ctl
