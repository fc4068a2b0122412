// Servers that act as one, over a bus that is as bad as networks are, in thousands of schedules.

#include "simulation/cluster_network.hpp"
#include "simulation/schedules.hpp"
#include "tools/catch.hpp"

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace network_cluster_network_test {

using namespace support;

TEST_CASE("nodes keep their promises over any bus", "[network]") {
    cluster_figures figures;
    auto const schedules =
        run_schedules("nodes keep their promises over any bus", [&](std::uint64_t seed, std::string* trace) {
            return cluster_network(seed, figures, trace).run();
        });
    std::string text;
    figures.for_each([&](std::string_view name, std::uint64_t count) {
        text += std::string(name) + ' ' + std::to_string(count) + '\n';
    });
    std::fputs(text.c_str(), stdout);
    if (schedules >= 2'000) {
        figures.for_each([](std::string_view name, std::uint64_t count) {
            INFO(name);
            CHECK(count != 0);
        });
    }
    SUCCEED();
}

} // namespace network_cluster_network_test
