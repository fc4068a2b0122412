// The additions of whole servers and clients, from bytes on, to the plan of the tiny network.
#pragma once

#include "simulation/network_plan.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/transport.hpp>
#include <socketless/wire/client_options.hpp>
#include <socketless/wire/server_options.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace support {

// The longest time in which a client keeps a connection that it does not use.
inline constexpr milliseconds longest_idle{1'000};

// Longer than any exchange takes over a network without faults.
inline milliseconds patience_of(network_plan const& plan) {
    auto const margin = std::chrono::ceil<milliseconds>(plan.latency + plan.lateness + plan.write_time);
    return margin * 60 + milliseconds(200);
}

// Adapts the plan: there is no WebTransport, and a request may have to wait for its connection.
inline void adapt_to_wire(random_source& random, network_plan& plan) {
    using enum engineio::transport;
    auto& server = plan.server.transports;
    server =
        server.contains(websocket) ? engineio::transport_set{polling, websocket} : engineio::transport_set{polling};
    if (random.one_in(20)) server = {websocket};
    for (auto& c : plan.clients) {
        std::erase(c.transports, webtransport);
        if (c.transports.empty()) c.transports = {polling, websocket};
    }
    plan.server.max_payload = std::min<std::size_t>(plan.server.max_payload, 20'000); // soon too large
    plan.latency = plan.latency / 3 + microseconds(1);
    plan.duration = plan.duration / 2;
}

inline wire::server_options draw_wire_server(random_source& random, network_plan const& plan) {
    wire::server_options o;
    if (random.one_in(4)) o.cors.origins = {"*"};
    if (random.one_in(4)) o.cookie.name = "io";
    if (random.one_in(4)) o.headers = {{"X-Server", "a"}};
    if (random.one_in(2)) o.other_paths = wire::other_paths::application;
    if (random.one_in(2)) o.request_timeout = longest_idle + patience_of(plan);
    if (random.one_in(2)) o.closing_timeout = patience_of(plan);
    if (plan.tight && random.one_in(2)) o.request_timeout = milliseconds(random.between(1, 500));
    if (plan.tight && random.one_in(2)) o.closing_timeout = milliseconds(random.between(1, 50));
    if (random.one_in(3)) o.max_write = random.below(300);
    return o;
}

inline wire::client_options draw_wire_client(random_source& random, network_plan const& plan) {
    wire::client_options o;
    if (random.one_in(4)) o.headers = {{"Cookie", "a=b"}, {"Origin", "http://page.test"}};
    if (random.one_in(4)) o.polling_headers = {{"X-Client", "a"}};
    if (random.one_in(4)) o.websocket_headers = {{"Sec-WebSocket-Protocol", "chat, talk"}};
    o.keeps_cookies = !random.one_in(4);
    o.idle_timeout = milliseconds(random.one_in(4) ? 0 : random.between(1, longest_idle.count()));
    if (random.one_in(2)) o.connect_timeout = patience_of(plan);
    if (random.one_in(2)) o.answer_timeout = patience_of(plan);
    if (random.one_in(2)) o.closing_timeout = patience_of(plan);
    if (plan.tight && random.one_in(2)) o.connect_timeout = milliseconds(random.between(1, 100));
    if (plan.tight && random.one_in(2)) o.answer_timeout = milliseconds(random.between(1, 100));
    if (plan.tight && random.one_in(2)) o.closing_timeout = milliseconds(random.between(1, 50));
    if (random.one_in(3)) o.max_write = random.below(300);
    return o;
}

} // namespace support
