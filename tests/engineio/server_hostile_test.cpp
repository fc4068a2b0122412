#include "drivers/engineio_server.hpp"
#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace engineio_server_hostile_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server;
using support::lines;

TEST_CASE("(6.6.10): revisions mixed within a session are refused, and the session is unharmed", "[server][hostile]") {
    driver s(with_v3());
    open_polling(s, 1);
    auto const other = s.query("websocket", 0, "3");
    CHECK(s.refusal_of_websocket("/engine.io/?" + other) == request_error::bad_request);
    CHECK(status(request_error::bad_request) == 400);
    CHECK(s.open_websocket(7, other) == lines{"close 7"});
    for (char const* p : {"2probe", "5", "2"}) CHECK(s.websocket(7, p).empty());
    CHECK(s.get(2, s.query("polling")).empty());
    CHECK(s.send("a") == lines{"answer 2: 200 text 4a"});
}

TEST_CASE("CVE-2023-31125: a transport named as an inherited property is unknown", "[server][hostile]") {
    driver s;
    for (char const* name : {"__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"})
        CHECK(s.get(1, "EIO=4&transport=" + std::string(name)) == lines{refused(1, 0)});
}

TEST_CASE("(6.6.7): a stream with an inherited property as sid names no session", "[server][hostile]") {
    driver s(with_streams());
    for (char const* sid : {"__proto__", "constructor", "toString"}) {
        s.open_stream(7);
        CHECK(s.stream(7, open_stream_with(sid)) == lines{"close 7"});
        CHECK(s.get(1, std::string(polling_v4) + "&sid=" + sid) == lines{refused(1, 1)});
    }
    CHECK(s.session.connection_count() == 0);
}

TEST_CASE("CVE-2022-21676, CVE-2022-41940: a WebSocket that dies at once is forgotten, whatever it was",
          "[server][hostile]") {
    driver s(with_streams());
    s.session.websocket_opened(7, "/engine.io/?EIO=4&transport=websocket", s.now);
    s.session.channel_closed(7, s.now);
    CHECK(s.drain() == lines{"0 opened websocket", "0 closed: transport close"});
    CHECK(s.session.connection_count() == 0);

    open_polling(s, 1);
    s.session.websocket_opened(8, "/engine.io/?" + s.query("websocket", 1), s.now);
    s.session.channel_closed(8, s.now);
    CHECK(s.drain() == lines{"0 upgrade failed"});
    s.session.stream_opened(9, s.now);
    s.session.channel_closed(9, s.now);
    CHECK(s.drain().empty());
    CHECK(s.session.connection_count() == 1);
}

TEST_CASE("leaks at close: nothing of a session outlives it", "[server][hostile]") {
    driver s(with_streams());
    support::random_source random(1);
    for (std::uint64_t i = 0; i != 300; ++i) {
        auto const nth = s.handles.size();
        open_polling(s, 1);
        if (random.one_in(2)) s.get(2, s.query("polling", nth));
        if (random.one_in(2)) s.begin_post(4 + i, s.query("polling", nth));
        if (random.one_in(2)) s.open_websocket(7, s.query("websocket", nth));
        if (random.one_in(2)) s.websocket(7, "2probe");
        if (random.one_in(2)) s.websocket(7, "5");
        if (random.one_in(2) && s.session.find(s.handles[nth])) s.send("queued", nth);
        switch (random.below(4)) {
        case 0: s.cut(7); break;
        case 1: s.after([&] { s.session.close(s.handles[nth]); }); break;
        case 2: s.after([&] { s.session.abort(s.handles[nth]); }); break;
        case 3: s.post(3, std::string(polling_v4) + "&sid=" + (s.session.find(s.handles[nth]) ? s.sid(nth) : "x"), "1");
        }
        s.at(static_cast<std::int64_t>(i + 1) * 100'000); // all that is left times out
        REQUIRE(s.session.connection_count() == 0);
        REQUIRE(s.exchanges.empty());
        REQUIRE(s.channels.empty());
        REQUIRE_FALSE(s.session.poll_timeout().has_value());
    }
}

TEST_CASE("slow or silent peers: sessions and streams that say nothing are gone in bounded time", "[server][hostile]") {
    driver s(with_streams());
    for (std::uint64_t i = 0; i != 100; ++i) {
        open_polling(s, 1);
        s.open_stream(i);
        s.open_websocket(1'000 + i, websocket_v4);
    }
    CHECK(s.session.connection_count() == 200);
    s.at(45'000);
    CHECK(s.session.connection_count() == 0);
    CHECK(s.channels.empty());
    CHECK_FALSE(s.session.poll_timeout().has_value());
}

TEST_CASE("a flood of empty messages is bounded too", "[server]") {
    engineio::server_options options;
    options.max_queued = 100'000;
    engineio::server s(options, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    s.websocket_opened(1, "/engine.io/?EIO=4&transport=websocket", {});
    auto const opened = s.poll_event();
    REQUIRE(opened.has_value());
    result<void> sent;
    std::size_t queued = 0;
    for (; sent && queued != 100'000; ++queued) sent = s.send(opened->session, {frame_kind::binary, ""});
    CHECK(sent == error{errc::queue_overflow});
    CHECK(queued < 5'000);
}

} // namespace engineio_server_hostile_test
