// Shared by the tests of random schedules: runs the seeds, and reports a failing one and all.
#pragma once

#include "simulation/network_plan.hpp"
#include "tools/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace support {

inline std::uint64_t setting(char const* variable, std::uint64_t otherwise) {
    char const* const value = std::getenv(variable);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// Calls `run(seed, std::string* trace)`, which returns an error or nothing, for SOCKETLESS_SCHEDULES seeds from
// SOCKETLESS_SEED on. Returns their number.
template <class Run>
std::uint64_t run_schedules(std::string_view test, Run run) {
    std::uint64_t const schedules = setting("SOCKETLESS_SCHEDULES", 2'000);
    std::uint64_t const first = setting("SOCKETLESS_SEED", 1);
    for (std::uint64_t seed = first; seed != first + schedules; ++seed) {
        std::string const wrong = run(seed, nullptr);
        if (wrong.empty()) continue;
        std::string trace;
        static_cast<void>(run(seed, &trace));
        std::fputs(trace.c_str(), stdout);
        std::fflush(stdout); // without exceptions a failure ends the program
        FAIL("seed " << seed << ": " << wrong << "\nrun it again: SOCKETLESS_SEED=" << seed
                     << " SOCKETLESS_SCHEDULES=1 socketless_tests \"" << test << "\"");
    }
    return schedules;
}

template <std::size_t Size, class Name>
std::string listed(std::array<std::uint64_t, Size> const& counts, Name name_of) {
    std::string s;
    for (std::size_t i = 0; i != Size; ++i)
        s += (i == 0 ? "" : ", ") + std::string(name_of(i)) + ' ' + std::to_string(counts[i]);
    return s;
}

inline std::string_view name_of_transport(std::size_t i) {
    return engineio::name(static_cast<engineio::transport>(i));
}
inline std::string_view name_of_revision(std::size_t i) {
    return i == 0 ? "revision 3" : "revision 4";
}
inline std::string_view name_of_fault(std::size_t i) {
    return fault_names[i];
}

} // namespace support
