// The replies of a session: bent by the script, put out, and, once written, the end of their
// transaction.
#include "base/text.h"
#include "rig/session.h"

namespace sluice::rig {
namespace {

int CodeOf(std::string_view wire) {
  return static_cast<int>(ParseNumber(wire.substr(0, 3)).value_or(500));
}

}  // namespace

Session::Verdict Session::Decide(Stage stage, std::span<const std::string> recipients,
                                 std::string_view normal) {
  Verdict verdict{.normal = normal, .action = nullptr, .code = CodeOf(normal)};
  if (context_.script->empty()) return verdict;
  script_in_use_ = context_.script;
  verdict.action = script_in_use_->Find(stage, peer_, recipients, context_.random);
  if (verdict.action && !verdict.action->reply.empty()) verdict.code = verdict.action->code;
  return verdict;
}

void Session::Put(std::string_view wire) {
  const size_t before = output_.size();
  const bool has_code = wire.size() > 10 && wire[3] == ' ' && wire[5] == '.' && wire[7] == '.';
  const bool strip = has_code && !terms_.extensions.enhanced_codes;
  if (strip) {
    Append(output_, wire.substr(0, 4), wire.substr(wire.find(' ', 4) + 1));
  } else {
    output_ += wire;
  }
  put_ever_ += output_.size() - before;
}

void Session::Complain(std::string_view wire) {
  counters_.Add(Count::kSyntaxErrors);
  Put(wire);
}

void Session::Say(const Verdict& verdict, Next then) {
  const Action* action = verdict.action;
  if (!action) {
    Put(verdict.normal);
    AfterReply(Drop::kNo, then);
    return;
  }
  held_ = Held{.text = action->reply.empty() ? std::string(verdict.normal) : action->reply,
               .said = 0,
               .drip = action->drip,
               .drop = action->drop,
               .then = then};
  if (action->delay > Duration(0)) {
    step_ = {Next::kPause, action->delay};
  } else {
    Drip();
  }
}

void Session::Drip() {
  if (held_.drop == Drop::kClose || held_.drop == Drop::kReset) {
    step_.next = held_.drop == Drop::kClose ? Next::kAbort : Next::kReset;
    return;
  }
  const bool slow = held_.drip > Duration(0);
  const std::string_view left = std::string_view(held_.text).substr(held_.said);
  const std::string_view piece = slow ? left.substr(0, 1) : left;
  output_ += piece;
  put_ever_ += piece.size();
  held_.said += piece.size();
  if (held_.said < held_.text.size()) {
    step_ = {Next::kPause, held_.drip};
  } else {
    AfterReply(held_.drop, held_.then);
  }
}

void Session::AfterReply(Drop drop, Next then) {
  step_ = {drop == Drop::kAfter ? Next::kClose : then, Duration(0)};
  if (in_transaction_ && transaction_.reached == Reached::kDot) QueueUnanswered();
}

// The transaction's reply is put out; it is settled when it is written.
void Session::QueueUnanswered() {
  unanswered_.push_back({std::move(transaction_), put_ever_});
  in_transaction_ = false;
  content_begun_ = false;
  if (spare_.empty()) {
    transaction_ = Transaction();
  } else {
    transaction_ = std::move(spare_.back());
    spare_.pop_back();
  }
}

void Session::Log(const Transaction& transaction) {
  if (context_.log) context_.log->Write(peer_, ehlo_, tls_, transaction);
}

void Session::Settle(Transaction& transaction, bool answered) {
  const bool accepted = transaction.code < 300;
  counters_.Add(!answered  ? Count::kDroppedAfterDot
                : accepted ? Count::kRepliedOk
                           : Count::kRefusedAfterDot);
  if (answered) transaction.reached = Reached::kReplied;
  Log(transaction);
  if (!context_.tokens || !accepted || transaction.token.empty()) return;
  for (const std::string& recipient : transaction.accepted) {
    context_.tokens->Accept(transaction.token, recipient,
                            {transaction.ended_at, source_, answered});
  }
}

void Session::Sent(size_t bytes, Instant now) {
  now_ = now;
  sent_ += bytes;
  sent_ever_ += bytes;
  if (sent_ == output_.size()) {
    output_.clear();
    sent_ = 0;
  }
  size_t settled = 0;
  while (settled < unanswered_.size() && unanswered_[settled].reply_end <= sent_ever_) {
    Transaction& transaction = unanswered_[settled++].transaction;
    Settle(transaction, true);
    if (spare_.size() < kMaxSpare) spare_.push_back(std::move(transaction));
  }
  unanswered_.erase(unanswered_.begin(), unanswered_.begin() + static_cast<ptrdiff_t>(settled));
}

}  // namespace sluice::rig
