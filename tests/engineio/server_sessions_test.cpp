#include "drivers/engineio_server.hpp"
#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace engineio_server_sessions_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server;
using namespace std::chrono_literals;
using support::lines;
using support::stream_frame;
using support::text;

//=== sessions are found and told apart ===//

TEST_CASE("each request and each channel goes to the session that it names", "[server]") {
    driver s;
    open_polling(s, 1);
    open_polling(s, 2);
    s.open_websocket(7, websocket_v4);
    CHECK(s.session.connection_count() == 3);
    CHECK(s.get(3, s.query("polling", 1)).empty());
    CHECK(s.post(4, s.query("polling", 0), "4a") == lines{"0 message a", "answer 4: 200 html ok"});
    CHECK(s.send("b", 1) == lines{"answer 3: 200 text 4b"});
    CHECK(s.send("c", 2) == lines{"send 7: 4c"});
    CHECK(s.websocket(7, "4d") == lines{"2 message d"});
    CHECK(s.websocket(8, "4nobody's").empty());
    CHECK(s.cut(7) == lines{"2 closed: transport close"});
    CHECK(s.session.connection_count() == 2);
}

TEST_CASE("a handle never names another session than its own", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    auto const old = s.handles[0];
    auto const old_sid = s.sid();
    s.cut(7);
    CHECK(s.session.find(old) == nullptr);
    CHECK(s.session.send(old, text("a")) == error{errc::not_open});
    s.open_websocket(8, websocket_v4);
    CHECK(s.handles[1].index == old.index);
    CHECK_FALSE(s.handles[1] == old);
    CHECK(s.session.find(old) == nullptr);
    CHECK(s.session.send(old, text("a")) == error{errc::not_open});
    CHECK(s.session.send_volatile(old, text("a")) == error{errc::not_open});
    CHECK(s.after([&] {
               s.session.close(old);
               s.session.abort(old);
           }).empty());
    CHECK(s.get(1, std::string(polling_v4) + "&sid=" + old_sid) == lines{refused(1, 1)});
    CHECK(s.session.find(session_handle{99, 0}) == nullptr);
}

TEST_CASE("names of exchanges and channels may be used again", "[server]") {
    driver s(with_streams());
    for (int i = 0; i != 3; ++i) {
        auto const nth = s.handles.size();
        open_polling(s, 1);
        CHECK(s.get(1, s.query("polling", nth)).empty());
        CHECK(s.post(2, s.query("polling", nth), "1").size() == 3);
        s.open_websocket(1, websocket_v4);
        CHECK(s.websocket(1, "1").size() == 2);
        s.open_stream(1);
        s.cut(1);
        CHECK(s.exchanges.empty());
        CHECK(s.session.connection_count() == 0);
    }
    // The deadline of a stream that is gone does not hold for the next stream with its name.
    s.at(9'000);
    s.open_stream(1);
    CHECK(s.at(18'999).empty());
    CHECK(s.at(19'000) == lines{"close 1"});
}

TEST_CASE("session ids are 120 bits of the caller's randomness as base64url", "[server]") {
    STATIC_REQUIRE(session_id{}.size() * 6 >= 120);
    unsigned char fill = 0xff;
    driver s({}, [&](std::span<std::byte> bytes) {
        CHECK(bytes.size() * 8 >= 120);
        std::ranges::fill(bytes, static_cast<std::byte>(fill));
        fill = 0xfb;
    });
    s.open_websocket(7, websocket_v4);
    CHECK(s.sid() == "____________________");
    s.open_websocket(8, websocket_v4);
    CHECK(s.sid(1) == "-_v7-_v7-_v7-_v7-_v7");
}

TEST_CASE("session ids are unique, even where the randomness is not", "[server]") {
    support::random_source random(1);
    driver s({},
             [&](std::span<std::byte> bytes) { std::ranges::fill(bytes, static_cast<std::byte>(random.below(40))); });
    std::set<std::string> sids;
    for (std::uint64_t i = 0; i != 30; ++i) {
        s.open_websocket(i, websocket_v4);
        CHECK(sids.insert(s.sid(i)).second);
        CHECK(s.sid(i).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
              std::string::npos);
    }
}

TEST_CASE("a handle that was not set names no session", "[server]") {
    engineio::server s({}, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    s.websocket_opened(1, "/engine.io/?EIO=4&transport=websocket", {});
    REQUIRE(s.connection_count() == 1);
    CHECK(s.find(session_handle{}) == nullptr);
    CHECK(s.send(session_handle{}, {frame_kind::text, "a"}) == error{errc::not_open});
}

//=== channels ===//

TEST_CASE("a WebSocket without sid opens a session, with one it is a candidate", "[server]") {
    driver s;
    CHECK_FALSE(s.session.websocket_refusal("/engine.io/?EIO=4&transport=websocket").has_value());
    CHECK(s.open_websocket(7, websocket_v4).front() == "0 opened websocket");
    open_polling(s, 1);
    CHECK_FALSE(s.session.websocket_refusal("/engine.io/?" + s.query("websocket", 1)).has_value());
    CHECK(s.open_websocket(8, s.query("websocket", 1)).empty());
    CHECK(s.websocket(8, "2probe") == lines{"1 upgrading to websocket", "send 8: 3probe"});
    CHECK(s.session.connection_count() == 2);
}

TEST_CASE("a WebSocket that would be refused is closed if it is opened all the same", "[server]") {
    driver s;
    CHECK(s.open_websocket(7, polling_v4) == lines{"close 7"});
    CHECK(s.open_websocket(8, "EIO=4&transport=websocket&sid=x") == lines{"close 8"});
    CHECK(s.websocket(8, "2probe").empty());
    CHECK(s.cut(8).empty());
}

TEST_CASE("a second candidate, and one for an upgraded session, is closed at once", "[server]") {
    driver s;
    open_polling(s, 1);
    s.open_websocket(7, s.query("websocket"));
    CHECK(s.open_websocket(8, s.query("websocket")) == lines{"close 8"});
    CHECK(s.websocket(8, "2probe").empty());
    s.websocket(7, "2probe");
    CHECK(s.websocket(7, "5") == lines{"0 upgraded to websocket"});
    CHECK(s.open_websocket(9, s.query("websocket")) == lines{"close 9"});
    CHECK(s.websocket(7, "4hi") == lines{"0 message hi"});
}

TEST_CASE("a stream opens a session with 0", "[server]") {
    driver s(with_streams());
    CHECK(s.open_stream(7).empty());
    CHECK(s.session.connection_count() == 0);
    CHECK(s.stream(7, "\x01").empty());
    auto const said = s.stream(7, "0" + stream_frame("4a"));
    REQUIRE(said.size() == 3);
    CHECK(said[0] == "0 opened webtransport");
    CHECK(said[1] == "0 message a");
    CHECK(said[2].find("\"sid\":\"" + s.sid() + "\",\"upgrades\":[]") != std::string::npos);
    CHECK(s.stream(7, stream_frame("4b")) == lines{"0 message b"});
    CHECK(s.cut(7) == lines{"0 closed: transport close"});
}

TEST_CASE("a stream joins a session with {\"sid\":...} and upgrades it", "[server]") {
    driver s(with_streams());
    open_polling(s, 1);
    s.open_stream(7);
    CHECK(s.stream(7, open_stream_with(s.sid())).empty());
    CHECK(s.stream(7, stream_frame("2probe")) ==
          lines{"0 upgrading to webtransport", "send 7: " + stream_frame("3probe")});
    CHECK(s.get(2, s.query("polling")).empty());
    CHECK(s.at(100) == lines{"answer 2: 200 text 6"});
    CHECK(s.stream(7, stream_frame("5")) == lines{"0 upgraded to webtransport"});
    CHECK(s.session.connection_count() == 1);
}

TEST_CASE("a stream may write the sid that it joins with escapes", "[server]") {
    driver s(with_streams());
    open_polling(s, 1);
    std::string escaped = s.sid().substr(1);
    escaped.insert(0, std::string("\\u00") + "0123456789abcdef"[static_cast<unsigned>(s.sid()[0]) >> 4U] +
                          "0123456789abcdef"[static_cast<unsigned>(s.sid()[0]) & 0xfU]);
    s.open_stream(7);
    CHECK(s.stream(7, open_stream_with(escaped)).empty());
    CHECK(s.stream(7, stream_frame("2probe")) ==
          lines{"0 upgrading to webtransport", "send 7: " + stream_frame("3probe")});
}

TEST_CASE("a stream that begins with anything else is closed", "[server]") {
    driver s(with_streams());
    open_polling(s, 1);
    for (std::string const& first :
         {stream_frame("4a"), stream_frame("2probe"), stream_frame("x"), stream_frame("0{"), stream_frame("0null"),
          stream_frame("0{}"), stream_frame("0{\"sid\":1}"), stream_frame("0\"sid\""), std::string(1, '\0'),
          stream_frame("0", frame_kind::binary), open_stream_with("x"), open_stream_with(""),
          std::string("\x7f\0\0\0\0\xff\0\0\0", 9)}) {
        INFO(support::to_hex(first));
        s.open_stream(7);
        CHECK(s.stream(7, first) == lines{"close 7"});
        CHECK(s.stream(7, stream_frame("4a")).empty());
    }
    CHECK(s.session.connection_count() == 1);
}

TEST_CASE("a stream that says nothing is closed after upgrade_timeout", "[server]") {
    driver s(with_streams());
    s.open_stream(7);
    s.at(5'000);
    s.open_stream(8);
    s.stream(8, "\x01");
    CHECK(s.at(9'999).empty());
    CHECK(s.at(10'000) == lines{"close 7"});
    CHECK(s.at(15'000) == lines{"close 8"});
    CHECK_FALSE(s.session.poll_timeout().has_value());
}

TEST_CASE("streams that are not allowed are closed", "[server]") {
    driver s;
    CHECK(s.open_stream(7) == lines{"close 7"});
    CHECK(s.stream(7, stream_frame("0")).empty());
}

TEST_CASE("a stream cannot join a session of revision 3", "[server]") {
    auto options = with_streams();
    options.allow_v3 = true;
    driver s(options);
    open_polling(s, 1, "EIO=3&transport=polling");
    s.open_stream(7);
    CHECK(s.stream(7, open_stream_with(s.sid())) == lines{"close 7"});
}

TEST_CASE("pausing a channel holds back its session only", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    s.open_websocket(8, websocket_v4);
    s.session.pause(7);
    s.session.pause(99);
    CHECK(s.send("a", 0).empty());
    CHECK(s.send("b", 1) == lines{"send 8: 4b"});
    CHECK(s.session.send_volatile(s.handles[0], text("c")) == error{errc::would_wait});
    CHECK(s.after([&] { s.session.resume(7); }) == lines{"send 7: 4a"});
    CHECK(s.after([&] { s.session.resume(99); }).empty());
}

TEST_CASE("a server: pause and resume of any channel leave the views of the last transmit valid", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    s.open_websocket(8, websocket_v4);
    std::string buffer;
    REQUIRE(s.session.send(s.handles[0], text("a")).has_value());
    REQUIRE(s.session.send(s.handles[0], shared_message(text("b"))).has_value()); // the session alone holds it
    while (s.session.poll_event()) continue;
    for (std::string_view const sent : {"4a", "4b"}) {
        auto const t = s.session.poll_transmit(buffer);
        REQUIRE(t);
        for (channel_id const channel : {7u, 8u, 99u}) {
            s.session.pause(channel);
            CHECK(t->data.data == sent);
            s.session.resume(channel);
            CHECK(t->data.data == sent);
        }
    }
}

TEST_CASE("a stream that is paused before it says whose it is stays paused", "[server]") {
    driver s(with_streams());
    s.open_stream(7);
    s.session.pause(7);
    CHECK(s.stream(7, stream_frame("0")) == lines{"0 opened webtransport"});
    CHECK(s.after([&] { s.session.resume(7); }).size() == 1); // the handshake
    s.open_stream(8);
    s.session.pause(8);
    s.session.resume(8);
    CHECK(s.stream(8, stream_frame("0")).size() == 2);
}

TEST_CASE("a message for all is encoded once: each session hands out the same bytes", "[server]") {
    driver s;
    for (std::uint64_t i = 0; i != 10; ++i) s.open_websocket(i, websocket_v4);
    shared_message const message(text("news"));
    for (auto const handle : s.handles) {
        REQUIRE(s.session.send(handle, message).has_value());
        CHECK(s.drain().size() == 1);
        CHECK(s.sent_from == message.wire().data());
    }
}

//=== time ===//

TEST_CASE("each session has its heartbeat", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    s.at(1'000);
    s.open_websocket(8, websocket_v4);
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{"send 7: 2"});
    CHECK(s.at(25'999).empty());
    CHECK(s.at(26'000) == lines{"send 8: 2"});
    s.websocket(8, "3");
    CHECK(s.at(44'999).empty());
    CHECK(s.at(45'000) == lines{"0 closed: ping timeout", "close 7"});
    CHECK(s.at(51'000) == lines{"send 8: 2"});
    CHECK(s.session.connection_count() == 1);
}

TEST_CASE("timers run however events and transmits are drained", "[server]") {
    driver s;
    s.channels.insert(7);
    s.session.websocket_opened(7, "/engine.io/?EIO=4&transport=websocket", s.now);
    std::string buffer;
    while (s.session.poll_event()) {
    }
    while (s.session.poll_transmit(buffer)) {
    }
    REQUIRE(s.session.poll_timeout().has_value());
    CHECK(*s.session.poll_timeout() <= support::start + 25s);
    CHECK(s.at(25'000) == lines{"send 7: 2"});
}

TEST_CASE("a server without sessions waits for nothing", "[server]") {
    driver s;
    CHECK_FALSE(s.session.poll_timeout().has_value());
    s.open_websocket(7, websocket_v4);
    CHECK(s.session.poll_timeout().has_value());
    s.cut(7);
    CHECK_FALSE(s.session.poll_timeout().has_value());
}

TEST_CASE("closing: one session, or all", "[server]") {
    driver s;
    open_polling(s, 1);
    s.open_websocket(7, websocket_v4);
    s.open_websocket(8, websocket_v4);
    CHECK(s.after([&] { s.session.close(s.handles[1]); }) == lines{"close 7", "1 closed: forced close"});
    CHECK(s.after([&] { s.session.close(); }) == lines{"close 8", "2 closed: forced close"});
    CHECK(s.session.connection_count() == 1);
    CHECK(s.get(2, s.query("polling")) == lines{"answer 2: 200 text 1", "0 closed: forced close"});
    CHECK(s.session.connection_count() == 0);
    open_polling(s, 3);
    CHECK(s.after([&] { s.session.abort(s.handles[3]); }).size() == 1);
}

} // namespace engineio_server_sessions_test
