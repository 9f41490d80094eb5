#include "telemetry/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "base/check.h"
#include "base/text.h"
#include "telemetry/process.h"

namespace sluice::telemetry {
namespace {

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool IsMetricName(std::string_view name, prometheus::MetricType type) {
  if (name.substr(0, 7) != "sluice_") return false;
  for (const char c : name) {
    if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) return false;
  }
  if (type == prometheus::MetricType::Counter) return EndsWith(name, "_total");
  return EndsWith(name, "_seconds") || EndsWith(name, "_count") || EndsWith(name, "_total") ||
         EndsWith(name, "_info");
}

void Read(const Counter& counter, prometheus::ClientMetric& out) {
  out.counter.value = static_cast<double>(counter.value());
}
void Read(const Gauge& gauge, prometheus::ClientMetric& out) {
  out.gauge.value = static_cast<double>(gauge.value());
}
void Read(const Histogram& histogram, prometheus::ClientMetric& out) {
  uint64_t total = 0;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) {
    total += static_cast<uint64_t>(histogram.count(i));
    const double bound = i < histogram.bounds().size() ? histogram.bounds()[i]
                                                       : std::numeric_limits<double>::infinity();
    out.histogram.bucket.push_back({total, bound});
  }
  out.histogram.sample_count = total;
  out.histogram.sample_sum = histogram.sum();
}

template <class M>
prometheus::MetricType TypeOf() {
  if constexpr (std::is_same_v<M, Counter>) return prometheus::MetricType::Counter;
  if constexpr (std::is_same_v<M, Gauge>) return prometheus::MetricType::Gauge;
  return prometheus::MetricType::Histogram;
}

template <class M>
void ReadFamily(const Family<M>& family, prometheus::MetricFamily& out) {
  family.ForEach([&](const std::vector<std::string>& values, const M& metric) {
    prometheus::ClientMetric series;
    for (size_t i = 0; i < values.size(); ++i) {
      series.label.push_back({std::string(ToString(family.labels()[i])), values[i]});
    }
    Read(metric, series);
    out.metric.push_back(std::move(series));
  });
}

}  // namespace

std::string_view ToString(Label label) {
  switch (label) {
    case Label::kPool:
      return "pool";
    case Label::kSource:
      return "source";
    case Label::kProvider:
      return "provider";
    case Label::kStream:
      return "stream";
    case Label::kTenant:
      return "tenant";
    case Label::kDisposition:
      return "disposition";
    case Label::kReplyClass:
      return "reply_class";
    case Label::kStage:
      return "stage";
    case Label::kResult:
      return "result";
    case Label::kMethod:
      return "method";
    case Label::kCode:
      return "code";
    case Label::kVersion:
      return "version";
  }
  return "";
}

Histogram::Histogram(const std::vector<double>& bounds) : bounds_(bounds) {
  SLUICE_CHECK(bounds_.size() <= kMostBounds);
  SLUICE_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double value) {
  size_t i = 0;
  while (i < bounds_.size() && value > bounds_[i]) ++i;
  counts_[i].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(std::llround(value * 1e6), std::memory_order_relaxed);
}

const std::vector<double>& LatencyBounds() {
  static const std::vector<double> bounds = {
      0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 180, 600};
  return bounds;
}

template <class M>
M& Family<M>::With(std::initializer_list<std::string_view> values) {
  SLUICE_CHECK(values.size() == labels_.size());
  const std::lock_guard lock(mutex_);
  auto found = series_.find(values);
  if (found != series_.end()) return *found->second;
  std::vector<std::string> key(values.begin(), values.end());
  if (series_.size() >= most_series_) {
    key.assign(labels_.size(), "other");
    found = series_.find(key);
  }
  if (found == series_.end()) found = series_.emplace(std::move(key), make_()).first;
  return *found->second;
}

template <class M>
void Family<M>::ForEach(
    const std::function<void(const std::vector<std::string>&, const M&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [values, metric] : series_) visit(values, *metric);
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

// Owns every family; prometheus-cpp holds it weakly and calls Collect at each scrape.
class Metrics::Collector final : public prometheus::Collectable {
 public:
  template <class M>
  Family<M>& Add(std::string name, std::string help, std::vector<Label> labels, size_t most_series,
                 std::function<std::unique_ptr<M>()> make) {
    auto family = std::make_shared<Family<M>>(std::move(labels), most_series, std::move(make));
    AddReader(std::move(name), std::move(help), TypeOf<M>(),
              [family](prometheus::MetricFamily& out) { ReadFamily(*family, out); });
    return *family;
  }

  void AddReader(std::string name, std::string help, prometheus::MetricType type,
                 std::function<void(prometheus::MetricFamily&)> read) {
    SLUICE_CHECK(IsMetricName(name, type));
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) SLUICE_CHECK(entry.name != name);
    entries_.push_back({std::move(name), std::move(help), type, std::move(read)});
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex_);
    std::vector<prometheus::MetricFamily> out;
    for (const Entry& entry : entries_) {
      out.push_back({entry.name, entry.help, entry.type, {}});
      entry.read(out.back());
    }
    return out;
  }

 private:
  struct Entry {
    std::string name, help;
    prometheus::MetricType type;
    std::function<void(prometheus::MetricFamily&)> read;
  };
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

Metrics::Metrics() : collector_(std::make_shared<Collector>()) {}
Metrics::~Metrics() = default;

Family<Counter>& Metrics::AddCounters(std::string name, std::string help, std::vector<Label> labels,
                                      size_t most_series) {
  return collector_->Add<Counter>(std::move(name), std::move(help), std::move(labels), most_series,
                                  [] { return std::make_unique<Counter>(); });
}
Family<Gauge>& Metrics::AddGauges(std::string name, std::string help, std::vector<Label> labels,
                                  size_t most_series) {
  return collector_->Add<Gauge>(std::move(name), std::move(help), std::move(labels), most_series,
                                [] { return std::make_unique<Gauge>(); });
}
Family<Histogram>& Metrics::AddHistograms(std::string name, std::string help,
                                          std::vector<Label> labels,
                                          const std::vector<double>& bounds, size_t most_series) {
  return collector_->Add<Histogram>(std::move(name), std::move(help), std::move(labels),
                                    most_series,
                                    [bounds] { return std::make_unique<Histogram>(bounds); });
}

Counter& Metrics::AddCounter(std::string name, std::string help) {
  return AddCounters(std::move(name), std::move(help), {}).With({});
}
Gauge& Metrics::AddGauge(std::string name, std::string help) {
  return AddGauges(std::move(name), std::move(help), {}).With({});
}
Histogram& Metrics::AddHistogram(std::string name, std::string help,
                                 const std::vector<double>& bounds) {
  return AddHistograms(std::move(name), std::move(help), {}, bounds).With({});
}

void Metrics::AddComputed(std::string name, std::string help, std::function<double()> read) {
  const bool counts = EndsWith(name, "_total");
  collector_->AddReader(std::move(name), std::move(help),
                        counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge,
                        [counts, read = std::move(read)](prometheus::MetricFamily& out) {
                          prometheus::ClientMetric series;
                          (counts ? series.counter.value : series.gauge.value) = read();
                          out.metric.push_back(std::move(series));
                        });
}

void Metrics::AddComputedGauges(std::string name, std::string help, std::vector<Label> labels,
                                std::function<void(const Emit&)> read, size_t most_series) {
  collector_->AddReader(
      std::move(name), std::move(help), prometheus::MetricType::Gauge,
      [labels = std::move(labels), read = std::move(read), most_series](prometheus::MetricFamily& out) {
        read([&](std::initializer_list<std::string_view> values, double value) {
          SLUICE_CHECK(values.size() == labels.size());
          if (out.metric.size() >= most_series) return;
          prometheus::ClientMetric series;
          auto label = labels.begin();
          for (const std::string_view text : values)
            series.label.push_back({std::string(ToString(*label++)), std::string(text)});
          series.gauge.value = value;
          out.metric.push_back(std::move(series));
        });
      });
}

void Metrics::AddProcess(std::string_view version) {
  AddGauges("sluice_build_info", "Always 1; the label says which version runs.", {Label::kVersion}, 1)
      .With({version})
      .Set(1);
  AddComputed("sluice_process_memory_bytes_count", "Resident memory of this process, in bytes.",
              [] { return static_cast<double>(ResidentBytes()); });
  AddComputed("sluice_process_cpu_seconds_total",
              "CPU time this process has used, user and system.", [] { return CpuSeconds(); });
  AddComputed("sluice_process_files_open_count", "Open file descriptors of this process.",
              [] { return static_cast<double>(OpenFiles()); });
}

std::string Metrics::Text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, collector_->Collect());
  return out.str();
}

struct MetricsExposer::Impl {
  std::unique_ptr<prometheus::Exposer> exposer;
};

MetricsExposer::MetricsExposer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsExposer::~MetricsExposer() = default;

int MetricsExposer::port() const { return impl_->exposer->GetListeningPorts().at(0); }

absl::StatusOr<std::unique_ptr<MetricsExposer>> MetricsExposer::Start(const std::string& listen,
                                                                      const Metrics& metrics) {
  auto impl = std::make_unique<Impl>();
  try {
    impl->exposer = std::make_unique<prometheus::Exposer>(listen, /*num_threads=*/1);
    impl->exposer->RegisterCollectable(metrics.collector_, "/metrics");
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        Cat("cannot serve metrics on '", listen, "': ", std::string_view(error.what())));
  }
  return std::unique_ptr<MetricsExposer>(new MetricsExposer(std::move(impl)));
}

}  // namespace sluice::telemetry
