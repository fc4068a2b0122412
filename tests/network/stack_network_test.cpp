// Whole clients and a whole server, joined by a network that is as bad as networks are, in thousands of schedules.

#include "simulation/schedules.hpp"
#include "simulation/stack_network.hpp"
#include "simulation/stack_report.hpp"
#include "tools/catch.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

namespace network_stack_network_test {

using namespace support;

TEST_CASE("whole stacks keep their promises over any network", "[network]") {
    network_figures network;
    stack_figures stacks;
    auto const schedules =
        run_schedules("whole stacks keep their promises over any network", [&](std::uint64_t seed, std::string* trace) {
            return stack_network(seed, network, stacks, trace).run();
        });
    std::string const figures_text = describe(network, stacks);
    std::fputs(figures_text.c_str(), stdout);
    INFO(figures_text);
    if (schedules >= 2'000) {
        check_coverage(stacks, [](disconnect_reason) { return true; });
        check_all(network.opened_over, name_of_transport);
        check_all(network.opened_with, name_of_revision);
        check_all(network.faults, name_of_fault);
    }
    SUCCEED();
}

} // namespace network_stack_network_test
