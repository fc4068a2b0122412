// A whole client driven by hand, before a server that the test plays frame by frame: each input returns what came of
// it, drained into lines (see socket_lines.hpp).
#pragma once

#include "drivers/socket_lines.hpp"
#include "drivers/under_way.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/client.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support::whole_client {

using namespace socketless;
using engineio::transport;
using socketio::event_type;
using socketio::socket_handle;

// In place of randomness, each byte is the same. 0x00 gives no jitter, 0x40 makes waits an eighth shorter, 0x80 a
// quarter longer.
inline socketless::random_source always(unsigned byte) {
    return [byte](std::span<std::byte> bytes) { std::ranges::fill(bytes, static_cast<std::byte>(byte)); };
}

inline constexpr std::string_view handshake =
    R"(0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";

inline client_options over(std::vector<transport> transports) {
    client_options options;
    options.transports = std::move(transports);
    return options;
}
inline client_options over_websocket() {
    return over({transport::websocket});
}
inline client_options over_polling() {
    return over({transport::polling});
}

// A client, and a server that is played by hand. Checks what always holds: an exchange or a channel ends once, a
// connection that has opened is closed once, and events come in their order.
class driver : public under_way {
public:
    explicit driver(client_options options = over_websocket(), unsigned random_byte = 0)
        : client(std::move(options), always(random_byte), start) {}

    socketless::client client;
    time_point now = start;
    // The application's handler of events.
    std::function<void(client::event&)> on_event = [](client::event&) {};

    lines drain() {
        lines all;
        std::string buffer;
        for (;;) {
            if (auto e = client.poll_event()) {
                take(*e, all);
            } else if (auto const t = client.poll_transmit(buffer)) {
                if (t->type == engineio::transmit_type::respond) FAIL("a client does not answer exchanges");
                note(*t);
                all.push_back(show(*t));
            } else {
                return all;
            }
            REQUIRE(all.size() < 10'000);
        }
    }
    template <class Input>
    lines after(Input input) {
        input();
        return drain();
    }

    socket_handle connect(std::string_view nsp = "/") {
        auto const socket = client.connect(nsp);
        REQUIRE(socket.has_value());
        return *socket;
    }
    lines disconnect(socket_handle socket) {
        return after([&] { client.disconnect(socket); });
    }
    template <class... Args>
    lines emit(socket_handle socket, std::string_view name, Args const&... args) {
        return after([&] { CHECK(client.emit(socket, name, args...).has_value()); });
    }

    // The network and the server.
    lines websocket(std::uint64_t channel, frame message) {
        exact_copy const copy(message.data);
        return after([&] { client.websocket_received(channel, {message.kind, copy.view()}, now); });
    }
    lines websocket(std::uint64_t channel, std::string_view message) { return websocket(channel, text(message)); }
    lines channel_opened(std::uint64_t channel) {
        return after([&] { client.channel_opened(channel, now); });
    }
    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { client.channel_closed(channel, now); });
    }
    lines answer(std::uint64_t exchange, std::string_view body, int status = 200) {
        exchanges.erase(exchange);
        exact_copy const copy(with_separators(body));
        return after([&] { client.http_response(exchange, status, false, copy.span(), now); });
    }
    lines fail(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { client.http_failed(exchange, now); });
    }

    // How long until the client's timer is due.
    [[nodiscard]] std::optional<milliseconds> due() const {
        auto const at = client.poll_timeout();
        if (!at) return std::nullopt;
        return std::chrono::duration_cast<milliseconds>(*at - now);
    }
    // Lets time pass; calls the client when its timer is due.
    lines pass(milliseconds how_long) {
        auto const until = now + how_long;
        lines all;
        for (auto at = client.poll_timeout(); at && *at <= until; at = client.poll_timeout()) {
            now = std::max(now, *at);
            auto const more = after([&] { client.handle_timeout(now); });
            all.insert(all.end(), more.begin(), more.end());
            REQUIRE(all.size() < 10'000);
        }
        now = until;
        auto const more = after([&] { client.handle_timeout(now); });
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    // Opens WebSocket `channel`, which the client has asked for.
    lines handshaken(std::uint64_t channel) {
        CHECK(channel_opened(channel).empty());
        return websocket(channel, handshake);
    }

private:
    void take(client::event& e, lines& all) {
        using enum event_type;
        all.push_back(show(e));
        if (e.type == opened) CHECK_FALSE(std::exchange(is_open_, true));
        if (e.type == connected || e.type == event) CHECK(is_open_);
        if (e.type == closed) is_open_ = false;
        if (e.type == open_failed || e.type == reconnecting) CHECK_FALSE(is_open_);
        on_event(e);
    }
    bool is_open_ = false;
};

// Connected to "/" over WebSocket 1.
struct connected_driver : driver {
    explicit connected_driver(client_options options = over_websocket(), unsigned random_byte = 0)
        : driver(std::move(options), random_byte) {
        socket = connect();
        REQUIRE(drain() == lines{"open websocket 1"});
        REQUIRE(handshaken(1) == lines{"opened", "send 1: 40"});
        REQUIRE(websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    }

    socket_handle socket;
};

} // namespace support::whole_client
