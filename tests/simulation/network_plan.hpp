// The plan of a schedule of the tiny network, drawn from a seed; and the figures that schedules leave.
#pragma once

#include "tools/random.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server_session.hpp>
#include <socketless/socketio/parser.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace support {

namespace engineio = socketless::engineio;
using microseconds = std::chrono::microseconds;
using socketless::milliseconds;
using socketless::time_point;

// The faults of the network.
enum class fault : std::uint8_t {
    request_lost,
    request_cut,
    response_lost,
    response_cut,
    exchange_dropped,
    channel_refused,
    channel_never_opens,
    channel_opens_late,
    channel_dies,
    channel_goes_silent,
    frame_garbled,
    timer_late,
    client_frozen,
    server_frozen,
    message_too_large,
};
inline constexpr std::string_view fault_names[] = {
    "request lost",    "request cut",         "response lost",      "response cut",  "exchange dropped",
    "channel refused", "channel never opens", "channel opens late", "channel dies",  "channel goes silent",
    "frame garbled",   "timer late",          "client frozen",      "server frozen", "message too large"};
inline constexpr std::size_t fault_count = std::size(fault_names);
inline constexpr std::size_t reason_count = 7;

// Of connections of bytes.
struct wire_figures {
    std::uint64_t connections = 0;
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;
    std::uint64_t partial_writes = 0;
    std::uint64_t ends = 0;
    std::uint64_t late_bytes = 0; // for an end that is closed already: it answers by a reset
    std::uint64_t strangers = 0;  // that got all their answers

    // Calls f(name, count) for each.
    template <class F>
    void for_each(F f) const {
        f("connections", connections);
        f("segments", segments);
        f("bytes", bytes);
        f("partial writes", partial_writes);
        f("ends", ends);
        f("late bytes", late_bytes);
        f("strangers", strangers);
    }
};

struct network_figures {
    std::uint64_t schedules = 0;
    std::uint64_t attempts = 0;
    std::uint64_t steps = 0;
    std::uint64_t exchanges = 0;
    std::uint64_t messages_up = 0;
    std::uint64_t messages_down = 0;
    std::uint64_t volatiles_sent = 0;
    std::uint64_t volatiles_dropped = 0;
    std::uint64_t upgrades = 0;
    std::uint64_t upgrades_failed = 0;
    std::uint64_t aborted_exchanges = 0;
    std::array<std::uint64_t, 3> opened_over{}; // by transport, on the client
    std::array<std::uint64_t, 3> upgraded_to{};
    std::array<std::uint64_t, 2> opened_with{}; // by revision
    std::array<std::uint64_t, fault_count> faults{};
    std::array<std::uint64_t, reason_count> client_reasons{};
    std::array<std::uint64_t, reason_count> server_reasons{};
    wire_figures wire{};
};

struct network_plan {
    engineio::server_options server;
    std::vector<engineio::client_options> clients;
    // The longest way from one side to the other, and how late a timer may be.
    microseconds latency{};
    microseconds lateness{};
    microseconds write_time{};
    // How long the application acts, and in how many steps.
    microseconds duration{};
    std::size_t actions = 0;
    // A fault happens once in so many chances, never if this is 0; the faults that may happen, as bits.
    std::size_t fault_rate = 0;
    std::uint32_t faults = 0;
    // Nothing is lost.
    bool calm = true;
    // Deadlines may be shorter than the latency.
    bool tight = false;
    // What whole stacks make of their packets; null for the default encoding.
    socketless::socketio::parser const* parser = nullptr;
    // The longest message that fits into a body by itself.
    std::size_t longest_message = 0;

    [[nodiscard]] bool has(fault f) const noexcept { return (faults >> static_cast<unsigned>(f) & 1u) != 0; }

    // Whether the server takes such a client.
    [[nodiscard]] bool may_open(engineio::client_options const& o) const {
        bool const v3 = o.revision == engineio::revision::v3;
        if (v3 && !server.allow_v3) return false;
        for (auto const t : o.transports) {
            if (v3 && t == engineio::transport::webtransport) continue;
            if (server.transports.contains(t)) return true;
            if (!o.try_all_transports) return false;
        }
        return false;
    }
};

namespace detail {

inline std::vector<engineio::transport> draw_transports(random_source& random) {
    using enum engineio::transport;
    static std::vector<engineio::transport> const choices[] = {{polling},
                                                               {websocket},
                                                               {webtransport},
                                                               {polling, websocket},
                                                               {polling, webtransport},
                                                               {websocket, polling},
                                                               {polling, websocket, webtransport},
                                                               {polling, webtransport, websocket},
                                                               {webtransport, websocket, polling}};
    return random.pick(choices);
}

inline engineio::client_options draw_client(random_source& random, network_plan const& plan) {
    engineio::client_options o;
    o.transports = draw_transports(random);
    o.upgrade = !random.one_in(6);
    o.remember_upgrade = random.one_in(3);
    o.try_all_transports = random.one_in(2);
    if (plan.server.allow_v3 || random.one_in(50))
        o.revision = random.one_in(2) ? engineio::revision::v3 : engineio::revision::v4;
    o.force_base64 = random.one_in(3);
    if (random.one_in(4)) o.timestamp_param.clear();
    if (random.one_in(4)) o.query = {{"token", "a&b=\xc3\xa9"}};
    auto const margin = std::chrono::ceil<milliseconds>(plan.latency + plan.lateness);
    o.open_timeout = plan.tight && random.one_in(2) ? margin * 3 : margin * 40 + milliseconds(100);
    o.upgrade_timeout = plan.tight && random.one_in(2) ? margin * 4 : margin * 40 + milliseconds(500);
    if (!plan.calm && random.one_in(4)) o.max_queued = 100 + random.below(1'000);
    return o;
}

} // namespace detail

inline network_plan draw_plan(random_source& random) {
    network_plan p;
    p.calm = random.one_in(2);
    p.latency = microseconds(1 + random.below(random.one_in(3) ? 40'000 : 5'000));
    p.lateness = microseconds(random.one_in(2) ? 0 : random.below(10'000));
    p.write_time = microseconds(random.one_in(2) ? 0 : 1 + random.below(2'000));
    p.duration = microseconds(10'000 + random.below(1'500'000));
    p.actions = 2 + random.below(40);
    if (!p.calm) {
        p.fault_rate = 2 + random.below(30);
        p.faults = static_cast<std::uint32_t>(random() & random());
    } else {
        p.fault_rate = 3;
        p.faults = static_cast<std::uint32_t>(random()); // harmless faults are still chosen from these
    }
    p.tight = !p.calm && random.one_in(3);
    auto const margin = std::chrono::ceil<milliseconds>(p.latency + p.lateness + p.write_time) + milliseconds(1);
    engineio::server_options& s = p.server;
    s.ping_interval = milliseconds(random.between(20, 500));
    s.ping_timeout = p.tight ? milliseconds(random.between(1, 30))
                             : margin * 24 + milliseconds(150); // an upgrade holds pings for 100 ms
    s.upgrade_timeout = p.tight ? margin * 3 : margin * 48 + milliseconds(600);
    s.close_timeout = p.tight ? milliseconds(random.between(1, 50)) : margin * 100 + milliseconds(500);
    s.allow_v3 = random.one_in(2);
    // A client of revision 3 does not learn how much a body may hold.
    bool const small = !s.allow_v3 && random.one_in(2);
    s.max_payload = small ? 120 + random.below(500) : 1'000'000;
    p.longest_message = small ? s.max_payload / 4 * 3 - 4 : 400;
    if (!p.calm && random.one_in(4)) s.max_queued = 100 + random.below(1'000);
    if (random.one_in(3))
        s.transports = {engineio::transport::polling, engineio::transport::websocket};
    else
        s.transports = {engineio::transport::polling, engineio::transport::websocket,
                        engineio::transport::webtransport};
    if (random.one_in(20)) s.transports = {engineio::transport::polling};
    s.allow_upgrades = !random.one_in(10);
    if (random.one_in(4)) s.initial_message = "hello \xf0\x9f\x98\x80";
    std::size_t const clients = 1 + random.below(3);
    while (p.clients.size() != clients) p.clients.push_back(detail::draw_client(random, p));
    return p;
}

} // namespace support
