// The part of a session between DATA or BDAT and the end of its transaction.
#include <algorithm>

#include "base/text.h"
#include "rig/session.h"

namespace sluice::rig {

// Asks the script at stage data; what it lets pass is then counted as begun.
Session::Verdict Session::BeginContent(std::string_view normal) {
  const Verdict verdict = Decide(Stage::kData, transaction_.accepted, normal);
  if (!verdict.Accepts()) return verdict;
  content_begun_ = true;
  transaction_.reached = Reached::kData;
  counters_.Add(Count::kDataBegun);
  const bool drops = verdict.action && verdict.action->drop == Drop::kMidData;
  drop_after_bytes_ = drops ? std::max<uint64_t>(1, verdict.action->after_bytes) : 0;
  const bool full = context_.recording == Recording::kFull && context_.files < context_.max_files;
  const std::string file = full ? Cat(peer_.connection_id, "-", messages_, ".eml") : std::string();
  if (full) ++context_.files;
  content_.Begin(context_.recording, context_.tokens || context_.latency,
                 context_.content_directory, file);
  return verdict;
}

void Session::Data() {
  if (!in_transaction_ || content_begun_) return Complain("503 5.5.1 MAIL first\r\n");
  if (transaction_.accepted.empty()) return Put("554 5.5.1 No valid recipients\r\n");
  const Verdict verdict = BeginContent("354 Go ahead\r\n");
  if (verdict.Accepts()) {
    mode_ = Mode::kData;
    scanner_.Reset();
  } else {
    Abandon();
  }
  Say(verdict, verdict.code == 421 ? Next::kClose : Next::kRead);
}

void Session::Bdat(std::string_view argument) {
  const auto chunk = ParseChunk(argument);
  if (!chunk || !terms_.extensions.chunking) {
    // The bytes that follow cannot be told from commands.
    Complain("501 5.5.4 BDAT size [LAST], when offered\r\n");
    step_.next = Next::kClose;
    return;
  }
  chunk_ = *chunk;
  chunk_left_ = chunk->size;
  chunk_refusal_.reset();
  mode_ = Mode::kChunk;
  if (!in_transaction_) {
    chunk_refusal_ = Verdict{.normal = "503 5.5.1 MAIL first\r\n", .action = nullptr, .code = 503};
  } else if (transaction_.accepted.empty()) {
    chunk_refusal_ =
        Verdict{.normal = "554 5.5.1 No valid recipients\r\n", .action = nullptr, .code = 554};
  } else if (!content_begun_) {
    const Verdict verdict = BeginContent("250 2.0.0 OK\r\n");
    if (!verdict.Accepts()) chunk_refusal_ = verdict;
    if (!verdict.Accepts()) Abandon();
    // What is accepted here is not said before the chunk is in, so a drop comes now.
    const Drop drop = verdict.action ? verdict.action->drop : Drop::kNo;
    if (drop == Drop::kClose) step_.next = Next::kAbort;
    if (drop == Drop::kReset) step_.next = Next::kReset;
  }
}

// Holds the limits that no reply can: a scripted drop, and content without end.
void Session::WatchContent() {
  const bool drop = drop_after_bytes_ > 0 && content_.size() >= drop_after_bytes_;
  if (drop || content_.size() > 2 * context_.max_size) step_.next = Next::kAbort;
}

void Session::TakeContent(std::string_view& input) {
  input.remove_prefix(scanner_.Feed(input, content_));
  WatchContent();
  if (step_.next == Next::kRead && scanner_.done()) EndContent();
}

void Session::TakeChunk(std::string_view& input) {
  const auto size = static_cast<size_t>(std::min<uint64_t>(chunk_left_, input.size()));
  if (!chunk_refusal_) content_.Add(input.substr(0, size));
  input.remove_prefix(size);
  chunk_left_ -= size;
  if (!chunk_refusal_) WatchContent();
  if (step_.next == Next::kRead && chunk_left_ == 0) EndChunk();
}

void Session::EndChunk() {
  mode_ = Mode::kCommand;
  if (chunk_refusal_)
    return Say(*chunk_refusal_, chunk_refusal_->code == 421 ? Next::kClose : Next::kRead);
  if (chunk_.last) return EndContent();
  Put("250 2.0.0 Chunk OK\r\n");
}

void Session::FillFromContent() {
  content_.Finish(transaction_.reached == Reached::kDot);
  counters_.Add(Count::kBytes, content_.size());
  transaction_.size = content_.size();
  transaction_.suffix_size = content_.suffix_size();
  transaction_.token = content_.token();
  transaction_.file = content_.file();
  if (context_.recording < Recording::kDigest) return;
  transaction_.digest = content_.digest();
  transaction_.suffix_digest = content_.suffix_digest();
}

void Session::EndContent() {
  mode_ = Mode::kCommand;
  transaction_.reached = Reached::kDot;
  transaction_.ended_at = now_;
  counters_.Add(Count::kDotReceived);
  FillFromContent();
  const bool too_big = content_.size() > context_.max_size;
  const Verdict verdict = Decide(Stage::kDot, transaction_.accepted,
                                 too_big ? "552 5.3.4 Message too big\r\n" : "250 2.0.0 OK\r\n");
  transaction_.code = verdict.code;
  if (verdict.code < 300) ++messages_;
  if (verdict.code < 300 && context_.latency) {
    if (const auto submitted_at = SubmittedAt(transaction_.token))
      context_.latency->Add(now_ - *submitted_at);
  }
  Say(verdict, verdict.code == 421 ? Next::kClose : Next::kRead);
}

// Ends a transaction that did not come to its dot.
void Session::Abandon() {
  if (content_begun_) {
    FillFromContent();
    transaction_.ended_at = now_;
  }
  Log(transaction_);
  in_transaction_ = false;
  content_begun_ = false;
}

}  // namespace sluice::rig
