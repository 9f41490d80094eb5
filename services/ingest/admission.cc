#include "ingest/admission.h"

#include <utility>

#include "base/check.h"

namespace sluice::ingest {

Ticket::Ticket(Ticket&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      tenant_(std::move(other.tenant_)),
      bytes_(other.bytes_) {}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Release();
    admission_ = std::exchange(other.admission_, nullptr);
    tenant_ = std::move(other.tenant_);
    bytes_ = other.bytes_;
  }
  return *this;
}

Ticket::~Ticket() { Release(); }

void Ticket::Release() {
  if (admission_ != nullptr) admission_->Return(tenant_, bytes_);
}

std::optional<Ticket> Admission::Admit(std::string_view tenant, size_t bytes) {
  SLUICE_CHECK(bytes > 0);
  const std::lock_guard lock(mutex_);
  // A request larger than the whole budget passes when nothing else is held.
  if (held_ != 0 && held_ + bytes > options_.total_bytes) return std::nullopt;
  const auto own = by_tenant_.find(tenant);
  if (own == by_tenant_.end()) {
    by_tenant_.emplace(tenant, bytes);
  } else {
    if (own->second + bytes > options_.tenant_bytes) return std::nullopt;
    own->second += bytes;
  }
  held_ += bytes;
  return Ticket(*this, std::string(tenant), bytes);
}

size_t Admission::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

void Admission::Return(const std::string& tenant, size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto own = by_tenant_.find(tenant);
  SLUICE_CHECK(own != by_tenant_.end() && own->second >= bytes && held_ >= bytes);
  own->second -= bytes;
  held_ -= bytes;
  if (own->second == 0) by_tenant_.erase(own);
}

}  // namespace sluice::ingest
