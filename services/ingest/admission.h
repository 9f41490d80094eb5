// How much ingest holds in memory at once: a budget of bytes for all tenants, and a share of it
// that no tenant may exceed, so that a runaway tenant is refused before it delays the others.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text.h"

namespace sluice::ingest {

class Admission;

// The right to hold some bytes; gives them back at its end. Must not outlive its Admission.
class Ticket {
 public:
  Ticket(Ticket&& other) noexcept;
  Ticket& operator=(Ticket&& other) noexcept;
  ~Ticket();

 private:
  friend class Admission;
  Ticket(Admission& admission, std::string tenant, size_t bytes)
      : admission_(&admission), tenant_(std::move(tenant)), bytes_(bytes) {}
  void Release();

  Admission* admission_;
  std::string tenant_;
  size_t bytes_;
};

// Thread-safe.
class Admission {
 public:
  struct Options {
    size_t total_bytes = size_t{256} << 20;
    size_t tenant_bytes = size_t{160} << 20;
  };
  explicit Admission(const Options& options) : options_(options) {}

  // Nothing when the budget does not allow `bytes` more now. A tenant that holds nothing is
  // admitted whenever the total allows, however large its request: else one request over the share
  // could never be accepted.
  std::optional<Ticket> Admit(std::string_view tenant, size_t bytes);
  size_t held_bytes() const;

 private:
  friend class Ticket;
  void Return(const std::string& tenant, size_t bytes);

  const Options options_;
  mutable std::mutex mutex_;
  size_t held_ = 0;
  // Only tenants that hold something.
  std::unordered_map<std::string, size_t, StringHash, std::equal_to<>> by_tenant_;
};

}  // namespace sluice::ingest
