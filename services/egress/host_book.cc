#include "egress/host_book.h"

#include <algorithm>
#include <utility>

namespace sluice::egress {

bool HostBook::IsPaused(std::string_view host, SteadyInstant now) const {
  const Page* page = Find(host);
  return page != nullptr && now < page->paused_until;
}

bool HostBook::IsPlainText(std::string_view host, SteadyInstant now) const {
  const Page* page = Find(host);
  return page != nullptr && now < page->plain_text_until;
}

const HostFailure* HostBook::LastFailure(std::string_view host) const {
  const Page* page = Find(host);
  return page == nullptr || page->failure_count == 0 ? nullptr : &page->failure;
}

void HostBook::Failed(std::string_view host, HostFailure failure, SteadyInstant now) {
  Page& page = Of(host);
  // Connections that were being opened together fail together: that is one failure.
  if (now < page.paused_until) return;
  const int doublings = std::min(page.failure_count++, 16);
  page.paused_until = now + std::min(kFirstPause * (int64_t{1} << doublings), kMostPause);
  page.failure = std::move(failure);
}

void HostBook::Worked(std::string_view host) {
  const auto found = pages_.find(host);
  if (found == pages_.end()) return;
  found->second.failure_count = 0;
  found->second.paused_until = {};
}

void HostBook::UsePlainText(std::string_view host, SteadyInstant now) {
  Of(host).plain_text_until = now + kPlainTextFor;
}

bool HostBook::IsBlank(SteadyInstant now) const {
  return std::all_of(pages_.begin(), pages_.end(), [now](const auto& item) {
    return now >= item.second.paused_until && now >= item.second.plain_text_until;
  });
}

HostBook::Page& HostBook::Of(std::string_view host) {
  if (const auto found = pages_.find(host); found != pages_.end()) return found->second;
  if (pages_.size() >= kMostHosts) pages_.erase(pages_.begin());
  return pages_[std::string(host)];
}

const HostBook::Page* HostBook::Find(std::string_view host) const {
  const auto found = pages_.find(host);
  return found == pages_.end() ? nullptr : &found->second;
}

}  // namespace sluice::egress
