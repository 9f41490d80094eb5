// Counters, gauges and histograms as Prometheus scrapes them. Registering takes a lock and happens
// at start-up (or once for a new series); moving a metric is one relaxed atomic. Names are
// `sluice_<noun>_<unit>_total|seconds|count`, labels come from one fixed list and series are
// bounded, so that no traffic can make the scrape grow without end. Each metric is described in
// deploy/docs/metrics.md (a lint test compares).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::telemetry {

// All the labels there are. Never a domain, a site, a recipient or a message id.
enum class Label {
  kPool,
  kSource,
  kProvider,
  kStream,
  kTenant,
  kDisposition,
  kReplyClass,
  kStage,
  kResult,
  kMethod,
  kCode,
  kVersion,  // Of sluice_build_info alone.
};
std::string_view ToString(Label label);

// All three are thread-safe and lock-free. Their addresses are stable as long as the Metrics lives.
class alignas(64) Counter {
 public:
  void Add(int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

class alignas(64) Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

class Histogram {
 public:
  static constexpr size_t kMostBounds = 20;
  // Upper bounds, rising; +Inf is added.
  explicit Histogram(const std::vector<double>& bounds);
  void Observe(double value);
  void Observe(Duration duration) { Observe(static_cast<double>(duration.count()) * 1e-6); }

  const std::vector<double>& bounds() const { return bounds_; }
  // Of bucket `i` alone; the last one is beyond every bound.
  int64_t count(size_t i) const { return counts_[i].load(std::memory_order_relaxed); }
  double sum() const { return static_cast<double>(sum_.load(std::memory_order_relaxed)) * 1e-6; }

 private:
  const std::vector<double> bounds_;
  std::array<std::atomic<int64_t>, kMostBounds + 1> counts_{};
  std::atomic<int64_t> sum_{0};  // Millionths.
};

// 0.5 ms to 10 min, roughly doubling: for anything measured in seconds.
const std::vector<double>& LatencyBounds();

// Lets a series be found by views, without copying the values.
struct LabelValuesLess {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return std::lexicographical_compare(
        std::begin(a), std::end(a), std::begin(b), std::end(b),
        [](std::string_view x, std::string_view y) { return x < y; });
  }
};

// One name, one series per combination of label values. Thread-safe.
template <class M>
class Family {
 public:
  Family(std::vector<Label> labels, size_t most_series, std::function<std::unique_ptr<M>()> make)
      : labels_(std::move(labels)), most_series_(most_series), make_(std::move(make)) {}
  // `values` in the order of the labels. Takes a lock and looks
  // the values up: keep the reference where it matters. Once
  // `most_series` exist, new combinations share the series whose values are all `other`.
  M& With(std::initializer_list<std::string_view> values);

  const std::vector<Label>& labels() const { return labels_; }
  void ForEach(const std::function<void(const std::vector<std::string>&, const M&)>& visit) const;

 private:
  const std::vector<Label> labels_;
  const size_t most_series_;
  const std::function<std::unique_ptr<M>()> make_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<M>, LabelValuesLess> series_;
};
extern template class Family<Counter>;
extern template class Family<Gauge>;
extern template class Family<Histogram>;

// The metrics of one process. A name that breaks the rules or stands twice is our bug and aborts.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter& AddCounter(std::string name, std::string help);
  Gauge& AddGauge(std::string name, std::string help);
  Histogram& AddHistogram(std::string name, std::string help,
                          const std::vector<double>& bounds = LatencyBounds());
  Family<Counter>& AddCounters(std::string name, std::string help, std::vector<Label> labels,
                               size_t most_series = 1000);
  Family<Gauge>& AddGauges(std::string name, std::string help, std::vector<Label> labels,
                           size_t most_series = 1000);
  Family<Histogram>& AddHistograms(std::string name, std::string help, std::vector<Label> labels,
                                   const std::vector<double>& bounds = LatencyBounds(),
                                   size_t most_series = 200);
  // Read at each scrape, on the scraper's thread.
  void AddComputed(std::string name, std::string help, std::function<double()> read);
  // The same with labels: `read` calls `emit(values, value)` for each series, each combination of values once; what it emits beyond
  // `most_series` is left out.
  using Emit = std::function<void(std::initializer_list<std::string_view> values, double value)>;
  void AddComputedGauges(std::string name, std::string help, std::vector<Label> labels,
                         std::function<void(const Emit& emit)> read, size_t most_series = 1000);
  // Memory, CPU time and file descriptors of this process, and what it is built from.
  void AddProcess(std::string_view version);

  // What a scrape answers, in Prometheus's text format.
  std::string Text() const;

 private:
  friend class MetricsExposer;
  class Collector;
  const std::shared_ptr<Collector> collector_;
};

// Serves GET /metrics.
class MetricsExposer {
 public:
  // "127.0.0.1:9100"; port 0 picks one. `metrics` must outlive the exposer.
  static absl::StatusOr<std::unique_ptr<MetricsExposer>> Start(const std::string& listen,
                                                               const Metrics& metrics);
  ~MetricsExposer();
  int port() const;

 private:
  struct Impl;
  explicit MetricsExposer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::telemetry
