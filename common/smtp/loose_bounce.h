// Bounces that are no RFC 3464: told apart by what the software that wrote them always says. Each shape
// is data, with the phrase that gives it away.
#pragma once

#include <optional>
#include <string_view>

#include "smtp/feedback_message.h"
#include "smtp/mime.h"

namespace sluice {

// `text` is the decoded readable part. Nothing when it is no bounce. `is_null_sender`: it came with the
// null path, as bounces do and people never.
std::optional<FeedbackMessage> ReadLooseBounce(const HeaderFields& headers, std::string_view text,
                                               bool is_null_sender);

// The text of an HTML part, good enough to find phrases, codes and addresses in.
std::string TextOfHtml(std::string_view html);

}  // namespace sluice
