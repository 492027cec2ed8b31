// The statistics of a comparison.

#include "clients/program/load/comparison.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace pointsman::load {
namespace {

// The continued fraction of the incomplete beta function, by Lentz's method.
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto kept = [](double value) { return std::abs(value) < tiny ? tiny : value; };
  double c = 1, d = 1 / kept(1 - (a + b) * x / (a + 1)), sum = d;
  for (int m = 1; m <= 500; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / kept(1 + even * d);
    c = kept(1 + even / c);
    sum *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept(1 + odd * d);
    c = kept(1 + odd / c);
    sum *= d * c;
    if (std::abs(d * c - 1) < 1e-14) break;
  }
  return sum;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_share(double t, double freedom) {
  return 1 - incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2;
}

struct Moments {
  double mean = 0;
  double of_mean = 0;  // variance of the mean
  double freedom = 0;
};

Moments moments_of(std::span<const double> samples, bool series) {
  std::vector<double> logs;
  for (const double sample : samples) logs.push_back(std::log(sample));
  const auto n = static_cast<double>(logs.size());
  Moments moments;
  for (const double value : logs) moments.mean += value / n;
  double sum = 0;
  for (const double value : logs) sum += (value - moments.mean) * (value - moments.mean);
  const double r = series ? correlation_of_neighbours(logs) : 0;
  const double counted = std::max(2.0, n * (1 - r) / (1 + r));
  moments.of_mean = sum / (n - 1) / counted;
  moments.freedom = counted - 1;
  return moments;
}

std::string percent(double ratio, const char* more, const char* fewer) {
  std::array<char, 64> text{};
  const double change = (ratio - 1) * 100;
  std::snprintf(text.data(), text.size(), "%.1f %% %s", std::abs(change), change < 0 ? fewer : more);
  return text.data();
}

std::string sentence(const Ratio& ratio, const std::string& does, const char* more, const char* fewer) {
  if (!ratio.known) return does + ": too few samples to say.\n";
  if (!ratio.differs()) {
    return does + ": no difference is shown; it lies between " + percent(ratio.low, more, fewer) + " and " +
           percent(ratio.high, more, fewer) + ".\n";
  }
  return does + ": they differ; B has " + percent(ratio.value, more, fewer) +
         " (95 % confidence: " + percent(ratio.low, more, fewer) + " to " + percent(ratio.high, more, fewer) +
         ").\n";
}

}  // namespace

double student_quantile(double share, double freedom) {
  double low = 0, high = 1;
  while (student_share(high, freedom) < share && high < 1e12) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (student_share(middle, freedom) < share ? low : high) = middle;
  }
  return high;
}

double correlation_of_neighbours(std::span<const double> samples) {
  if (samples.size() < 3) return 0;
  double mean = 0, all = 0, pairs = 0;
  for (const double sample : samples) mean += sample / static_cast<double>(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    all += (samples[i] - mean) * (samples[i] - mean);
    if (i > 0) pairs += (samples[i] - mean) * (samples[i - 1] - mean);
  }
  return all > 0 ? std::clamp(pairs / all, 0.0, 0.99) : 0;
}

Ratio ratio_of(std::span<const double> a, std::span<const double> b, bool series) {
  Ratio ratio;
  if (a.size() < 2 || b.size() < 2) return ratio;
  const Moments of_a = moments_of(a, series), of_b = moments_of(b, series);
  const double between = of_b.mean - of_a.mean;
  const double variance = of_a.of_mean + of_b.of_mean;
  double margin = 0;
  if (variance > 0) {
    const double freedom =
        variance * variance /
        (of_a.of_mean * of_a.of_mean / of_a.freedom + of_b.of_mean * of_b.of_mean / of_b.freedom);
    margin = student_quantile(0.975, freedom) * std::sqrt(variance);
  }
  ratio = {std::exp(between), std::exp(between - margin), std::exp(between + margin), true};
  return ratio;
}

std::vector<std::string> unlike(const Result& a, const Result& b) {
  std::vector<std::string> out;
  for (const auto& [name, value] : a.parameters) {
    const std::string& other = b.parameter(name);
    if (value != other) out.push_back(name + ": " + value + " and " + (other.empty() ? "nothing" : other));
  }
  for (const auto& [name, value] : b.parameters) {
    if (a.parameter(name).empty() && !value.empty()) out.push_back(name + ": nothing and " + value);
  }
  return out;
}

Comparison compare(const Result& a, const Result& b) {
  Comparison out;
  out.by_repeats = a.repeats.size() >= 3 && b.repeats.size() >= 3;
  const auto samples = [&](const Result& of, int figure) {
    std::vector<double> values;
    const auto keep = [&](double value) {
      if (value > 0) values.push_back(value);
    };
    if (out.by_repeats) {
      for (const Sample& sample : of.repeats) {
        keep(figure == 0 ? sample.rate : static_cast<double>(figure == 1 ? sample.p50 : sample.p99));
      }
    } else {
      for (const Point& point : of.points) {
        keep(static_cast<double>(figure == 0 ? point.answered : figure == 1 ? point.p50 : point.p99));
      }
    }
    return values;
  };
  const auto ratio = [&](int figure) {
    return ratio_of(samples(a, figure), samples(b, figure), !out.by_repeats);
  };
  out.samples_a = samples(a, 0).size();
  out.samples_b = samples(b, 0).size();
  out.rate = ratio(0);
  out.p50 = ratio(1);
  out.p99 = ratio(2);
  return out;
}

std::string told(const Comparison& comparison, const Result& a, const Result& b) {
  std::string text;
  std::array<char, 200> line{};
  const auto row = [&](const char* name, const Result& of) {
    std::snprintf(line.data(), line.size(), "%s  %10.0f answered/s  p50 %10s  p99 %10s  max %10s\n", name,
                  of.rate(), shown_time(of.latency.at(0.5)).c_str(), shown_time(of.latency.at(0.99)).c_str(),
                  shown_time(of.latency.greatest()).c_str());
    text += line.data();
  };
  row("A", a);
  row("B", b);
  text += sentence(comparison.rate, "Answered a second", "more", "fewer");
  text += sentence(comparison.p50, "Median latency", "more", "less");
  text += sentence(comparison.p99, "99th percentile", "more", "less");
  const std::string counts =
      std::to_string(comparison.samples_a) + " and " + std::to_string(comparison.samples_b);
  text += comparison.by_repeats ? "By Welch's t interval on the logarithms of " + counts + " repeats.\n"
                                : "By Welch's t interval on the logarithms of " + counts +
                                      " intervals of one run each, corrected for correlation: it says "
                                      "nothing of how runs differ among "
                                      "themselves; --repeat 5 does.\n";
  if (a.machine != b.machine)
    text += "They ran on different machines: " + a.machine + "; and " + b.machine + ".\n";
  return text;
}

std::string json_of(const Comparison& comparison) {
  std::array<char, 200> text{};
  const auto one = [&](const char* name, const Ratio& ratio) -> std::string {
    std::snprintf(text.data(), text.size(),
                  "\"%s\":{\"ratio\":%.6g,\"low\":%.6g,\"high\":%.6g,\"known\":%s,\"differs\":%s}", name,
                  ratio.value, ratio.low, ratio.high, ratio.known ? "true" : "false",
                  ratio.differs() ? "true" : "false");
    return text.data();
  };
  return std::string("{\"samples\":") + (comparison.by_repeats ? "\"repeats\"" : "\"intervals\"") + "," +
         one("rate", comparison.rate) + "," + one("p50", comparison.p50) + "," + one("p99", comparison.p99) +
         "}\n";
}

}  // namespace pointsman::load
