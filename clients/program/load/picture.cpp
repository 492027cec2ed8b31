// The picture, written as text: three panels, one above the other, and what each line means beside it.

#include "clients/program/load/picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace pointsman::load {
namespace {

constexpr double width = 960, left = 90, right = 130, panel = 210, gap = 74, top = 78;
constexpr double plot = width - left - right;

template <class... Values>
std::string format(const char* how, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), how, values...);
  return text.data();
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string words(double x, double y, const std::string& text, const char* style = "") {
  return format("<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style) + escaped(text) + "</text>\n";
}

// From values to places on the paper.
struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  double share(double value) const {
    if (logarithmic)
      return (std::log(std::clamp(value, low, high)) - std::log(low)) / (std::log(high) - std::log(low));
    return (std::clamp(value, low, high) - low) / (high - low);
  }
};

// Whole decades would leave much empty: the ends are of 1, 2, 5.
Axis latency_axis(double least, double greatest) {
  Axis axis{1e3, 1e4, true};
  if (greatest <= 0) return axis;
  const auto below = [](double value) {
    const double decade = std::pow(10, std::floor(std::log10(value)));
    return value >= 5 * decade ? 5 * decade : value >= 2 * decade ? 2 * decade : decade;
  };
  axis.low = below(std::max(least, 1.0));
  axis.high = axis.low;
  while (axis.high < greatest || axis.high < axis.low * 10) axis.high = below(axis.high * 2.6);
  return axis;
}

// Steps of 1, 2 or 5, five of them about.
double step_of(double range) {
  const double decade = std::pow(10, std::floor(std::log10(range / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (range / (decade * factor) <= 6) return decade * factor;
  }
  return decade * 10;
}

class Panel {
 public:
  Panel(double y, std::string title, Axis across, Axis up) : y_(y), across_(across), up_(up) {
    out_ = words(left, y - 12, title, "class=\"title\"");
    out_ += format("<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" class=\"frame\"/>\n", left, y,
                   plot, panel);
  }

  double x(double value) const { return left + plot * across_.share(value); }
  double y(double value) const { return y_ + panel * (1 - up_.share(value)); }

  void tick_up(double value, const std::string& label) {
    out_ += format("<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", left,
                   left + plot, y(value), y(value));
    out_ += words(left - 8, y(value) + 4, label, "class=\"end\"");
  }
  void tick_across(double value, const std::string& label) {
    out_ += format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\" class=\"grid\"/>\n", x(value),
                   x(value), y_, y_ + panel);
    out_ += words(x(value), y_ + panel + 16, label, "class=\"middle\"");
  }
  void latencies_up() {
    for (double decade = std::pow(10, std::floor(std::log10(up_.low))); decade <= up_.high; decade *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double value = decade * factor;
        const bool crowded = up_.high / up_.low > 2e4 && factor != 1.0;
        if (value >= up_.low * 0.999 && value <= up_.high * 1.001 && !crowded) {
          tick_up(value, shown(value));
        }
      }
    }
  }
  void seconds_across() {
    for (double at = 0, step = step_of(across_.high); at <= across_.high * 1.0001; at += step) {
      tick_across(at, format("%g", at));
    }
    below("seconds");
  }
  void below(const std::string& text) {
    out_ += words(left + plot / 2, y_ + panel + 34, text, "class=\"middle\"");
  }

  // A line through points, which breaks where there is none (not above 0).
  template <class Points>
  void line(const Points& points, const std::string& colour, const std::string& name, const char* dash = "") {
    std::string path;
    double last = -1;
    bool on = false;
    for (const auto& [across, up] : points) {
      if (up <= 0 && up_.logarithmic) {
        on = false;
        continue;
      }
      path += format(on ? "L%.1f %.1f" : "M%.1f %.1f", x(across), y(up));
      last = y(up);
      on = true;
    }
    if (last < 0) return;
    out_ += "<path d=\"" + path + "\" stroke=\"" + colour + "\" class=\"line\" " + dash + "/>\n";
    names_.push_back({last, name, colour, dash});
  }

  void mark(double at, const std::string& text) {
    out_ += format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\" class=\"mark\"/>\n", x(at), x(at),
                   y_, y_ + panel);
    out_ += format("<text transform=\"translate(%.1f %.1f) rotate(90)\" class=\"mark-text\">", x(at) + 4,
                   y_ + 6) +
            escaped(text) + "</text>\n";
  }

  // The names beside the ends of their lines, moved apart.
  std::string text() {
    std::sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) { return a.y < b.y; });
    double free = y_ + 8;
    for (const Name& name : names_) {
      const double at = std::max(name.y + 4, free);
      out_ +=
          format("<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" class=\"line\" %s/>\n",
                 left + plot + 8, left + plot + 24, at - 4, at - 4, name.colour.c_str(), name.dash);
      out_ += words(left + plot + 30, at, name.text);
      free = at + 16;
    }
    return out_;
  }

 private:
  struct Name {
    double y;
    std::string text, colour;
    const char* dash;
  };
  static std::string shown(double nanos) {
    const auto [scale, unit] = nanos < 1e6   ? std::pair(1e3, "us")
                               : nanos < 1e9 ? std::pair(1e6, "ms")
                                             : std::pair(1e9, "s");
    return format("%g %s", nanos / scale, unit);
  }

  double y_;
  Axis across_, up_;
  std::string out_;
  std::vector<Name> names_;
};

using Line = std::vector<std::pair<double, double>>;
constexpr const char* blue = "#0072b2";
constexpr const char* orange = "#d55e00";
constexpr const char* grey = "#777777";
constexpr const char* green = "#00815c";

std::string over_time(const Result& result, double y) {
  double least = 1e18, greatest = 0;
  Line p50, p99, max;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const Point& point = result.points[i];
    const double at = (static_cast<double>(i) + 0.5) * result.interval;
    p50.emplace_back(at, static_cast<double>(point.p50));
    p99.emplace_back(at, static_cast<double>(point.p99));
    max.emplace_back(at, static_cast<double>(point.greatest));
    if (point.p50 > 0) least = std::min(least, static_cast<double>(point.p50));
    greatest = std::max(greatest, static_cast<double>(point.greatest));
  }
  const double end = std::max(static_cast<double>(result.points.size()) * result.interval, result.interval);
  Panel panel_of(y, "Latency over time, of what ended in each " + format("%g s", result.interval), {0, end},
                 latency_axis(least, greatest));
  panel_of.latencies_up();
  panel_of.seconds_across();
  panel_of.line(max, grey, "max");
  panel_of.line(p99, orange, "p99");
  panel_of.line(p50, blue, "p50");
  for (const Happening& happening : result.happenings) panel_of.mark(happening.at, happening.what);
  return panel_of.text();
}

std::string answers(const Result& result, double y) {
  Line answered, others;
  double greatest = 1;
  bool any = false;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const Point& point = result.points[i];
    const double at = (static_cast<double>(i) + 0.5) * result.interval;
    answered.emplace_back(at, static_cast<double>(point.answered) / result.interval);
    others.emplace_back(at, static_cast<double>(point.others) / result.interval);
    greatest = std::max({greatest, answered.back().second, others.back().second});
    any |= point.others > 0;
  }
  const double step = step_of(greatest);
  const double high = std::ceil(greatest / step) * step;
  Panel panel_of(y, "Answers a second",
                 {0, std::max(static_cast<double>(result.points.size()) * result.interval, result.interval)},
                 {0, high});
  for (double at = 0; at <= high * 1.0001; at += step) {
    panel_of.tick_up(at, at >= 1e6   ? format("%g M", at / 1e6)
                         : at >= 1e4 ? format("%g k", at / 1e3)
                                     : format("%g", at));
  }
  panel_of.seconds_across();
  panel_of.line(answered, green, "answered");
  if (any) panel_of.line(others, orange, "not answered");
  return panel_of.text();
}

std::string by_percentile(const Result& result, double y) {
  // Across is how many nines: 0 is p0, 1 is p90, 2 is p99.
  const auto count = static_cast<double>(result.latency.count());
  const double nines = std::clamp(std::log10(std::max(count, 1.0)), 2.0, 6.0);
  const auto line_of = [&](const Histogram& histogram) {
    Line line;
    for (double at = 0; at <= nines + 1e-9; at += nines / 240) {
      line.emplace_back(at, static_cast<double>(histogram.at(1 - std::pow(10, -at))));
    }
    return line;
  };
  const double least = static_cast<double>(std::min(result.latency.least(), result.took.least()));
  Panel panel_of(y, "Latency by percentile", {0, nines},
                 latency_axis(least, static_cast<double>(result.latency.greatest())));
  panel_of.latencies_up();
  panel_of.tick_across(0, "0");
  panel_of.tick_across(std::log10(2), "50");
  constexpr std::array<const char*, 6> names{"90", "99", "99.9", "99.99", "99.999", "99.9999"};
  for (std::size_t i = 0; i < names.size() && static_cast<double>(i + 1) <= nines; ++i) {
    panel_of.tick_across(static_cast<double>(i + 1), names[i]);
  }
  panel_of.below("percentile");
  if (result.handoff.count() > 0) panel_of.line(line_of(result.handoff), green, "hand-off");
  panel_of.line(line_of(result.took), orange, "from sent", "stroke-dasharray=\"5 4\"");
  panel_of.line(line_of(result.latency), blue, "from due");
  return panel_of.text();
}

}  // namespace

std::string picture_of(const Result& result) {
  std::string how;
  for (const auto& [name, value] : result.parameters) how += (how.empty() ? "" : " · ") + name + " " + value;
  constexpr std::size_t line = 150;  // characters that fit
  if (how.size() > line) how = how.substr(0, how.rfind(" · ", line)) + " …";
  const double height = top + 3 * panel + 2 * gap + 48;
  std::string text = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n",
      width, height, width, height);
  text +=
      "<style>text{font:12px "
      "sans-serif;fill:#222}.title{font-weight:bold}.head{font-size:15px;font-weight:bold}"
      ".end{text-anchor:end}.middle{text-anchor:middle}.frame{fill:none;stroke:#999}.grid{stroke:#e4e4e4}"
      ".line{fill:none;stroke-width:1.6;stroke-linejoin:round}.mark{stroke:#b00020;stroke-dasharray:2 3}"
      ".mark-text{fill:#b00020;font-size:10px}</style>\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"#fff\"/>\n";
  text +=
      words(left, 24,
            format("%.0f answered a second, p50 %s, p99 %s, max %s", result.rate(),
                   shown_time(result.latency.at(0.5)).c_str(), shown_time(result.latency.at(0.99)).c_str(),
                   shown_time(result.latency.greatest()).c_str()),
            "class=\"head\"");
  text += words(left, 43, how, "style=\"font-size:10px;fill:#555\"");
  text += over_time(result, top) + answers(result, top + panel + gap) +
          by_percentile(result, top + 2 * (panel + gap));
  return text + "</svg>\n";
}

}  // namespace pointsman::load
