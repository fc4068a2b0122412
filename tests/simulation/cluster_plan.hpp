// The plan of a schedule of servers that act as one, drawn from a seed; and the figures that schedules leave.
#pragma once

#include "tools/random.hpp"

#include <socketless/cluster/message_node.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace support {

using socketless::milliseconds;

enum class cluster_fault : std::uint8_t {
    message_lost,
    message_doubled,
    message_overtakes, // another of the same node
    message_cut,
    bus_slow,
    partition,
    node_dies,
    node_closes,
};
inline constexpr std::string_view cluster_fault_names[] = {"message lost", "message doubled", "message overtakes",
                                                           "message cut",  "bus slow",        "partition",
                                                           "node dies",    "node closes"};
inline constexpr std::size_t cluster_fault_count = std::size(cluster_fault_names);

inline std::string_view name_of_cluster_fault(std::size_t i) {
    return cluster_fault_names[i];
}

struct cluster_plan {
    std::size_t nodes = 3;
    socketless::cluster::heartbeat_options heartbeat = {};
    milliseconds delay{};    // the longest of the bus
    milliseconds lateness{}; // of timers, at most
    milliseconds duration{}; // of what the applications do
    std::size_t actions = 0;
    bool brings_to_all = false; // even what is for one node
    bool has_recovery = false;
    // Nothing is lost, and no node comes or goes.
    bool is_calm = true;
    // Requests may end before all could answer.
    bool is_tight = false;
    // A fault happens once in so many chances; those that may happen, as bits.
    std::size_t fault_rate = 0;
    std::uint32_t faults = 0;

    [[nodiscard]] bool has(cluster_fault f) const noexcept {
        return !is_calm && (faults >> static_cast<unsigned>(f) & 1u) != 0;
    }
    // How long it takes at most until each node knows who is there and who is not.
    [[nodiscard]] milliseconds settling() const noexcept { return heartbeat.interval + heartbeat.timeout + delay * 4; }
};

inline cluster_plan draw_cluster_plan(random_source& random) {
    cluster_plan p;
    p.nodes = random.one_in(10) ? 1 + random.below(5) : 3;
    p.is_calm = random.one_in(2);
    p.delay = milliseconds(random.one_in(4) ? 0 : random.between(1, 60));
    p.lateness = milliseconds(random.one_in(2) ? 0 : random.between(1, 20));
    p.heartbeat.interval = milliseconds(random.between(100, 600));
    p.heartbeat.timeout = p.heartbeat.interval + p.delay * 2 + p.lateness * 2 + milliseconds(random.between(10, 500));
    p.duration = milliseconds(random.between(50, 1'500));
    p.actions = 2 + random.below(40);
    p.brings_to_all = random.one_in(4);
    p.has_recovery = random.one_in(4);
    p.is_tight = random.one_in(3);
    p.fault_rate = 2 + random.below(20);
    p.faults = static_cast<std::uint32_t>(random());
    return p;
}

struct cluster_figures {
    std::uint64_t schedules = 0;
    std::uint64_t steps = 0;
    std::uint64_t published = 0;
    std::uint64_t brought = 0; // by the bus
    std::uint64_t broadcasts = 0;
    std::uint64_t events = 0; // that clients got
    std::uint64_t changes = 0;
    std::uint64_t server_side_events = 0;
    std::uint64_t answers = 0;
    std::uint64_t whole = 0;
    std::uint64_t partial = 0;
    std::uint64_t joined = 0;
    std::uint64_t left = 0;
    std::array<std::uint64_t, cluster_fault_count> faults{};

    // Calls f(name, count) for each.
    template <class F>
    void for_each(F f) const {
        f("schedules", schedules);
        f("steps", steps);
        f("published", published);
        f("brought", brought);
        f("broadcasts", broadcasts);
        f("events", events);
        f("changes from afar", changes);
        f("server-side events", server_side_events);
        f("answers", answers);
        f("whole", whole);
        f("partial", partial);
        f("nodes joined", joined);
        f("nodes left", left);
        for (std::size_t i = 0; i != cluster_fault_count; ++i) f(cluster_fault_names[i], faults[i]);
    }
};

} // namespace support
