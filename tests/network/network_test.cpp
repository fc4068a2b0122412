// Clients and a server, joined by a network that is as bad as networks are, in thousands of schedules.

#include "simulation/network.hpp"
#include "simulation/schedules.hpp"
#include "tools/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace network_network_test {

namespace {

using namespace support;

std::string_view name_of_reason(std::size_t i) {
    return engineio::name(static_cast<engineio::close_reason>(i));
}

std::string describe(network_figures const& f) {
    auto const n = [](std::uint64_t count) { return std::to_string(count); };
    return "schedules " + n(f.schedules) + ", steps " + n(f.steps) + ", opened by clients " + n(f.attempts) +
           ", exchanges " + n(f.exchanges) + " (aborted " + n(f.aborted_exchanges) + ")" + "\nmessages up " +
           n(f.messages_up) + ", down " + n(f.messages_down) + ", volatile sent " + n(f.volatiles_sent) + ", dropped " +
           n(f.volatiles_dropped) + "\nopened over " + listed(f.opened_over, name_of_transport) + "\nopened with " +
           listed(f.opened_with, name_of_revision) + "\nupgrades " + n(f.upgrades) + " (" +
           listed(f.upgraded_to, name_of_transport) + "), failed " + n(f.upgrades_failed) +
           "\nfaults: " + listed(f.faults, name_of_fault) +
           "\nclients closed: " + listed(f.client_reasons, name_of_reason) +
           "\nsessions closed: " + listed(f.server_reasons, name_of_reason) + "\n";
}

// Checks that everything that can happen has happened.
void check_coverage(network_figures const& f) {
    for (std::size_t i = 0; i != f.opened_over.size(); ++i) {
        INFO(name_of_transport(i));
        CHECK(f.opened_over[i] != 0);
        CHECK((f.upgraded_to[i] != 0) == (i != 0)); // never to polling
    }
    for (std::size_t i = 0; i != f.opened_with.size(); ++i) {
        INFO(name_of_revision(i));
        CHECK(f.opened_with[i] != 0);
    }
    for (std::size_t i = 0; i != f.faults.size(); ++i) {
        INFO(name_of_fault(i));
        CHECK(f.faults[i] != 0);
    }
    for (std::size_t i = 0; i != f.client_reasons.size(); ++i) {
        INFO(name_of_reason(i));
        auto const reason = static_cast<engineio::close_reason>(i);
        CHECK((f.client_reasons[i] != 0) == (reason != engineio::close_reason::parse_error));
        CHECK((f.server_reasons[i] != 0) == (reason != engineio::close_reason::open_timeout));
    }
    CHECK(f.upgrades_failed != 0);
    CHECK(f.volatiles_dropped != 0);
    CHECK(f.aborted_exchanges != 0);
}

} // namespace

TEST_CASE("sessions keep their promises over any network", "[network]") {
    network_figures figures;
    auto const schedules =
        run_schedules("sessions keep their promises over any network",
                      [&](std::uint64_t seed, std::string* trace) { return network(seed, figures, trace).run(); });
    std::string const figures_text = describe(figures);
    std::fputs(figures_text.c_str(), stdout);
    INFO(figures_text);
    if (schedules >= 2'000) check_coverage(figures);
    SUCCEED();
}

} // namespace network_network_test
