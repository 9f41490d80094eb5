// The rate control against providers that it knows nothing of: a line for each seed, and a plot of some as SVG.
//   aimd_study [SVG FILE]
#include <cstdio>
#include <fstream>
#include <string>

#include "base/text.h"
#include "rig/provider_study.h"

namespace sluice::rig {
namespace {

constexpr uint64_t kFirstSeed = 1, kLastSeed = 30;
constexpr auto kLasts = std::chrono::hours(3);
constexpr size_t kSettledFrom = 60;  // Minutes.

std::string Line(const StudyResult& result, double hidden, double top, double height, const char* colour) {
  std::string points;
  for (size_t i = 0; i < result.minutes.size(); ++i) {
    Append(points, i == 0 ? "" : " ", 60 + i * 4, ",", static_cast<int>(top + height - result.minutes[i].taken / hidden / 1.2 * height));
  }
  return Cat("<polyline fill='none' stroke='", colour, "' points='", points, "'/>\n");
}

// One panel a seed: what was taken, as a share of the hidden rate, by minute.
std::string Panel(uint64_t seed, const StudyResult& with, const StudyResult& without, const ProviderModel& model, int number) {
  const int height = 120, top = 20 + number * 160;
  std::string out = Cat("<text x='60' y='", top - 5, "'>seed ", static_cast<int>(seed), ": ", static_cast<int>(model.rate() * 10) / 10.0,
                        "/s over ", static_cast<int>(model.window().count() / 100'000) / 10.0, " s, penalty ",
                        static_cast<int>(model.penalty().count() / 1'000'000), " s</text>\n");
  for (const int percent : {0, 90, 100}) {
    const int y = static_cast<int>(top + height - percent / 120.0 * height);
    Append(out, "<line x1='60' x2='780' y1='", y, "' y2='", y, "' stroke='#ccc'/><text x='20' y='", y + 4, "'>", percent, "%</text>\n");
  }
  return out + Line(without, model.rate(), top, height, "#c60") + Line(with, model.rate(), top, height, "#06c");
}

int Main(int argc, char** argv) {
  std::string panels;
  int settled = 0, panel_count = 0;
  int64_t taken = 0, refused = 0, fixed_taken = 0, fixed_refused = 0;
  std::printf("seed  hidden/s window/s penalty/s | settled at  refused taken     | fixed limit, suspension: refused taken\n");
  for (uint64_t seed = kFirstSeed; seed <= kLastSeed; ++seed) {
    ProviderStudy aimd(seed, Control::kAimd), fixed(seed, Control::kFixedAndSuspension);
    const StudyResult with = aimd.Run(kLasts), without = fixed.Run(kLasts);
    const ProviderModel& model = aimd.model();
    const double share = with.Settled(kSettledFrom) / model.rate();
    settled += share >= 0.9 && share <= 1.0 ? 1 : 0;
    taken += with.taken, refused += with.refused, fixed_taken += without.taken, fixed_refused += without.refused;
    std::printf("%4d  %8.1f %8.1f %9.0f | %10.3f %8ld %9ld | %ld %ld\n", static_cast<int>(seed), model.rate(),
                std::chrono::duration<double>(model.window()).count(), std::chrono::duration<double>(model.penalty()).count(), share,
                static_cast<long>(with.refused), static_cast<long>(with.taken), static_cast<long>(without.refused),
                static_cast<long>(without.taken));
    if (seed <= 4) panels += Panel(seed, with, without, model, panel_count++);
  }
  std::printf("settled within a tenth below: %d of %d\n", settled, static_cast<int>(kLastSeed - kFirstSeed + 1));
  std::printf("refused per 1,000 taken: %.2f, with a fixed limit and suspension %.1f\n",
              1000.0 * static_cast<double>(refused) / static_cast<double>(taken),
              1000.0 * static_cast<double>(fixed_refused) / static_cast<double>(fixed_taken));
  if (argc > 1) {
    std::ofstream(argv[1]) << "<svg xmlns='http://www.w3.org/2000/svg' width='800' height='" << 20 + panel_count * 160
                           << "' font-family='sans-serif' font-size='12'>\n" << panels
                           << "<text x='400' y='12' fill='#06c'>rate control</text><text x='500' y='12' fill='#c60'>fixed limit and suspension</text>\n</svg>\n";
  }
  return 0;
}

}  // namespace
}  // namespace sluice::rig

int main(int argc, char** argv) { return sluice::rig::Main(argc, argv); }
