// Plots of volumes a day on a logarithmic scale, for terminals and documents.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "policy/warmup_simulation.h"

namespace sluice {
namespace {

constexpr int kWidth = 760, kHeight = 360, kLeft = 70, kTop = 40, kRight = 170, kBottom = 40;
constexpr std::array<std::string_view, 6> kColours = {"#1f6f8b", "#c0392b", "#7f8c8d", "#8e44ad", "#d68910", "#239b56"};

double Log(int64_t value) { return std::log10(static_cast<double>(std::max<int64_t>(value, 1))); }

std::string Short(int64_t value) {
  if (value >= 1'000'000) return Cat(value / 1'000'000, "M");
  return value >= 1'000 ? Cat(value / 1'000, "k") : Cat(value);
}

std::string Point(double x, double y) { return Cat(std::lround(x), ",", std::lround(y)); }

}  // namespace

std::string TerminalPlot(const std::vector<int64_t>& values, int height) {
  double most = 1;
  for (const int64_t value : values) most = std::max(most, Log(value));
  std::string out;
  for (int row = height; row >= 1; --row) {
    const double level = most * row / height;
    std::string label = row == height || row == 1 || row == height / 2 ? Short(static_cast<int64_t>(std::pow(10, level))) : "";
    label.insert(0, label.size() < 6 ? 6 - label.size() : 0, ' ');
    Append(out, label, " |");
    for (const int64_t value : values) out += value > 0 && Log(value) >= level - most / height / 2 ? '#' : ' ';
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return Cat(out, "       +", std::string(values.size(), '-'), " days\n");
}

std::string SvgPlot(const std::string& title, const std::vector<PlotLine>& lines) {
  double most = 1;
  size_t days = 2;
  for (const PlotLine& line : lines) {
    days = std::max(days, line.values.size());
    for (const int64_t value : line.values) most = std::max(most, Log(value));
  }
  most = std::ceil(most);
  const auto x_of = [&](size_t day) {
    return kLeft + static_cast<double>(kWidth - kLeft - kRight) * static_cast<double>(day) / static_cast<double>(days - 1);
  };
  const auto y_of = [&](double log) { return kHeight - kBottom - (kHeight - kTop - kBottom) * log / most; };
  std::string out = Cat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", kWidth, " ", kHeight,
                        "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"",
                        kLeft, "\" y=\"22\" font-size=\"15\">", title, "</text>\n");
  for (int power = 1; power <= static_cast<int>(most); ++power) {
    const double y = y_of(power);
    Append(out, "<path d=\"M", Point(kLeft, y), " L", Point(kWidth - kRight, y), "\" stroke=\"#ddd\"/><text x=\"", kLeft - 8, "\" y=\"",
           std::lround(y) + 4, "\" text-anchor=\"end\">", Short(static_cast<int64_t>(std::pow(10, power))), "</text>\n");
  }
  for (size_t day = 0; day < days; day += 10) {
    Append(out, "<text x=\"", std::lround(x_of(day)), "\" y=\"", kHeight - 18, "\" text-anchor=\"middle\">", day, "</text>\n");
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    Append(out, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"", kColours[i % kColours.size()], "\" points=\"");
    for (size_t day = 0; day < lines[i].values.size(); ++day) Append(out, Point(x_of(day), y_of(Log(lines[i].values[day]))), " ");
    Append(out, "\"/><text x=\"", kWidth - kRight + 10, "\" y=\"", kTop + 20 + 20 * i, "\" fill=\"", kColours[i % kColours.size()], "\">",
           lines[i].name, "</text>\n");
  }
  return Cat(out, "<text x=\"", kWidth - kRight, "\" y=\"", kHeight - 18, "\">day</text>\n</svg>\n");
}

}  // namespace sluice
