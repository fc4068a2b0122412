// An engineio::server_session driven by hand: each input returns what came of it, drained into lines (see lines.hpp).
#pragma once

#include "drivers/session_driver.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/server_session.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace support {

inline constexpr std::string_view test_sid = "abcdefghijklmnopqrst";

// The open packet of that session with the default options.
inline std::string open_packet(std::string_view upgrades = R"("websocket")") {
    return R"(0{"sid":")" + std::string(test_sid) + R"(","upgrades":[)" + std::string(upgrades) +
           R"(],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";
}

// Options that stay where they are when what refers to them moves.
struct held_options {
    std::unique_ptr<engineio::server_options> options;
};

class server_session_driver : private held_options, public driver<engineio::server_session> {
public:
    explicit server_session_driver(engineio::server_options const& o = {},
                                   engineio::revision r = engineio::revision::v4)
        : held_options{std::make_unique<engineio::server_options>(o)}, driver(*options, id(), r) {}

    lines open_polling(std::uint64_t exchange, bool base64 = false) {
        exchanges.insert(exchange);
        if (base64) session.use_base64();
        return after([&] { session.open_polling(exchange, now); });
    }
    lines open_websocket(std::uint64_t channel) {
        channels.insert(channel);
        return after([&] { session.open_websocket(channel, now); });
    }
    lines open_stream(std::uint64_t channel) {
        channels.insert(channel);
        return after([&] { session.open_stream(channel, reader(), now); });
    }

    // The caller refuses an exchange that the session does not take: the first line says so.
    lines get(std::uint64_t exchange) {
        REQUIRE(session.takes_polling());
        if (!session.poll(exchange, now)) return refused(exchange);
        exchanges.insert(exchange);
        return drain();
    }
    lines post(std::uint64_t exchange, std::string_view body,
               engineio::payload_format form = engineio::payload_format::v4) {
        REQUIRE(session.takes_polling());
        exact_copy const copy(with_separators(body));
        if (!session.post(exchange, copy.span(), form, now)) return refused(exchange);
        exchanges.insert(exchange);
        return drain();
    }
    lines abort(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { session.exchange_aborted(exchange); });
    }

    lines offer_websocket(std::uint64_t channel) { return offer(channel, nullptr); }
    lines offer_stream(std::uint64_t channel) { return offer(channel, reader()); }

    lines send(frame message) {
        return after([&] { REQUIRE(session.send(message).has_value()); });
    }
    lines send(std::string_view message) { return send(text(message)); }
    lines close() {
        return after([&] { session.close(now); });
    }

private:
    static engineio::session_id id() {
        engineio::session_id id{};
        std::ranges::copy(test_sid, id.begin());
        return id;
    }
    [[nodiscard]] std::unique_ptr<engineio::stream_reader> reader() const {
        return std::make_unique<engineio::stream_reader>(options->max_payload);
    }
    lines refused(std::uint64_t id) {
        lines all{"refused " + std::to_string(id)};
        append(all, drain());
        return all;
    }
    lines offer(std::uint64_t channel, std::unique_ptr<engineio::stream_reader> r) {
        if (!session.offer_channel(channel, std::move(r), now)) return refused(channel);
        channels.insert(channel);
        return drain();
    }
};

namespace engineio_server_session {

using driver = server_session_driver;

inline std::string answer_to_get(std::uint64_t exchange, std::string const& body) {
    return "answer " + std::to_string(exchange) + ": 200 text " + body;
}
inline std::string ok(std::uint64_t exchange) {
    return "answer " + std::to_string(exchange) + ": 200 html ok";
}

// Opened by long-polling with exchange 1.
inline driver polling(engineio::server_options const& options = {}) {
    driver s(options);
    REQUIRE(s.open_polling(1).front() == "opened polling");
    return s;
}

// The same in revision 3.
inline driver polling_v3(engineio::server_options const& options = {}, bool base64 = false) {
    driver s(options, engineio::revision::v3);
    REQUIRE(s.open_polling(1, base64).front() == "opened polling");
    return s;
}

// Opened over WebSocket 7.
inline driver over_websocket(engineio::server_options const& options = {},
                             engineio::revision r = engineio::revision::v4) {
    driver s(options, r);
    REQUIRE(s.open_websocket(7).front() == "opened websocket");
    return s;
}

// By long-polling, with WebSocket 7 offered as a candidate that has sent its probe.
inline driver probed(engineio::server_options const& options = {}) {
    auto s = polling(options);
    REQUIRE(s.offer_websocket(7).empty());
    REQUIRE(s.websocket(7, "2probe") == lines{"upgrading to websocket", "send 7: 3probe"});
    return s;
}

inline engineio::server_options with_streams() {
    engineio::server_options options;
    options.transports = {engineio::transport::polling, engineio::transport::websocket,
                          engineio::transport::webtransport};
    return options;
}

} // namespace engineio_server_session

} // namespace support
