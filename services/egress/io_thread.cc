#include "egress/io_thread.h"

#include <algorithm>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "absl/container/inlined_vector.h"
#include "base/text.h"
#include "egress/attempt.h"
#include "net/spawn.h"

namespace sluice::egress {
namespace {

// Sites of one name may have different hosts (policy/site.h), and mail never goes to another domain's MX. The order to try them
// in does not make a path.
// Connections are shared only by mail that wants the same of TLS.
std::string PathKey(const Entry& entry) {
  absl::InlinedVector<std::string_view, 8> sorted(entry.mx_hosts.begin(), entry.mx_hosts.end());
  std::sort(sorted.begin(), sorted.end());
  std::string key = entry.site.value();
  for (const std::string_view host : sorted) Append(key, '|', host);
  if (const SmartHostPolicy* host = entry.smart_host.get()) {
    Append(key, '\n', host->port, ' ', host->user, ' ', host->password_file, ' ',
           ToString(host->tls));
  }
  if (entry.tls != nullptr && !entry.tls->key.empty()) Append(key, '\n', entry.tls->key);
  return key;
}

}  // namespace

IoThread::IoThread(const Surroundings& around, SignerPool& signers, size_t most_connections)
    : around_(around),
      budget_(most_connections),
      waiting_([this](const std::string& domain) { AskDomain(domain); }),
      desk_(signers, io_) {
  Spawn(io_.get_executor(), TickForEver(), "egress tick");
  thread_ = std::thread([this] { io_.run(); });
}

IoThread::~IoThread() {
  Stop();
  for (auto& [name, source] : sources_) {
    for (auto& [key, group] : source.groups) group->LeaveThread();
  }
}

void IoThread::Stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void IoThread::Take(std::vector<EntryPtr> entries) {
  asio::post(io_, [this, entries = std::move(entries)]() mutable { TakeHere(std::move(entries)); });
}

void IoThread::SetSources(std::vector<BoundSourcePtr> sources) {
  asio::post(
      io_, [this, sources = std::move(sources)]() mutable { SetSourcesHere(std::move(sources)); });
}

void IoThread::GiveUp(Filter filter, ReturnReason reason, std::function<void()> done) {
  asio::post(io_, [this, filter = std::move(filter), reason, done = std::move(done)] {
    GiveUpHere(filter, reason);
    if (done) done();
  });
}

void IoThread::AskShares(std::function<void(std::vector<ShareUse>)> use) {
  asio::post(io_, [this, use = std::move(use)] { use(shared_.Uses(around_.clock.Steady())); });
}

void IoThread::GiveShares(std::vector<GivenShare> shares, SteadyInstant until) {
  asio::post(io_, [this, shares = std::move(shares), until] { shared_.Give(shares, until, around_.clock.Steady()); });
}

void IoThread::Abort(bool also_past_dot) {
  asio::post(io_, [this, also_past_dot] {
    for (auto& [name, source] : sources_) {
      for (auto& [site, path] : source.paths) path->Abort(also_past_dot);
    }
  });
}

asio::awaitable<void> IoThread::TickForEver() {
  asio::steady_timer timer(io_);
  while (true) {
    timer.expires_after(kTickInterval);
    co_await timer.async_wait(asio::use_awaitable);
    Tick(around_.clock.Steady(), around_.clock.Now());
  }
}

void IoThread::Tick(SteadyInstant now, Instant wall) {
  GiveUpHere(
      [now, wall](const Entry& entry) {
        return !entry.session->Holds(now) || wall >= entry.not_after;
      },
      ReturnReason::kLease);
  shared_.Tick(now);
  size_t path_count = 0;
  for (const auto& [name, source] : sources_) path_count += source.paths.size();
  const bool is_crowded = path_count > kMostPathsRemembered;
  for (auto source = sources_.begin(); source != sources_.end();) {
    auto& paths = source->second.paths;
    absl::erase_if(paths, [now, is_crowded](const auto& item) {
      return item.second->IsDisposable(now) || (is_crowded && !item.second->IsBusy());
    });
    absl::erase_if(source->second.groups, [](const auto& item) { return item.second->IsDisposable(); });
    if (source->second.bound != nullptr) {
      for (auto& [key, group] : source->second.groups) group->Refresh(*source->second.bound, wall);
    }
    // Entries may wait for a pause, a ceiling or memory to end.
    for (auto& [site, path] : paths) {
      path->GiveBackExcess();
      path->EndIdleExcess();
      path->EndLapsed(now);
      path->Pump();
    }
    if (source->second.bound == nullptr && paths.empty() && source->second.groups.empty()) {
      sources_.erase(source++);
    } else {
      ++source;
    }
  }
}

void IoThread::TakeHere(std::vector<EntryPtr> entries) {
  const SteadyInstant now = around_.clock.Steady();
  for (EntryPtr& entry : entries) {
    // What the recipient's domain asks for is the smart host's affair.
    if (entry->smart_host == nullptr) entry = waiting_.Pass(std::move(entry), now);
  }
  std::erase(entries, nullptr);
  Place(std::move(entries));
}

void IoThread::AskDomain(const std::string& domain) {
  around_.domain_tls.Find(domain, [this](DomainTlsPtr tls) {
    asio::post(io_, [this, tls = std::move(tls)] {
      Place(waiting_.Arrived(tls, around_.clock.Steady()));
    });
  });
}

void IoThread::Place(std::vector<EntryPtr> entries) {
  std::vector<Path*> touched;
  for (EntryPtr& entry : entries) {
    Path* path = PathOf(*entry);
    if (path == nullptr) {
      GiveBack(around_, *entry, ReturnReason::kSourceLost);
      continue;
    }
    path->Push(std::move(entry));
    if (touched.empty() || touched.back() != path) touched.push_back(path);
  }
  for (Path* path : touched) {
    path->Pump();
    path->GiveBackExcess();
  }
}

Path* IoThread::PathOf(const Entry& entry) {
  const auto source = sources_.find(entry.source.value());
  if (source == sources_.end() || source->second.bound == nullptr) return nullptr;
  std::unique_ptr<Path>& path = source->second.paths[PathKey(entry)];
  if (path == nullptr) {
    PathGroup& group = GroupOf(source->second, entry);
    path = std::make_unique<Path>(around_, io_, budget_, group, desk_, source->second.bound, Destination{entry.provider, entry.site});
    path->UseShared(SharedOf(*source->second.bound, path->to()));
  }
  return path->is_closing() ? nullptr : path.get();
}

PathGroup& IoThread::GroupOf(Source& source, const Entry& entry) {
  std::unique_ptr<PathGroup>& group =
      source.groups[PathGroup::KeyOf(entry.provider, entry.site)];
  if (group == nullptr) {
    group = std::make_unique<PathGroup>(around_, io_, entry.source, entry.provider, entry.site, *source.connections,
                                        *source.peers);
    group->Refresh(*source.bound, around_.clock.Now());
  }
  return *group;
}

SharedConnectionTable::Limits IoThread::SharedOf(const BoundSource& source, const Destination& to) const {
  const ShapingFacts facts{.source = source.assigned.name.value(),
                           .provider = to.provider.value(),
                           .site = to.site.value(),
                           .pools = source.assigned.pools};
  return shared_.Find(*source.book, facts);
}

void IoThread::SetSourcesHere(std::vector<BoundSourcePtr> sources) {
  for (auto& [name, source] : sources_) source.bound = nullptr;
  absl::flat_hash_set<std::string> pools;
  for (const BoundSourcePtr& bound : sources) pools.insert(bound->assigned.pools.begin(), bound->assigned.pools.end());
  // All have the same.
  const std::shared_ptr<const LimitBook> book = sources.empty() ? std::make_shared<const LimitBook>() : sources.front()->book;
  shared_.SetBook(*book, pools, around_.clock.Steady());
  for (BoundSourcePtr& bound : sources) {
    Source& source = sources_[bound->assigned.name.value()];
    source.bound = bound;
    if (source.connections == nullptr) {
      source.connections = std::make_unique<ConnectionBudget>(0);
      source.peers = std::make_unique<PeerBudgets>();
    }
    for (auto& [key, group] : source.groups) group->Refresh(*bound, around_.clock.Now());
    for (auto& [site, path] : source.paths) {
      path->UseShared(SharedOf(*bound, path->to()));
      path->UseSource(bound);
    }
  }
  for (auto& [name, source] : sources_) {
    if (source.bound != nullptr) continue;
    for (auto& [site, path] : source.paths) {
      for (const EntryPtr& entry : path->Extract([](const Entry&) { return true; })) {
        GiveBack(around_, *entry, ReturnReason::kSourceLost);
      }
      path->Close();
    }
  }
}

void IoThread::GiveUpHere(const Filter& filter, ReturnReason reason) {
  for (const EntryPtr& entry : waiting_.Extract(filter)) GiveBack(around_, *entry, reason);
  for (auto& [name, source] : sources_) {
    for (auto& [site, path] : source.paths) {
      for (const EntryPtr& entry : path->Extract(filter)) GiveBack(around_, *entry, reason);
    }
  }
}

}  // namespace sluice::egress
