#pragma once

#include <string_view>

namespace stratos::fuzz {

/// Runs one input of a target: each target defines it. What it throws or breaks is a finding.
void run(std::string_view input);

/// Ends the process, aloud, when a promise of the code under test does not hold.
void require(bool holds, const char* promise);

/// The text up to the next line feed, which is taken away from `input` with it.
[[nodiscard]] std::string_view takeLine(std::string_view& input);

}  // namespace stratos::fuzz
