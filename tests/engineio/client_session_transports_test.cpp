#include "drivers/engineio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/client_session.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace engineio_client_session_transports_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_client;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::text;

//=== long-polling ===//

TEST_CASE("one GET at a time, the next one as soon as the answer is read", "[client_session]") {
    auto c = polling();
    CHECK(c.answer(2, "4a|4b") == lines{"message a", "message b", "get 3"});
    CHECK(c.answer(3, "6") == lines{"get 4"});
    CHECK(c.exchanges.size() == 1);
}

TEST_CASE("one POST at a time, what is sent meanwhile goes with the next", "[client_session]") {
    auto c = polling();
    CHECK(c.session.writable());
    CHECK(c.send("a") == lines{"post 3: 4a"});
    CHECK_FALSE(c.session.writable());
    CHECK(c.send("b").empty());
    CHECK(c.send(binary("\x01\x02\x03\x04")).empty());
    CHECK(c.answer(3, "ok") == lines{"post 4: 4b|bAQIDBA=="});
    CHECK(c.drains == 0);
    CHECK(c.answer(4, "ok").empty());
    CHECK(c.drains == 1);
    CHECK(c.session.writable());
}

TEST_CASE("a POST has as many whole packets as max_payload allows, counted as encoded", "[client_session]") {
    auto c = polling(polling_only(), open_packet("", "10"));
    CHECK(c.send("x") == lines{"post 3: 4x"});
    for (char const* m : {"four", "fou", "e\xe2\x82\xac", "five5", "much more than the limit", "y"}) c.send(m);
    c.send(binary("\x01\x02\x03"));
    c.send(binary("\x01\x02\x03"));
    c.send(binary("\x01\x02\x03"));
    CHECK(c.answer(3, "ok") == lines{"post 4: 4four|4fou"});     // 5 + 1 + 4 = 10
    CHECK(c.answer(4, "ok") == lines{"post 5: 4e\xe2\x82\xac"}); // 5 bytes + 1 + 6 would be 12
    CHECK(c.answer(5, "ok") == lines{"post 6: 4five5"});
    CHECK(c.answer(6, "ok") == lines{"post 7: 4much more than the limit"}); // alone it is sent anyway
    CHECK(c.answer(7, "ok") == lines{"post 8: 4y|bAQID"});                  // 2 + 1 + 5
    CHECK(c.answer(8, "ok") == lines{"post 9: bAQID"});                     // 5 + 1 + 5 would be 11
    CHECK(c.answer(9, "ok") == lines{"post 10: bAQID"});
    CHECK(c.answer(10, "ok").empty());
}

TEST_CASE("a server that does not say max_payload gets all in one body", "[client_session]") {
    auto c = polling(polling_only(), R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000})");
    c.send("a");
    std::string const big(2'000'000, 'x');
    c.send(big);
    c.send("b");
    CHECK(c.answer(3, "ok") == lines{"post 4: 4" + big + "|4b"});
}

TEST_CASE("any answer but 200 is a transport error", "[client_session]") {
    for (int const status : {0, 204, 301, 400, 404, 413, 500}) {
        auto c = polling();
        CHECK(c.answer(2, "4a", status) == lines{"closed: transport error"});
        auto p = polling();
        p.send("a");
        CHECK(p.answer(3, "ok", status) == lines{"closed: transport error", "abort 2"});
        driver o(polling_only());
        o.open();
        CHECK(o.answer(1, open_packet(), status) == lines{"closed: transport error"});
    }
}

TEST_CASE("a failed exchange is a transport error", "[client_session]") {
    auto c = polling();
    c.send("a");
    CHECK(c.fail(3) == lines{"closed: transport error", "abort 2"});
    auto g = polling();
    g.send("a");
    CHECK(g.fail(2) == lines{"closed: transport error", "abort 3"});
    CHECK(g.fail(99).empty());
}

TEST_CASE("a bad body is a transport error, what came before is delivered", "[client_session]") {
    for (char const* bad : {"4a||4b", "4a|x", "4a|b*", "4a|7|4b", "4a|4\xff"}) {
        auto c = polling();
        CHECK(c.answer(2, bad) == lines{"message a", "closed: transport error"});
    }
    auto c = polling();
    CHECK(c.answer(2, "") == lines{"closed: transport error"});
    auto w = over_websocket();
    CHECK(w.websocket(1, "x") == lines{"closed: transport error", "close 1"});
}

TEST_CASE("1 from the server is a transport close, what follows it is not read", "[client_session]") {
    auto c = polling();
    CHECK(c.answer(2, "4a|1|4b|x") == lines{"message a", "closed: transport close"});
    auto w = over_websocket();
    CHECK(w.websocket(1, "1") == lines{"closed: transport close", "close 1"});
}

TEST_CASE("a second handshake is a transport error", "[client_session]") {
    auto c = polling();
    CHECK(c.answer(2, open_packet()) == lines{"closed: transport error"});
    auto w = over_websocket();
    CHECK(w.websocket(1, open_packet()) == lines{"closed: transport error", "close 1"});
    driver twice(polling_only());
    twice.open();
    CHECK(twice.answer(1, open_packet() + "|" + open_packet()) == lines{"opened polling", "closed: transport error"});
}

TEST_CASE("a WebSocket that is gone is a transport close", "[client_session]") {
    auto c = over_websocket();
    CHECK(c.cut(1) == lines{"closed: transport close"});
    CHECK(c.cut(1).empty());
    driver o(websocket_only());
    o.open();
    CHECK(o.cut(1) == lines{"closed: transport error"}); // it never opened
}

TEST_CASE("v3: bodies are binary where a message is, unless base64 is forced", "[client_session]") {
    driver c(v3({transport::polling}));
    c.open();
    CHECK(c.answer(1, v3_open_packet() + "2:40") == lines{"opened polling", "message 0", "get 2"});
    CHECK(c.send("\xe2\x82\xac") == lines{"post 3: 2:4\xe2\x82\xac"});
    c.send("a");
    c.send(binary("\x01"));
    CHECK(c.answer(3, "ok") == lines{"post 4: <0002ff34610102ff0401>"});
    CHECK(c.answer_binary(2, std::string_view("\x01\x02\xff\x04\x09", 5)) == lines{"message <09>", "get 5"});

    auto options = v3({transport::polling});
    options.force_base64 = true;
    driver b(options);
    b.open();
    b.answer(1, v3_open_packet());
    CHECK(b.send(binary("\x01")) == lines{"post 3: 6:b4AQ=="});
    CHECK(b.answer(2, "6:b4AQ==") == lines{"message <01>", "get 4"});
}

//=== WebSocket ===//

TEST_CASE("a client sends each message over a WebSocket as a frame", "[client_session]") {
    auto c = over_websocket();
    CHECK(c.send("hi") == lines{"send 1: 4hi"});
    CHECK(c.send(binary("\x01")) == lines{"send 1: <01>"});
    CHECK(c.drains == 2);
    CHECK(c.websocket(1, "4hello") == lines{"message hello"});
    CHECK(c.websocket(1, binary("\xff")) == lines{"message <ff>"});
    CHECK(c.websocket(1, "bAQID") == lines{"message <010203>"});
    CHECK(c.websocket(1, "5").empty());
    CHECK(c.websocket(1, "6").empty());
}

TEST_CASE("nothing is sent on a channel that is paused, and volatile messages are dropped", "[client_session]") {
    auto c = over_websocket();
    c.session.pause(1);
    CHECK_FALSE(c.session.writable());
    CHECK(c.send("a").empty());
    CHECK(c.session.send_volatile(text("b"), c.now) == error{errc::would_wait});
    CHECK(c.after([&] { c.session.resume(1); }) == lines{"send 1: 4a"});
    CHECK(c.session.send_volatile(text("c"), c.now).has_value());
    CHECK(c.drain() == lines{"send 1: 4c"});
    auto p = polling();
    p.send("a");
    CHECK(p.session.send_volatile(text("b"), p.now) == error{errc::would_wait});
}

TEST_CASE("a client: pause and resume leave the views of the last transmit valid", "[client_session]") {
    auto c = over_websocket();
    std::string buffer;
    REQUIRE(c.session.send(text("a"), c.now).has_value());
    REQUIRE(c.session.send(shared_message(text("b")), c.now).has_value()); // the session alone holds it
    for (std::string_view const sent : {"4a", "4b"}) {
        auto const t = c.session.poll_transmit(buffer);
        REQUIRE(t);
        c.session.pause(1);
        CHECK(t->data.data == sent);
        c.session.resume(1);
        CHECK(t->data.data == sent);
    }
}

TEST_CASE("a shared message is handed out without a copy", "[client_session]") {
    shared_message const message(text("to all"));
    auto c = over_websocket();
    CHECK(c.after([&] { REQUIRE(c.session.send(message, c.now).has_value()); }) == lines{"send 1: 4to all"});
    CHECK(c.sent_from == message.wire().data());
}

TEST_CASE("a message is refused before open, after the end, and where its transport cannot carry it",
          "[client_session]") {
    driver c(polling_only());
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
    c.open();
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
    c.answer(1, open_packet());
    CHECK(c.session.send(text("\x1e"), c.now) == error{errc::separator_in_text, 0});
    CHECK(c.session.send(text("a\xff"), c.now) == error{errc::invalid_utf8, 1});
    c.fail(2);
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
}

TEST_CASE("a client: more than max_queued bytes queued close the session", "[client_session]") {
    auto options = websocket_only();
    options.max_queued = 10;
    auto c = over_websocket(options);
    c.session.pause(1);
    c.send("four");
    c.send("five");
    CHECK(c.session.send(text("x"), c.now) == error{errc::queue_overflow});
    CHECK(c.drain() == lines{"closed: queue overflow", "close 1"});
}

//=== heartbeats ===//

TEST_CASE("v4: the client answers pings", "[client_session]") {
    auto c = over_websocket();
    CHECK(c.websocket(1, "2") == lines{"send 1: 3"});
    auto p = polling();
    CHECK(p.answer(2, "4a|2") == lines{"message a", "post 3: 3", "get 4"});
}

TEST_CASE("v4: no ping within ping_interval + ping_timeout is a ping timeout", "[client_session]") {
    auto c = over_websocket();
    CHECK(c.at(44'999).empty());
    c.websocket(1, "2");
    CHECK(c.at(89'998).empty());
    CHECK(c.at(89'999) == lines{"closed: ping timeout", "close 1"});
    auto p = polling();
    CHECK(p.at(45'000) == lines{"closed: ping timeout", "abort 2"});
}

TEST_CASE("v4: pongs and messages do not put off the timeout", "[client_session]") {
    auto c = over_websocket();
    c.at(40'000);
    c.websocket(1, "3");
    c.websocket(1, "4a");
    c.send("b");
    CHECK(c.at(44'999).empty());
    CHECK(c.at(45'000) == lines{"closed: ping timeout", "close 1"});
}

TEST_CASE("sending checks that the deadline has not passed unnoticed", "[client_session]") {
    auto c = over_websocket();
    c.now = support::start + 3h; // the laptop slept
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
    CHECK(c.drain() == lines{"closed: ping timeout", "close 1"});
    auto p = polling();
    CHECK(p.session.send(shared_message(text("a")), support::start + 45s) == error{errc::not_open});
    CHECK(p.drain() == lines{"closed: ping timeout", "abort 2"});
}

TEST_CASE("v3: the client pings every ping_interval and expects the pong within ping_timeout", "[client_session]") {
    driver c(v3({transport::websocket}));
    c.open();
    c.channel_opened(1);
    c.websocket(1, R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000})");
    CHECK(c.at(24'999).empty());
    CHECK(c.at(25'000) == lines{"send 1: 2"});
    c.at(26'000);
    CHECK(c.websocket(1, "3").empty());
    CHECK(c.at(50'999).empty());
    CHECK(c.at(51'000) == lines{"send 1: 2"});
    CHECK(c.at(70'999).empty());
    CHECK(c.at(71'000) == lines{"closed: ping timeout", "close 1"});

    driver p(v3({transport::polling}));
    p.open();
    p.answer(1, v3_open_packet());
    CHECK(p.at(25'000) == lines{"post 3: 1:2"});
    CHECK(p.answer(3, "ok").empty());
    CHECK(p.answer(2, "1:3") == lines{"get 4"});
    CHECK(p.at(50'000) == lines{"post 5: 1:2"});
}

} // namespace engineio_client_session_transports_test
