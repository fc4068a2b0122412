// Clients and a server, joined by a network that is as bad as networks are, in thousands of schedules.

#include "support/catch.hpp"
#include "support/network.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace support;

std::uint64_t setting(char const* variable, std::uint64_t otherwise) {
    char const* const value = std::getenv(variable);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

template <std::size_t Size, class Name>
std::string listed(std::array<std::uint64_t, Size> const& counts, Name name_of) {
    std::string s;
    for (std::size_t i = 0; i != Size; ++i)
        s += (i == 0 ? "" : ", ") + std::string(name_of(i)) + ' ' + std::to_string(counts[i]);
    return s;
}

std::string_view name_of_transport(std::size_t i) {
    return engineio::name(static_cast<engineio::transport>(i));
}
std::string_view name_of_revision(std::size_t i) {
    return i == 0 ? "revision 3" : "revision 4";
}
std::string_view name_of_fault(std::size_t i) {
    return fault_names[i];
}
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

// Everything that can happen has happened.
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

// SOCKETLESS_SCHEDULES says how many schedules are run, SOCKETLESS_SEED which is the first.
TEST_CASE("sessions keep their promises over any network", "[network]") {
    std::uint64_t const schedules = setting("SOCKETLESS_SCHEDULES", 2'000);
    std::uint64_t const first = setting("SOCKETLESS_SEED", 1);
    network_figures figures;
    for (std::uint64_t seed = first; seed != first + schedules; ++seed) {
        std::string const wrong = network(seed, figures).run();
        if (wrong.empty()) continue;
        std::string trace;
        network(seed, figures, &trace).run();
        std::fputs(trace.c_str(), stdout);
        std::fflush(stdout); // without exceptions a failure ends the program
        FAIL("seed " << seed << ": " << wrong << "\nrun it again: SOCKETLESS_SEED=" << seed
                     << " SOCKETLESS_SCHEDULES=1 socketless_tests \"sessions keep their promises over any network\"");
    }
    std::string const figures_text = describe(figures);
    std::fputs(figures_text.c_str(), stdout);
    INFO(figures_text);
    if (schedules >= 2'000) check_coverage(figures);
    SUCCEED();
}
