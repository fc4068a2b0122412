// An engineio::server driven by hand: each input returns what came of it, drained into lines (see lines.hpp).
#pragma once

#include "drivers/counting_random.hpp"
#include "drivers/session_driver.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/server.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

class server_driver : public driver<engineio::server> {
public:
    explicit server_driver(engineio::server_options const& o = {}) : driver(o, counting_random()) {}
    server_driver(engineio::server_options const& o, socketless::random_source random) : driver(o, std::move(random)) {}

    // The id of the nth session that opened.
    [[nodiscard]] std::string sid(std::size_t nth = 0) const {
        REQUIRE(nth < handles.size());
        auto const* const s = session.find(handles[nth]);
        REQUIRE(s != nullptr);
        return std::string(s->id());
    }
    // A query for it.
    [[nodiscard]] std::string query(std::string_view transport, std::size_t nth = 0, std::string_view eio = "4") const {
        return "EIO=" + std::string(eio) + "&transport=" + std::string(transport) + "&sid=" + sid(nth);
    }

    // The head of a request; its body, or its end, is still to come.
    lines begin(std::uint64_t exchange, engineio::http_method method, std::string_view query) {
        std::string const target = "/engine.io/?" + std::string(query);
        return after([&] { session.http_started({.exchange = exchange, .method = method, .target = target}, now); });
    }
    lines begin_post(std::uint64_t exchange, std::string_view query) {
        return begin(exchange, engineio::http_method::post, query);
    }
    lines request(std::uint64_t exchange, engineio::http_method method, std::string_view query,
                  std::string_view body = {}, bool is_binary = false) {
        exchanges.insert(exchange);
        exact_copy const copy(with_separators(body));
        std::string const target = "/engine.io/?" + std::string(query);
        return after([&] {
            session.http_received(
                {.exchange = exchange, .method = method, .target = target, .is_binary = is_binary, .body = copy.span()},
                now);
        });
    }
    lines get(std::uint64_t exchange, std::string_view query) {
        return request(exchange, engineio::http_method::get, query);
    }
    lines post(std::uint64_t exchange, std::string_view query, std::string_view body) {
        return request(exchange, engineio::http_method::post, query, body);
    }
    lines abort(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { session.http_aborted(exchange, now); });
    }
    // The code of the refusal of a WebSocket.
    std::optional<engineio::request_error> refusal_of_websocket(std::string_view target) {
        auto const refusal = session.websocket_refusal(target);
        if (!refusal) return std::nullopt;
        CHECK(refusal->status == status(refusal->code));
        CHECK(refusal->body() == body(refusal->code));
        return refusal->code;
    }
    lines open_websocket(std::uint64_t channel, std::string_view query) {
        channels.insert(channel);
        std::string const target = "/engine.io/?" + std::string(query);
        return after([&] { session.websocket_opened(channel, target, now); });
    }
    lines open_stream(std::uint64_t channel) {
        channels.insert(channel);
        return after([&] { session.stream_opened(channel, now); });
    }
    lines send(std::string_view message, std::size_t nth = 0) {
        return after([&] { REQUIRE(session.send(handles.at(nth), text(message)).has_value()); });
    }
};

namespace engineio_server {

using driver = server_driver;

inline constexpr std::string_view polling_v4 = "EIO=4&transport=polling";
inline constexpr std::string_view websocket_v4 = "EIO=4&transport=websocket";

inline std::string refused(std::uint64_t exchange, int code) {
    constexpr std::string_view messages[] = {"Transport unknown", "Session ID unknown", "Bad handshake method",
                                             "Bad request",       "Forbidden",          "Unsupported protocol version"};
    return "answer " + std::to_string(exchange) + ": 400 json {\"code\":" + std::to_string(code) + ",\"message\":\"" +
           std::string(messages[code]) + "\"}";
}

inline engineio::server_options with(engineio::transport_set transports) {
    engineio::server_options options;
    options.transports = transports;
    return options;
}
inline engineio::server_options with_v3() {
    engineio::server_options options;
    options.allow_v3 = true;
    return options;
}
inline engineio::server_options with_streams() {
    return with({engineio::transport::polling, engineio::transport::websocket, engineio::transport::webtransport});
}

// Opens one more session by long-polling.
inline void open_polling(driver& s, std::uint64_t exchange, std::string_view query = polling_v4) {
    auto const said = s.get(exchange, query);
    REQUIRE(said.size() == 2);
    REQUIRE(said[0].ends_with("opened polling"));
    REQUIRE(said[1].find(s.sid(s.handles.size() - 1)) != std::string::npos);
}

inline std::string open_stream_with(std::string_view sid) {
    return stream_frame("0{\"sid\":\"" + std::string(sid) + "\"}");
}

} // namespace engineio_server

} // namespace support
