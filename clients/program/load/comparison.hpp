// Comparison: whether two results differ, and by how much, with confidence.
//
// Method: Welch's t interval (B. L. Welch, Biometrika 34, 1947) at 95 % on the logarithms, so what is said is the
// ratio of geometric means. The samples are the repeats, if both results have at least three of them; else the
// intervals of the one run, whose number is cut to n(1-r)/(1+r) for the correlation r of neighbours (the usual
// correction for a first-order autoregressive series; Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time",
// ISMM 2013, say why repeats are better: intervals know nothing of how runs differ). Pure.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "clients/program/load/result.hpp"

namespace pointsman::load {

// A ratio and what it lies between at 95 %.
struct Ratio {
  double value = 1;
  double low = 0;
  double high = 0;
  bool known = false;  // false: too few samples
  bool differs() const { return known && (low > 1 || high < 1); }
};

// The quantile of Student's t for a share above 0.5 and any degrees of freedom above 0.
double student_quantile(double share, double freedom);

// Neighbours' correlation, 0 if it is negative or there are fewer than three.
double correlation_of_neighbours(std::span<const double> samples);

// Of b to a; all samples above 0. With `series` they are neighbours in time.
Ratio ratio_of(std::span<const double> a, std::span<const double> b, bool series);

// What of how they were measured differs: "rate: 1000 and 2000". Empty: nothing.
std::vector<std::string> unlike(const Result& a, const Result& b);

struct Comparison {
  bool by_repeats = false;
  std::size_t samples_a = 0, samples_b = 0;
  Ratio rate, p50, p99;
};
Comparison compare(const Result& a, const Result& b);

// As sentences, with a line end each.
std::string told(const Comparison& comparison, const Result& a, const Result& b);
std::string json_of(const Comparison& comparison);

}  // namespace pointsman::load
