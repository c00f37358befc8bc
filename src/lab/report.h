// The report of one run or of several in one HTML file: no network, no other file, scripts and
// styles inside. All text from runs is data to the page, never markup.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "io/json.h"
#include "lab/run_data.h"

namespace keel {

struct ReportOptions {
  std::string program = "keel";  // name and version, for the foot of the page
  double unix_time = 0;          // when it was made, seconds since 1970
  size_t max_points = 4000;      // of a curve that has a chart of its own
};

// One HTML page with all of `runs` (at least one, else ConfigError).
std::string render_report(std::span<const RunData> runs, const ReportOptions& options);

// What the page is made from, as its scripts read it: docs/report.md has the fields.
Json report_data(std::span<const RunData> runs, const ReportOptions& options);

// Loads `paths` and writes their report to `output`: HTML, or the loss curve of the only run as SVG
// when the name ends in ".svg" (lab/loss_svg.h). The file is replaced whole or not at all.
// DataError for a path that is not a run, ConfigError for .svg with several runs, IoError when
// writing fails.
void write_report(std::span<const std::string> paths, const std::string& output,
                  const ReportOptions& options);

}  // namespace keel
