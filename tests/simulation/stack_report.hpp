// What schedules of whole stacks leave: a text of the figures, and the check that all has happened that can.
#pragma once

#include "simulation/schedules.hpp"
#include "simulation/stack_model.hpp"
#include "simulation/stack_plan.hpp"
#include "tools/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace support {

inline std::string_view name_of_disconnect(std::size_t i) {
    return name(static_cast<disconnect_reason>(i));
}
inline std::string_view name_of_outcome(std::size_t i) {
    static constexpr std::string_view names[] = {"answered", "timed out", "disconnected"};
    return names[i];
}

inline std::string describe(network_figures const& network, stack_figures const& stacks) {
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
           "\nclients disconnected: " + listed(stacks.client_reasons, name_of_disconnect) +
           "\nsockets disconnected: " + listed(stacks.server_reasons, name_of_disconnect) + "\n";
}

template <std::size_t Size, class Name>
void check_all(std::array<std::uint64_t, Size> const& counts, Name name_of) {
    for (std::size_t i = 0; i != Size; ++i) {
        INFO(name_of(i));
        CHECK(counts[i] != 0);
    }
}

// Whether a client's `disconnected` can have this reason.
inline bool is_of_client(disconnect_reason reason) {
    using enum disconnect_reason;
    return reason <= queue_overflow ? reason != forced_close : reason >= io_server_disconnect;
}
inline bool is_of_server(disconnect_reason reason) {
    using enum disconnect_reason;
    return reason <= queue_overflow ? reason != forced_close
                                    : reason >= client_namespace_disconnect && reason <= forced_server_close;
}

// Checks that everything that can happen has happened; sockets end for those reasons for which `can_happen` holds.
template <class CanHappen>
void check_coverage(stack_figures const& stacks, CanHappen can_happen) {
    stacks.for_each([](std::string_view name, std::uint64_t count) {
        INFO(name);
        CHECK(count != 0);
    });
    check_all(stacks.client_acks, name_of_outcome);
    check_all(stacks.server_acks, name_of_outcome);
    for (std::size_t i = 0; i != disconnect_reason_count; ++i) {
        INFO(name_of_disconnect(i));
        auto const reason = static_cast<disconnect_reason>(i);
        CHECK((stacks.client_reasons[i] != 0) == (is_of_client(reason) && can_happen(reason)));
        CHECK((stacks.server_reasons[i] != 0) == (is_of_server(reason) && can_happen(reason)));
    }
}

} // namespace support
