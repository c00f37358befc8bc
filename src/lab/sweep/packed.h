// What a trial came to, as bytes of a store: doubles keep their bits, also those that are no
// numbers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lab/sweep/trial.h"

namespace keel {

std::string pack(const std::vector<double>& values);
std::string pack(const std::map<std::string, double>& numbers);
std::string pack(const std::map<std::string, TrialSeries>& series);

// DataError for bytes that pack did not write.
std::vector<double> unpack_doubles(std::string_view bytes);
std::map<std::string, double> unpack_numbers(std::string_view bytes);
std::map<std::string, TrialSeries> unpack_series(std::string_view bytes);

}  // namespace keel
