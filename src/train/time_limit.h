// How long a process may run: what --max-time says, and the end that Slurm has set for its job.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keel {

// Seconds of "3h30m", "1d12h", "45m", "90s": whole numbers, each with its unit, the larger first.
// ConfigError that begins with `option` for anything else, and for 0.
double parse_duration(std::string_view option, std::string_view text);

// Seconds from `unix_now` to SLURM_JOB_END_TIME (seconds since 1970). Nothing where it is not set;
// a text that is no time, or a time that is past, is left alone too: `note` says so.
std::optional<double> slurm_seconds_left(double unix_now, std::string& note);

}  // namespace keel
