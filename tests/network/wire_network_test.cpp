// Whole clients and a whole server with HTTP and WebSocket of the library, joined by connections of bytes, in thousands
// of schedules.

#include "simulation/schedules.hpp"
#include "simulation/stack_network.hpp"
#include "simulation/stack_report.hpp"
#include "simulation/wire_wires.hpp"
#include "tools/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace network_wire_network_test {

using namespace support;

namespace {

std::string described(wire_figures const& figures) {
    std::string s = "bytes: ";
    figures.for_each([&](std::string_view name, std::uint64_t count) {
        s += std::string(name) + ' ' + std::to_string(count) + ", ";
    });
    return s + '\n';
}

// Checks that everything that can happen has happened.
void check_network(network_figures const& network) {
    network.wire.for_each([](std::string_view name, std::uint64_t count) {
        INFO(name);
        CHECK(count != 0);
    });
    using enum fault;
    for (fault const f :
         {request_cut, response_cut, channel_refused, channel_never_opens, channel_opens_late, channel_dies,
          channel_goes_silent, timer_late, client_frozen, server_frozen, message_too_large}) {
        auto const i = static_cast<std::size_t>(f);
        INFO(name_of_fault(i));
        CHECK(network.faults[i] != 0);
    }
    for (auto const t : {engineio::transport::polling, engineio::transport::websocket})
        CHECK(network.opened_over[static_cast<std::size_t>(t)] != 0);
    check_all(network.opened_with, name_of_revision);
}

} // namespace

TEST_CASE("whole stacks keep their promises over any connections", "[network]") {
    network_figures network;
    stack_figures stacks;
    auto const run = [&](std::uint64_t seed, std::string* trace) {
        return basic_stack_network<wire_wires>(seed, network, stacks, trace).run();
    };
    auto const schedules = run_schedules("whole stacks keep their promises over any connections", run);
    std::string const figures_text = describe(network, stacks) + described(network.wire);
    std::fputs(figures_text.c_str(), stdout);
    INFO(figures_text);
    if (schedules >= 2'000) {
        // What comes is late or cut, but never wrong.
        check_coverage(stacks, [](disconnect_reason reason) { return reason != disconnect_reason::parse_error; });
        check_network(network);
    }
    SUCCEED();
}

} // namespace network_wire_network_test
