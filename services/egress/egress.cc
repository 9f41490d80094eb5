#include "egress/egress.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include <asio/post.hpp>

#include "base/text.h"
#include "egress/attempt.h"
#include "egress/channels.h"
#include "egress/convert.h"
#include "sluice/v1/dispatch.pb.h"
#include "wire/service_main.h"

namespace sluice::egress {
namespace {

constexpr Duration kTickInterval = std::chrono::milliseconds(250);
constexpr Duration kKeysInterval = std::chrono::seconds(1);
constexpr Duration kTlsResultsInterval = std::chrono::seconds(5);
constexpr size_t kMostTlsResults = 1000;
constexpr size_t kMostReactions = 500;
constexpr Duration kReactionsAgain = std::chrono::seconds(10);
// Longer than a stream can lag behind another and live.
constexpr Duration kRefusedFor = std::chrono::seconds(60);
constexpr size_t kMostDefaultThreads = 4;

uint64_t RandomIncarnation() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

LinkIdentity IdentityOf(const EgressOptions& options) {
  return {.egress_id = options.egress_id,
          .incarnation = RandomIncarnation(),
          .version = std::string(wire::Version()),
          .credit_entries = options.credit_entries,
          .credit_bytes = options.credit_bytes,
          .bind_addresses = options.bind_addresses};
}

size_t ThreadCount(const EgressOptions& options) {
  if (options.io_threads > 0) return static_cast<size_t>(options.io_threads);
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostDefaultThreads);
}

size_t SignerCount(const EgressOptions& options) {
  if (options.signer_threads > 0) return static_cast<size_t>(options.signer_threads);
  return std::max<size_t>(std::thread::hardware_concurrency() / 2, 1);
}

ContentCacheOptions CacheOptions(const EgressOptions& options) {
  ContentCacheOptions out;
  out.most_bytes = static_cast<size_t>(options.credit_bytes);
  out.most_idle_bytes = std::min(out.most_idle_bytes, out.most_bytes / 8);
  return out;
}

PathOptions PathOptionsOf(const EgressOptions& options) {
  PathOptions out;
  out.smtp_port = static_cast<int>(options.smtp_port);
  out.timeouts = options.timeouts;
  out.use_starttls = options.smtp_starttls;
  out.secret_directory = options.secret_directory;
  out.testing = options.testing;
  return out;
}

IoThread::Filter FilterOf(const std::shared_ptr<Session>& session, RecallOrder order) {
  return [session, source = std::move(order.source),
          entries = std::move(order.entries)](const Entry& entry) {
    if (entry.session != session || (!source.value().empty() && entry.source != source)) {
      return false;
    }
    if (entries.empty()) return true;
    const auto found = entries.find(entry.id);
    return found != entries.end() && (found->second == 0 || found->second == entry.attempt_id);
  };
}

std::unique_ptr<StsPolicies> MakeStsPolicies(const EgressOptions& options, EgressParts& parts) {
  if (parts.https == nullptr) return nullptr;
  StsPoliciesOptions sts;
  sts.port = static_cast<int>(options.mta_sts_port);
  sts.allows_loopback = options.testing;
  const auto fetch = [https = parts.https.get()](HttpsRequest request,
                                                 HttpsFetcher::Callback callback) {
    https->Fetch(std::move(request), std::move(callback));
  };
  return std::make_unique<StsPolicies>(sts, *parts.resolver, parts.clock, fetch);
}

}  // namespace

Egress::Egress(const EgressOptions& options, EgressParts parts)
    : options_(options),
      parts_(std::move(parts)),
      metrics_(parts_.metrics),
      identity_(IdentityOf(options)),
      // A scheduler lets it hold three times its credit, reports that are not settled among them; two that change places may each do
      // so for a moment.
      custody_(parts_.clock, static_cast<size_t>(6 * options.credit_entries)),
      trace_(parts_.clock),
      contents_(CacheOptions(options)),
      table_(ThreadCount(options)),
      keys_(options.key_directory, options.token_file, parts_.logger),
      addresses_(options.bind_addresses, TestBindTcp),
      sts_policies_(MakeStsPolicies(options, parts_)),
      domain_tls_(*parts_.resolver, sts_policies_.get(), !options.dns_trust_anchors.empty()),
      around_{.custody = custody_,
              .contents = contents_,
              .resolver = *parts_.resolver,
              .keys = keys_,
              .replies = replies_,
              .tls = parts_.tls,
              .domain_tls = domain_tls_,
              .reactions = reactions_,
              .tls_results = tls_results_,
              .clock = parts_.clock,
              .logger = parts_.logger,
              .delivery_log = parts_.delivery_log,
              .metrics = metrics_,
              .trace = trace_,
              .options = PathOptionsOf(options),
              .on_bind_failed = [this](const SourceName& source, const absl::Status& error) {
                asio::post(control_, [this, source, error] { BindFailed(source, error); });
              },
              .on_room = [this](RoomFor room) {
                asio::post(control_, [this, room = std::move(room)]() mutable { RoomChanged(std::move(room)); });
              }},
      signers_(SignerCount(options)),
      shares_(threads_, control_, identity_.incarnation,
              [this](size_t place, int64_t sent_at, const std::vector<HeldUse>& uses) { TellShares(place, sent_at, uses); }) {
  const size_t count = ThreadCount(options);
  const size_t connections = std::max<size_t>(static_cast<size_t>(options.connections) / count, 1);
  for (size_t i = 0; i < count; ++i) {
    threads_.push_back(std::make_unique<IoThread>(around_, signers_, connections));
  }
  asio::post(control_, [this] { Tick(); });
  control_thread_ = std::thread([this] { control_.run(); });
  dialer_ = std::make_unique<Dialer>(
      options_.schedulers, LookUpTargets, [this](std::vector<DialTarget> targets) {
        asio::post(control_, [this, targets = std::move(targets)] { SetTargets(targets); });
      });
}

// ---- from the schedulers ----

void Egress::Received(const std::shared_ptr<Session>& session, v1::DeliverResponse& message) {
  const std::lock_guard lock(intake_mutex_);
  // Refused numbers first: they count as passed for the others.
  if (message.not_owned_size() > 0) {
    const auto& numbers = message.not_owned();
    custody_.NotOwned(*session, std::vector<int64_t>(numbers.begin(), numbers.end()));
  }
  if (message.settled_through() > 0) custody_.Settle(*session, message.settled_through());
  std::vector<EntryPtr> ready;
  ready.reserve(static_cast<size_t>(message.releases_size()));
  for (v1::ContentChunk& chunk : *message.mutable_contents()) {
    contents_.Add(session->number(), FromProto(chunk, contents_.TakeString()), ready);
  }
  for (v1::Release& release : *message.mutable_releases()) {
    Admit(FromProto(release, session), ready);
  }
  contents_.Trim();
  HandOn(std::move(ready));
}

void Egress::Admit(EntryPtr entry, std::vector<EntryPtr>& ready) {
  if (const auto reason = custody_.Admit(*entry); reason.has_value()) {
    return GiveBack(around_, *entry, *reason);
  }
  if (refused_.erase(entry->attempt_id) > 0) {
    return GiveBack(around_, *entry, ReturnReason::kRecall);
  }
  const std::shared_ptr<Session> session = entry->session;
  const MessageId message = entry->message;
  bool must_ask = false;
  EntryPtr attached = contents_.Attach(std::move(entry), parts_.clock.Steady(), must_ask);
  if (attached != nullptr) {
    ready.push_back(std::move(attached));
  } else if (must_ask) {
    custody_.AskContent(*session, message);
  }
}

void Egress::HandOn(std::vector<EntryPtr> ready) {
  if (ready.empty()) return;
  const std::shared_ptr<const SourceTable::Map> table = table_.Read();
  Batches batches(threads_.size());
  for (EntryPtr& entry : ready) {
    const auto home = table->find(entry->source.value());
    if (home == table->end()) {
      GiveBack(around_, *entry, ReturnReason::kSourceLost);
    } else {
      batches[home->second].push_back(std::move(entry));
    }
  }
  for (size_t i = 0; i < batches.size(); ++i) {
    if (!batches[i].empty()) threads_[i]->Take(std::move(batches[i]));
  }
}

std::vector<BindResult> Egress::Assigned(std::vector<AssignedSource> sources) {
  std::vector<BindResult> results = addresses_.Assign(std::move(sources), parts_.clock.Steady());
  for (const BindResult& result : results) {
    if (result.status.ok()) continue;
    parts_.logger.Error("source_not_bound", {{"source", result.source.value()},
                                             {"error", View(result.status.message())}});
  }
  SpreadSources();
  return results;
}

void Egress::SigningKeysCame(std::vector<SigningKey> keys) { keys_.SetRules(std::move(keys)); }

void Egress::ReplyRulesCame(const std::vector<ReplyRule>& rules) { replies_.SetRules(rules); }

void Egress::Shaped(LimitBook book, std::vector<PlacedAutomation> automation, std::function<void()> done) {
  reactions_.SetRules(std::move(automation));
  book_ = std::make_shared<const LimitBook>(std::move(book));
  SpreadSources();
  // Threads work in order: when they answer this they have the book.
  GiveUp([](const Entry&) { return false; }, ReturnReason::kRecall, std::move(done));
}

void Egress::Recalled(const std::shared_ptr<Session>& session, RecallOrder order,
                      std::function<void()> done) {
  {
    // Releases travel on another stream: one that is still on its way is refused when it arrives.
    const std::lock_guard lock(intake_mutex_);
    const SteadyInstant until = parts_.clock.Steady() + kRefusedFor;
    for (const auto& [entry, attempt_id] : order.entries) {
      if (attempt_id != 0) refused_.emplace(attempt_id, until);
    }
  }
  GiveUp(FilterOf(session, std::move(order)), ReturnReason::kRecall, std::move(done));
}

void Egress::Lost(const std::shared_ptr<Session>& session) {
  metrics_.sessions_lost.Add();
  contents_.Forget(session->number());
  GiveUp([session](const Entry& entry) { return entry.session == session; }, ReturnReason::kLease,
         {});
}

void Egress::Watched(const std::string& scheduler, std::vector<TraceFilter> filters) {
  trace_.Watch(scheduler, std::move(filters));
}

void Egress::SendTrace() {
  if (!trace_.is_on()) return;
  int64_t dropped = 0;
  const std::deque<TracedLine> lines = trace_.Take(dropped);
  if (lines.empty() && dropped == 0) return;
  for (const std::string& watcher : trace_.Watchers()) {
    const auto link = links_.find(watcher);
    if (link != links_.end()) link->second->SendTrace(lines, dropped);
  }
}

void Egress::GiveUp(const IoThread::Filter& filter, ReturnReason reason,
                    std::function<void()> done) {
  // What came before this order is with the threads or waits for its content.
  const std::lock_guard lock(intake_mutex_);
  for (const EntryPtr& entry : contents_.TakeWaiting(filter)) GiveBack(around_, *entry, reason);
  auto left = std::make_shared<std::atomic<size_t>>(threads_.size());
  for (auto& thread : threads_) {
    thread->GiveUp(filter, reason, [left, done] {
      if (--*left == 0 && done) done();
    });
  }
}

// ---- control thread ----

void Egress::SetTargets(const std::vector<DialTarget>& targets) {
  // An address that is no longer named is dropped once its scheduler has left.
  std::erase_if(links_, [&](auto& item) {
    SchedulerLink& link = *item.second;
    const bool is_named = std::any_of(targets.begin(), targets.end(), [&](const auto& target) {
      return target.address == item.first;
    });
    if (!is_named && link.session() == nullptr) link.Stop();
    return link.is_stopped() && link.is_idle();
  });
  for (const DialTarget& target : targets) {
    if (!links_.contains(target.address)) AddLink(target);
  }
}

void Egress::AddLink(const DialTarget& target) {
  auto channels = MakeChannels(options_.dispatch, target);
  if (!channels.ok()) {
    parts_.logger.Error("scheduler_not_dialled", {{"scheduler", target.address},
                                                  {"error", View(channels.status().message())}});
    return;
  }
  LinkHost& host = *this;
  auto link = std::make_shared<SchedulerLink>(target.address, *std::move(channels), identity_, host,
                                              custody_, control_, parts_.clock, parts_.logger);
  links_.emplace(target.address, link);
  link->Start();
}

void Egress::BindFailed(const SourceName& source, const absl::Status& error) {
  const std::vector<BindResult> results = addresses_.Lost(source, error, parts_.clock.Steady());
  if (results.empty()) return;
  parts_.logger.Error("source_lost",
                      {{"source", source.value()}, {"error", View(error.message())}});
  SpreadSources();
  TellAll(results);
}

void Egress::RoomChanged(RoomFor room) {
  for (auto& [address, link] : links_) link->Tell(std::vector<RoomFor>{room});
  const std::string key = Cat(room.source.value(), "\n", room.provider.value(), "\n", room.site.value());
  if (room.most_in_flight) {
    rooms_.insert_or_assign(key, std::move(room));
  } else {
    rooms_.erase(key);
  }
}

std::vector<RoomFor> Egress::Rooms() {
  std::vector<RoomFor> out;
  for (const auto& [key, room] : rooms_) out.push_back(room);
  return out;
}

void Egress::TellAll(const std::vector<BindResult>& results) {
  for (auto& [address, link] : links_) link->Tell(results);
}

void Egress::SpreadSources() {
  const std::vector<AssignedSource> usable = addresses_.Usable();
  auto own = std::make_shared<std::vector<asio::ip::address>>();
  for (const AssignedSource& source : usable) {
    own->push_back(asio::ip::make_address(source.bind_address));
  }
  const std::vector<size_t> homes = table_.Place(usable);
  std::vector<std::vector<BoundSourcePtr>> by_thread(threads_.size());
  for (size_t i = 0; i < usable.size(); ++i) {
    by_thread[homes[i]].push_back(std::make_shared<const BoundSource>(
        BoundSource{.assigned = usable[i], .address = (*own)[i], .own = own, .book = book_}));
  }
  for (size_t i = 0; i < threads_.size(); ++i) threads_[i]->SetSources(std::move(by_thread[i]));
  table_.Publish();
}

void Egress::Tick() {
  const SteadyInstant now = parts_.clock.Steady();
  const Instant wall = parts_.clock.Now();
  if (const auto results = addresses_.Retry(now); !results.empty()) {
    SpreadSources();
    TellAll(results);
  }
  for (const EntryPtr& entry : contents_.TakeOverdue(now)) {
    GiveBack(around_, *entry, ReturnReason::kContent);
  }
  const auto is_over = [now, wall](const Entry& entry) {
    return !entry.session->Holds(now) || wall >= entry.not_after;
  };
  for (const EntryPtr& entry : contents_.TakeWaiting(is_over)) {
    GiveBack(around_, *entry, ReturnReason::kLease);
  }
  LookAtKeys(now);
  TellTlsResults(now);
  TellReactions(now);
  shares_.Tick(now);
  {
    const std::lock_guard lock(intake_mutex_);
    absl::erase_if(refused_, [now](const auto& item) { return item.second <= now; });
  }
  SendTrace();
  SetGauges();
  tick_.expires_after(kTickInterval);
  tick_.async_wait([this](const asio::error_code& error) {
    if (!error) Tick();
  });
}

void Egress::LookAtKeys(SteadyInstant now) {
  if (now - keys_looked_at_ < kKeysInterval) return;
  keys_looked_at_ = now;
  keys_.Refresh();
}

void Egress::TellTlsResults(SteadyInstant now) {
  if (now < tls_results_at_) return;
  tls_results_at_ = now + kTlsResultsInterval;
  for (auto& [address, link] : links_) {
    if (link->session() == nullptr) continue;
    std::vector<TlsResults::Counted> results = tls_results_.Take(kMostTlsResults);
    if (!results.empty() && !link->Tell(results)) tls_results_.GiveBack(std::move(results));
    return;
  }
}

void Egress::TellReactions(SteadyInstant now) {
  if (reactions_.empty()) return;
  for (auto& [address, link] : links_) {
    const std::shared_ptr<Session> session = link->session();
    if (session == nullptr) continue;
    if (session->number() != reactions_session_ || now >= reactions_again_at_) {
      reactions_session_ = session->number();
      reactions_told_ = 0;
      reactions_again_at_ = now + kReactionsAgain;
    }
    const std::vector<NumberedReaction> news = reactions_.After(reactions_told_, kMostReactions);
    if (news.empty()) return;
    reactions_told_ = news.back().number;
    return link->Tell(news);
  }
}

void Egress::TellShares(size_t place, int64_t sent_at_micros, const std::vector<HeldUse>& uses) {
  std::vector<SchedulerLink*> listening;
  for (auto& [address, link] : links_) {
    if (link->session() != nullptr) listening.push_back(link.get());
  }
  if (!listening.empty()) listening[place % listening.size()]->Tell(sent_at_micros, uses);
}

void Egress::ReactionsKept(int64_t through) { reactions_.Kept(through); }

void Egress::SetGauges() {
  metrics_.keys_missing.Set(static_cast<int64_t>(keys_.missing_count()));
  const CustodyStats stats = custody_.Stats();
  metrics_.held.Set(static_cast<int64_t>(stats.held));
  metrics_.in_flight.Set(static_cast<int64_t>(stats.begun));
  metrics_.reports_unacked.Set(static_cast<int64_t>(stats.unacked));
  metrics_.content_bytes.Set(static_cast<int64_t>(contents_.bytes()));
  metrics_.contents.Set(static_cast<int64_t>(contents_.content_count()));
  metrics_.content_waiting.Set(static_cast<int64_t>(contents_.waiting_count()));
  metrics_.sources_assigned.Set(static_cast<int64_t>(addresses_.size()));
  metrics_.sources_bound.Set(static_cast<int64_t>(addresses_.Usable().size()));
  int64_t sessions = 0, leases = 0;
  for (const auto& [address, link] : links_) {
    const std::shared_ptr<Session> session = link->session();
    sessions += session != nullptr ? 1 : 0;
    leases += session != nullptr && session->Holds(parts_.clock.Steady()) ? 1 : 0;
  }
  metrics_.sessions.Set(sessions);
  metrics_.leases.Set(leases);
}

}  // namespace sluice::egress
