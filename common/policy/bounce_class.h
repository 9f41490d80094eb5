// What a bounce that came back by mail says of its recipient. Unlike a reply in a session nothing tells
// at which stage it was given, and reporters word it themselves: texts are read first, and a bare code
// alone never makes a recipient bad, because that suppresses them.
#pragma once

#include "mail/disposition.h"
#include "mail/smtp_reply.h"

namespace sluice {

ReplyClass ClassifyBounce(const SmtpReply& reply);

}  // namespace sluice
