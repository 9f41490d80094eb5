#include "egress/path.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "egress/attempt.h"
#include "egress/connection.h"
#include "net/spawn.h"

namespace sluice::egress {
namespace {

// RFC 5321 §4.5.3.1.8: what every server takes.
constexpr int kUsualRecipients = 100;

}  // namespace

Path::Path(const Surroundings& around, asio::io_context& io, ConnectionBudget& budget,
           PathGroup& group, SignDesk& desk, BoundSourcePtr source, Destination to)
    : around_(around),
      io_(io),
      group_(group),
      to_(std::move(to)),
      budgets_{&budget, &group.source_connections(), &group.connections()},
      desk_(desk),
      source_(std::move(source)) {
  group_.Joined();
  around_.metrics.paths.Add(1);
}

Path::~Path() {
  SLUICE_CHECK(connections_.empty());
  for (ConnectionBudget* budget : budgets_) budget->Forget(*this);
  group_.peers().Forget(*this);
  group_.Left(*this);
  CountReady(-static_cast<int64_t>(queue_.size()));
  around_.metrics.paths.Add(-1);
}

void Path::CountReady(int64_t more) {
  around_.metrics.ready.Add(more);
  group_.CountWaiting(more);
}

size_t Path::NextBytes() const {
  const Entry* next = queue_.Front();
  return next == nullptr ? 0 : next->content->fields().size_bytes;
}

void Path::GiveBackExcess() {
  while (group_.IsOverfull()) {
    const EntryPtr entry = queue_.PopBack();
    if (entry == nullptr) return;
    CountReady(-1);
    GiveBack(around_, *entry, ReturnReason::kLimit);
  }
}

void Path::Push(EntryPtr entry) {
  CountReady(1);
  queue_.Push(std::move(entry));
}

void Path::Pump() {
  if (is_closing_) return;
  while (queue_.size() > waking_count_ + starting_count_) {
    if (!group_.MayBegin(*this, waking_count_ + starting_count_, NextBytes())) return;
    if (!idle_.empty()) {
      WakeIdle(*idle_.back());
    } else if (MayOpen() && group_.MayConnect(*this) && MayConnectShared() && TakeConnection()) {
      StartConnection();
    } else {
      return;
    }
  }
}

bool Path::MayOpen() const {
  if (around_.clock.Steady() < full_until_) return false;
  const bool has_ceiling = ceiling_ != 0 && around_.clock.Steady() < ceiling_until_;
  if (has_ceiling && open_count_ + starting_count_ >= ceiling_) return false;
  // At first two at once, then as many more as are open: a host that does not answer is not
  // stormed.
  return starting_count_ < 2 + open_count_;
}

bool Path::TakeConnection() {
  for (size_t i = 0; i < budgets_.size(); ++i) {
    if (budgets_[i]->Take(*this)) continue;
    for (const auto& limit : shared_) {
      if (&limit->budget == budgets_[i]) limit->Want(around_.clock.Steady());
    }
    while (i-- > 0) budgets_[i]->Untake();
    return false;
  }
  return true;
}

bool Path::MayConnectShared() {
  const SteadyInstant now = around_.clock.Steady();
  for (const auto& limit : shared_) {
    if (!limit->is_rate() || limit->opened.Fits(1, now)) continue;
    limit->Want(now);
    if (const auto at = limit->opened.ReadyAt(now)) group_.Await(*this, *at);
    return false;
  }
  return true;
}

void Path::UseShared(SharedConnectionTable::Limits limits) {
  if (limits == shared_) return;
  const std::vector<Connection*> idle = idle_;
  for (Connection* connection : idle) NoLongerIdle(*connection);
  const size_t count = starting_count_ + open_count_;
  for (size_t i = kOwnBudgets; i < budgets_.size(); ++i) {
    budgets_[i]->Part(count);
    budgets_[i]->Forget(*this);
  }
  budgets_.resize(kOwnBudgets);
  shared_ = std::move(limits);
  for (const auto& limit : shared_) {
    if (limit->is_rate()) continue;
    limit->budget.Join(count);
    budgets_.push_back(&limit->budget);
  }
  for (Connection* connection : idle) BecameIdle(*connection);
}

void Path::EndLapsed(SteadyInstant now) {
  if (std::any_of(shared_.begin(), shared_.end(), [now](const auto& limit) { return limit->MustEnd(now); })) Abort(/*also_past_dot=*/false);
}

size_t Path::MostPerAddress() const {
  return static_cast<size_t>(std::max(limits().connections_per_address.value.value_or(INT_MAX), 1));
}

bool Path::HasTooMany(const ConnectionBudget& peer) const {
  return peer.used() > MostPerAddress() || std::any_of(budgets_.begin(), budgets_.end(), [](const auto* b) { return b->IsOver(); });
}

void Path::WakeIdle(Connection& connection) {
  NoLongerIdle(connection);
  ++waking_count_;
  connection.Wake();
}

void Path::WakeAllIdle() {
  while (!idle_.empty()) WakeIdle(*idle_.back());
}

void Path::StartConnection() {
  ++starting_count_;
  group_.Connecting();
  for (const auto& limit : shared_) {
    if (!limit->is_rate()) continue;
    limit->opened.HandOut();
    limit->opened.Begun(around_.clock.Steady());
  }
  around_.metrics.connections.Add(1);
  Spawn(io_.get_executor(), RunConnection(*this), "smtp connection");
}

void Path::UseSource(BoundSourcePtr source) {
  const bool is_same = source->assigned.bind_address == source_->assigned.bind_address &&
                       source->assigned.ehlo == source_->assigned.ehlo &&
                       source->assigned.proxy == source_->assigned.proxy;
  source_ = std::move(source);
  is_closing_ = false;
  if (!is_same) WakeAllIdle();
  Pump();
}

void Path::Close() {
  is_closing_ = true;
  WakeAllIdle();
}

void Path::Abort(bool also_past_dot) {
  for (Connection* connection : connections_) connection->Abort(also_past_dot);
}

std::optional<OpenRequest> Path::NextRequest() {
  const Entry* next = queue_.Front();
  if (next == nullptr) return std::nullopt;
  OpenRequest request;
  request.source = source_;
  request.hosts = next->mx_hosts;
  request.tls_mode = WantedTls();
  request.tls = next->tls;
  request.smart_host = next->smart_host;
  request.connection = around_.trace.NextConnection();
  request.recipient_domain = next->recipient_domain();
  request.most_per_address = MostPerAddress();
  request.peers = &group_.peers();
  request.path = this;
  return request;
}

Shipment Path::TakeNext(const Extensions& peer) {
  Shipment shipment;
  while (HasRoomForNext()) {
    const size_t bytes = NextBytes();
    if (queue_.empty() || !group_.MayBegin(*this, 0, bytes)) break;
    EntryPtr entry = queue_.Pop();
    CountReady(-1);
    shipment.rendered = std::make_unique<Rendered>();
    if (!Prepare(*entry, peer, *shipment.rendered)) continue;
    const Entry& first = *entry;
    shipment.entries.push_back(std::move(entry));
    if (first.content.has_others() && IsSameForAll(*first.content)) {
      queue_.PopMates(first, group_.MostRecipients(MostRecipients()) - 1, shipment.entries);
      CountReady(1 - static_cast<int64_t>(shipment.entries.size()));
    }
    group_.Began(shipment.entries.size(), bytes);
    break;
  }
  return shipment;
}

size_t Path::MostRecipients() const {
  const int wanted = limits().recipients_per_transaction.value.value_or(kUsualRecipients);
  const size_t most = std::clamp<size_t>(static_cast<size_t>(std::max(wanted, 1)), 1,
                                         kMaxRecipientsPerTransaction);
  return recipients_.Bound(most, around_.clock.Steady());
}

void Path::LimitRecipients(size_t most) {
  recipients_ = {.most = most, .until = around_.clock.Steady() + kLearntFor};
}

size_t Path::MostMessages() const {
  const auto wanted = static_cast<size_t>(std::max(limits().messages_per_connection.value.value_or(0), 0));
  return messages_.Bound(wanted == 0 ? SIZE_MAX : wanted, around_.clock.Steady());
}

void Path::ClosedAfter(size_t messages) {
  if (messages > 0 && messages == closed_after_) {
    messages_ = {.most = messages, .until = around_.clock.Steady() + kLearntFor};
  }
  closed_after_ = messages;
}

bool Path::HasRoomForNext() const {
  const Entry* next = queue_.Front();
  return next == nullptr || around_.contents.HasRoomToDecode(*next->content);
}

bool Path::Prepare(Entry& entry, const Extensions& peer, Rendered& rendered) {
  using Kind = RenderOutcome::Kind;
  const RenderOutcome outcome = Render(entry, peer, around_.keys.Read(), rendered);
  if (outcome.kind == Kind::kReady) return true;
  if (outcome.kind == Kind::kBroken && !entry.is_begun) {
    around_.logger.Error("content_broken",
                         {{"queue_entry", entry.id.value()}, {"error", outcome.why}});
    around_.contents.Discard(*entry.content);
    GiveBack(around_, entry, ReturnReason::kContent);
    return false;
  }
  if (outcome.kind == Kind::kHeld && !entry.is_begun) {
    GiveBack(around_, entry, ReturnReason::kKey, outcome.why);
    return false;
  }
  AttemptFacts facts;
  // What has begun once, on a connection that was lost, ends in a report and is tried again.
  const bool is_final = outcome.kind == Kind::kRefused;
  facts.reply = LocalReply(is_final ? outcome.status : EnhancedStatus{4, 3, 0}, outcome.why);
  facts.started_at = around_.clock.Now();
  End(entry, std::move(facts));
  return false;
}

void Path::End(Entry& entry, AttemptFacts facts) {
  if (around_.custody.TryBegin(entry)) {
    const Duration duration = facts.duration;
    const bool counts = group_.CountsAnew(facts.started_at, facts.reply.text);
    const Pace pace{.taken = group_.Taken(), .counts = counts, .site = group_.site()};
    const Concluded concluded = Conclude(around_, counters_, entry, std::move(facts), pace);
    group_.Concluded(concluded, counts, duration);
  } else {
    GiveBack(around_, entry, ReturnReason::kLease);
  }
}

void Path::PutBack(EntryPtr entry) {
  CountReady(1);
  queue_.PushFront(std::move(entry));
}

void Path::Opened(const OpenedSession&) {
  around_.metrics.connections_opened.With({"ok"}).Add();
  --starting_count_;
  ++open_count_;
  Pump();
}

void Path::PeerFreed() {
  full_until_ = {};
  Pump();
}

void Path::OpenFailed(const OpenedSession& opened) {
  if (opened.is_peer_full) {
    group_.NotConnecting();
    for (const auto& limit : shared_) {
      if (limit->is_rate()) limit->opened.Untake();
    }
    full_until_ = around_.clock.Steady() + kFullFor;
    return;
  }
  around_.metrics.connections_opened.With({opened.is_bind_failure ? "bind_failed" : "failed"})
      .Add();
  if (opened.is_bind_failure) {
    BindFailed(opened);
  } else if (open_count_ > 0) {
    ceiling_ = open_count_;
    ceiling_until_ = around_.clock.Steady() + kCeilingFor;
  } else {
    FailWaiting(opened);
  }
}

void Path::FailWaiting(const OpenedSession& opened) {
  const Instant now = around_.clock.Now();
  while (EntryPtr entry = queue_.Pop()) {
    CountReady(-1);
    AttemptFacts facts;
    facts.stage = opened.stage;
    facts.reply = opened.reply;
    facts.mx_host = opened.host;
    facts.mx_address = opened.address;
    facts.started_at = now;
    facts.times = opened.times;
    End(*entry, std::move(facts));
  }
}

void Path::BindFailed(const OpenedSession& opened) {
  for (const EntryPtr& entry : Extract([](const Entry&) { return true; })) {
    GiveBack(around_, *entry, ReturnReason::kSourceLost);
  }
  // What had begun on a connection since closed was begun for good.
  FailWaiting(opened);
  around_.on_bind_failed(source_->assigned.name, absl::FailedPreconditionError(opened.reply.text));
}

void Path::BecameIdle(Connection& connection) {
  connection.is_idle_ = true;
  connection.idle_places_.resize(budgets_.size());
  for (size_t i = 0; i < budgets_.size(); ++i) {
    connection.idle_places_[i] = budgets_[i]->AddIdle(connection);
  }
  connection.peer_idle_place_ = connection.peer_->AddIdle(connection);
  idle_.push_back(&connection);
}

void Path::NoLongerIdle(Connection& connection) {
  if (!connection.is_idle_) return;
  connection.is_idle_ = false;
  for (size_t i = 0; i < budgets_.size(); ++i) {
    budgets_[i]->RemoveIdle(connection.idle_places_[i]);
  }
  connection.peer_->RemoveIdle(connection.peer_idle_place_);
  std::erase(idle_, &connection);
}

void Path::EndIdleExcess() {
  // It counts until it has ended: one a call.
  const auto excess = std::find_if(idle_.begin(), idle_.end(), [this](const Connection* c) { return HasTooMany(*c->peer_); });
  if (excess != idle_.end()) (*excess)->Retire();
}

void Path::Joined(Connection& connection) { connections_.push_back(&connection); }

void Path::Left(Connection& connection, bool was_open) {
  std::erase(connections_, &connection);
  if (connection.peer_ != nullptr) wanting_peer_ = group_.peers().GiveBack(connection.address_);
  --(was_open ? open_count_ : starting_count_);
  around_.metrics.connections.Add(-1);
}

void Path::AfterLeft() {
  if (is_closing_) {
    // Put back, begun, by a connection that was closed: nobody will serve them any more.
    OpenedSession closing;
    closing.stage = Stage::kLocal;
    closing.reply = LocalReply({4, 3, 2}, "the source was given up");
    FailWaiting(closing);
  }
  if (Path* freed = std::exchange(wanting_peer_, nullptr)) freed->PeerFreed();
  for (ConnectionBudget* budget : budgets_) {
    Path* wanting = budget->GiveBack();
    if (wanting != nullptr && wanting != this) wanting->Pump();
  }
  Pump();
}

}  // namespace sluice::egress
