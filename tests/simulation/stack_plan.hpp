// The additions of whole stacks to the plan of the tiny network; and the figures that schedules leave.
#pragma once

#include "simulation/network_plan.hpp"
#include "tools/random.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/msgpack_parser.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace support {

namespace socketio = socketless::socketio;

//=== namespaces and rooms ===//

inline constexpr std::size_t root_nsp = 0;
inline constexpr std::size_t asked_nsp = 1;
inline constexpr std::size_t automatic_nsp = 2;
inline constexpr std::size_t dynamic_asked_nsp = 3;
inline constexpr std::size_t dynamic_nsp = 4;
inline constexpr std::size_t another_dynamic_nsp = 5;
inline constexpr std::size_t unknown_nsp = 6;
inline constexpr std::size_t namespace_count = 7;
inline constexpr std::string_view namespace_names[namespace_count] = {
    "/", "/asked", "/automatic", "/dynamic asked", "/dynamic 1", "/dynamic \xe2\x82\xac", "/unknown"};

inline std::size_t namespace_of(std::string_view name) {
    auto const found = std::find(std::begin(namespace_names), std::end(namespace_names), name);
    return static_cast<std::size_t>(found - std::begin(namespace_names));
}
inline bool is_asked_for(std::size_t nsp) {
    return nsp == asked_nsp || nsp == dynamic_asked_nsp;
}

inline constexpr std::string_view room_names[] = {"a", "", "room \xf0\x9f\x98\x80"};

//=== figures ===//

inline constexpr std::size_t outcome_count = 3;
inline constexpr std::size_t disconnect_reason_count = 13;

struct stack_figures {
    std::uint64_t connected = 0;
    std::uint64_t accepted_later = 0;
    std::uint64_t refused = 0;
    std::uint64_t unknown = 0;
    std::uint64_t too_many_namespaces = 0;
    std::uint64_t dynamic_made = 0;
    std::uint64_t authenticated = 0;
    std::uint64_t events_up = 0;
    std::uint64_t events_down = 0;
    std::uint64_t attachments = 0;
    std::uint64_t buffered = 0;
    std::uint64_t retried = 0;
    std::uint64_t tried_again = 0;
    std::uint64_t volatile_up = 0;
    std::uint64_t volatile_down = 0;
    std::uint64_t dropped_up = 0;
    std::uint64_t dropped_down = 0;
    std::uint64_t broadcasts = 0;
    std::uint64_t broadcasts_volatile = 0;
    std::uint64_t broadcasts_acknowledged = 0;
    std::uint64_t receivers = 0;
    std::uint64_t recovered = 0;
    std::uint64_t replayed = 0;
    std::uint64_t not_recovered = 0;
    std::uint64_t opened = 0;
    std::uint64_t upgraded = 0;
    std::uint64_t open_failed = 0;
    std::uint64_t reconnecting = 0;
    std::uint64_t reconnected = 0;
    std::uint64_t reconnect_failed = 0;
    std::uint64_t shutdowns = 0;
    std::uint64_t buffer_full = 0;
    std::uint64_t too_many_acks = 0;
    std::uint64_t acknowledged_too_late = 0;
    std::array<std::uint64_t, outcome_count> client_acks{};
    std::array<std::uint64_t, outcome_count> server_acks{};
    std::array<std::uint64_t, disconnect_reason_count> client_reasons{};
    std::array<std::uint64_t, disconnect_reason_count> server_reasons{};

    // Calls f(name, count) for all but the arrays.
    template <class F>
    void for_each(F f) const {
        f("connected", connected);
        f("accepted later", accepted_later);
        f("refused", refused);
        f("unknown", unknown);
        f("too many namespaces", too_many_namespaces);
        f("dynamic made", dynamic_made);
        f("authenticated", authenticated);
        f("events up", events_up);
        f("events down", events_down);
        f("attachments", attachments);
        f("buffered", buffered);
        f("retried", retried);
        f("tried again", tried_again);
        f("volatile up", volatile_up);
        f("volatile down", volatile_down);
        f("dropped up", dropped_up);
        f("dropped down", dropped_down);
        f("broadcasts", broadcasts);
        f("broadcasts volatile", broadcasts_volatile);
        f("broadcasts acknowledged", broadcasts_acknowledged);
        f("receivers", receivers);
        f("recovered", recovered);
        f("replayed", replayed);
        f("not recovered", not_recovered);
        f("opened", opened);
        f("upgraded", upgraded);
        f("open failed", open_failed);
        f("reconnecting", reconnecting);
        f("reconnected", reconnected);
        f("reconnect failed", reconnect_failed);
        f("shutdowns", shutdowns);
        f("buffer full", buffer_full);
        f("too many acks", too_many_acks);
        f("acknowledged too late", acknowledged_too_late);
    }
};

//=== options ===//

// Adapts the plan: its messages are those of Socket.IO, which take more room than text and never exceed a limit alone,
// and clients have a fixed upgrade_timeout.
inline socketless::server_options draw_stack_server(random_source& random, network_plan& plan) {
    plan.server.initial_message.clear();
    plan.server.max_payload = std::max<std::size_t>(plan.server.max_payload, 600);
    plan.server.max_queued = std::max<std::size_t>(plan.server.max_queued, 700);
    for (auto& c : plan.clients) {
        c.upgrade_timeout = engineio::client_options().upgrade_timeout;
        c.max_queued = std::max<std::size_t>(c.max_queued, 700);
    }
    socketless::server_options o;
    o.engine = plan.server;
    o.path = plan.server.path; // as the clients have it
    if (random.one_in(3)) o.sockets.connect_timeout = milliseconds(random.between(100, 1'000));
    if (random.one_in(6)) o.sockets.max_sockets = 2;
    if (random.one_in(8)) o.sockets.max_pending_acks = 2;
    if (random.one_in(3)) plan.parser = &socketio::msgpack_parser;
    o.sockets.parser = plan.parser;
    if (!random.one_in(3)) {
        o.recovery.emplace();
        o.recovery->max_disconnection_duration = milliseconds(random.between(100, 4'000));
        if (random.one_in(4)) o.recovery->max_packets = 1 + random.below(20);
    }
    return o;
}

inline socketless::client_options draw_stack_client(random_source& random, network_plan const& plan,
                                                    engineio::client_options const& engine) {
    socketless::client_options o;
    o.parser = plan.parser;
    o.path = engine.path;
    o.query = engine.query;
    o.revision = engine.revision;
    o.transports = engine.transports;
    o.upgrade = engine.upgrade;
    o.remember_upgrade = engine.remember_upgrade;
    o.try_all_transports = engine.try_all_transports;
    o.timestamp_param = engine.timestamp_param;
    o.force_base64 = engine.force_base64;
    o.timeout = engine.open_timeout;
    o.max_queued = engine.max_queued;
    o.auto_connect = !random.one_in(6);
    o.reconnection = !random.one_in(4);
    if (random.one_in(4)) o.reconnection_attempts = random.between(1, 3);
    o.reconnection_delay = milliseconds(random.between(20, 100));
    o.reconnection_delay_max = milliseconds(random.between(50, 500));
    if (random.one_in(3)) o.randomization_factor = 0;
    if (random.one_in(4)) o.retries = static_cast<std::uint32_t>(random.between(1, 3));
    if (o.retries != 0 || random.one_in(4)) o.ack_timeout = milliseconds(random.between(20, 500));
    if (random.one_in(6)) o.max_buffered = 300 + random.below(1'000);
    return o;
}

} // namespace support
