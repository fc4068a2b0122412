// An engineio::client_session driven by hand: each input returns what came of it, drained into lines (see lines.hpp).
#pragma once

#include "drivers/session_driver.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/client_session.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class client_driver : public driver<engineio::client_session> {
public:
    explicit client_driver(engineio::client_options const& o = {}) : driver(o) {}

    lines open() {
        return after([&] { CHECK(session.open(now).has_value()); });
    }
    lines answer(std::uint64_t exchange, std::string_view body, int status = 200) {
        exchanges.erase(exchange);
        exact_copy const copy(with_separators(body));
        return after([&] { session.http_response(exchange, status, false, copy.span(), now); });
    }
    lines answer_binary(std::uint64_t exchange, std::string_view body) {
        exchanges.erase(exchange);
        exact_copy const copy(body);
        return after([&] { session.http_response(exchange, 200, true, copy.span(), now); });
    }
    lines fail(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { session.http_failed(exchange, now); });
    }
    lines channel_opened(std::uint64_t channel) {
        return after([&] { session.channel_opened(channel, now); });
    }
    lines send(frame message) {
        return after([&] { REQUIRE(session.send(message, now).has_value()); });
    }
    lines send(std::string_view message) { return send(text(message)); }
    lines close() {
        return after([&] { session.close(now); });
    }
};

namespace engineio_client {

using driver = client_driver;

// The first packet of a server.
inline std::string open_packet(std::string_view upgrades = R"("websocket")", std::string_view max_payload = "1000000") {
    return R"(0{"sid":"abc","upgrades":[)" + std::string(upgrades) +
           R"(],"pingInterval":25000,"pingTimeout":20000,"maxPayload":)" + std::string(max_payload) + "}";
}

inline engineio::client_options only(std::vector<engineio::transport> transports) {
    engineio::client_options options;
    options.transports = std::move(transports);
    return options;
}
inline engineio::client_options polling_only() {
    return only({engineio::transport::polling});
}
inline engineio::client_options websocket_only() {
    return only({engineio::transport::websocket});
}

// Open by long-polling, with GET 2 pending.
inline driver polling(engineio::client_options const& options = polling_only(),
                      std::string_view packet = open_packet()) {
    driver c(options);
    REQUIRE(c.open() == lines{"get 1"});
    REQUIRE(c.answer(1, packet) == lines{"opened polling", "get 2"});
    return c;
}

// Open over WebSocket 1.
inline driver over_websocket(engineio::client_options const& options = websocket_only()) {
    driver c(options);
    REQUIRE(c.open() == lines{"open websocket 1"});
    REQUIRE(c.channel_opened(1).empty());
    REQUIRE(c.websocket(1, open_packet("")) == lines{"opened websocket"});
    return c;
}

// Open by long-polling with GET 3 pending, its candidate WebSocket 2 opened and probed.
inline driver probing(engineio::client_options const& options = {}) {
    driver c(options);
    REQUIRE(c.open() == lines{"get 1"});
    REQUIRE(c.answer(1, open_packet()) == lines{"opened polling", "open websocket 2", "get 3"});
    REQUIRE(c.channel_opened(2) == lines{"send 2: 2probe"});
    return c;
}

inline engineio::client_options v3(std::vector<engineio::transport> transports) {
    auto options = only(std::move(transports));
    options.revision = engineio::revision::v3;
    return options;
}

inline std::string v3_open_packet() {
    std::string const p = R"(0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})";
    return std::to_string(p.size()) + ":" + p;
}

} // namespace engineio_client

} // namespace support
