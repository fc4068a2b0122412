// Whole clients and a whole server, joined by a network that is as bad as networks are, in thousands of schedules.

#include "simulation/schedules.hpp"
#include "simulation/stack_network.hpp"
#include "tools/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace network_stack_network_test {

namespace {

using namespace support;

std::string_view name_of_reason(std::size_t i) {
    return name(static_cast<disconnect_reason>(i));
}
std::string_view name_of_outcome(std::size_t i) {
    static constexpr std::string_view names[] = {"answered", "timed out", "disconnected"};
    return names[i];
}

std::string describe(network_figures const& network, stack_figures const& stacks) {
    std::string s = "schedules " + std::to_string(network.schedules) + ", steps " + std::to_string(network.steps) +
                    ", exchanges " + std::to_string(network.exchanges) + '\n';
    std::size_t column = 0;
    stacks.for_each([&](std::string_view name, std::uint64_t count) {
        s += std::string(name) + ' ' + std::to_string(count) + (++column % 7 == 0 ? "\n" : ", ");
    });
    return s + "\nopened over " + listed(network.opened_over, name_of_transport) + "\nopened with " +
           listed(network.opened_with, name_of_revision) + "\nfaults: " + listed(network.faults, name_of_fault) +
           "\nacknowledgements of clients: " + listed(stacks.client_acks, name_of_outcome) +
           ", of the server: " + listed(stacks.server_acks, name_of_outcome) +
           "\nclients disconnected: " + listed(stacks.client_reasons, name_of_reason) +
           "\nsockets disconnected: " + listed(stacks.server_reasons, name_of_reason) + "\n";
}

template <std::size_t Size, class Name>
void check_all(std::array<std::uint64_t, Size> const& counts, Name name_of) {
    for (std::size_t i = 0; i != Size; ++i) {
        INFO(name_of(i));
        CHECK(counts[i] != 0);
    }
}

// Whether a client's `disconnected` can have this reason.
bool is_of_client(disconnect_reason reason) {
    using enum disconnect_reason;
    return reason <= queue_overflow ? reason != forced_close : reason >= io_server_disconnect;
}
bool is_of_server(disconnect_reason reason) {
    using enum disconnect_reason;
    return reason <= queue_overflow ? reason != forced_close
                                    : reason >= client_namespace_disconnect && reason <= forced_server_close;
}

// Checks that everything that can happen has happened.
void check_coverage(network_figures const& network, stack_figures const& stacks) {
    stacks.for_each([](std::string_view name, std::uint64_t count) {
        INFO(name);
        CHECK(count != 0);
    });
    check_all(network.opened_over, name_of_transport);
    check_all(network.opened_with, name_of_revision);
    check_all(network.faults, name_of_fault);
    check_all(stacks.client_acks, name_of_outcome);
    check_all(stacks.server_acks, name_of_outcome);
    for (std::size_t i = 0; i != disconnect_reason_count; ++i) {
        INFO(name_of_reason(i));
        auto const reason = static_cast<disconnect_reason>(i);
        CHECK((stacks.client_reasons[i] != 0) == is_of_client(reason));
        CHECK((stacks.server_reasons[i] != 0) == is_of_server(reason));
    }
}

} // namespace

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
    if (schedules >= 2'000) check_coverage(network, stacks);
    SUCCEED();
}

} // namespace network_stack_network_test
