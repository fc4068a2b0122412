#include "drivers/engineio_server_session.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/server_session.hpp>

#include <string>

namespace engineio_server_session_opening_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server_session;
using support::lines;
using support::open_packet;
using support::stream_frame;
using support::text;

//=== opening ===//

TEST_CASE("a session that opens by long-polling answers with the open packet", "[server_session]") {
    driver s;
    CHECK(s.open_polling(1) == lines{"opened polling", answer_to_get(1, open_packet())});
    CHECK(s.session.is_open());
    CHECK(s.session.id() == support::test_sid);
    CHECK(s.session.transport() == transport::polling);
}

TEST_CASE("a session that opens over a WebSocket has nothing to upgrade to", "[server_session]") {
    driver s;
    CHECK(s.open_websocket(7) == lines{"opened websocket", "send 7: " + open_packet("")});
}

TEST_CASE("a session that opens over a stream sends the open packet framed", "[server_session]") {
    driver s(with_streams());
    auto const said = s.open_stream(7);
    REQUIRE(said.size() == 2);
    CHECK(said[0] == "opened webtransport");
    CHECK(said[1] == "send 7: " + stream_frame(open_packet("")));
}

TEST_CASE("the open packet offers the transports that are allowed", "[server_session]") {
    CHECK(driver(with_streams()).open_polling(1).back() ==
          answer_to_get(1, open_packet(R"("websocket","webtransport")")));
    engineio::server_options options;
    options.allow_upgrades = false;
    CHECK(driver(options).open_polling(1).back() == answer_to_get(1, open_packet("")));
}

TEST_CASE("revision 3: the open packet has no maxPayload, and streams are not offered", "[server_session]") {
    std::string const packet =
        R"(0{"sid":"abcdefghijklmnopqrst","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})";
    driver s(with_streams(), revision::v3);
    CHECK(s.open_polling(1).back() == answer_to_get(1, std::to_string(packet.size()) + ":" + packet));
    CHECK(s.offer_stream(7) == lines{"refused 7"});
}

TEST_CASE("initial_message follows the open packet", "[server_session]") {
    engineio::server_options options;
    options.initial_message = "hello";
    CHECK(driver(options).open_polling(1).back() == answer_to_get(1, open_packet() + "|4hello"));
    CHECK(driver(options).open_websocket(7) ==
          lines{"opened websocket", "send 7: " + open_packet(""), "send 7: 4hello"});
}

//=== the close packet ===//

TEST_CASE("a POST with 1: a pending GET gets 6, the session closes, what follows the 1 is ignored",
          "[server_session]") {
    auto s = polling();
    s.get(2);
    CHECK(s.post(3, "4a|1|4b|x") == lines{"message a", "closed: transport close", ok(3), answer_to_get(2, "6")});
    CHECK(s.session.is_done());
}

TEST_CASE("a POST with 1 while no GET is pending is answered ok", "[server_session]") {
    auto s = polling();
    s.send("never taken");
    CHECK(s.post(2, "1") == lines{"closed: transport close", ok(2)});
    CHECK(s.session.is_done());
    CHECK(s.session.queued() == 0);
}

TEST_CASE("1 on a WebSocket closes the session", "[server_session]") {
    auto s = over_websocket();
    CHECK(s.websocket(7, "1") == lines{"closed: transport close", "close 7"});
}

TEST_CASE("1 on a stream closes the session, what follows it is ignored", "[server_session]") {
    driver s(with_streams());
    s.open_stream(7);
    CHECK(s.stream(7, stream_frame("1") + stream_frame("4a")) == lines{"closed: transport close", "close 7"});
}

TEST_CASE("a WebSocket that is gone closes the session", "[server_session]") {
    auto s = over_websocket();
    CHECK(s.cut(7) == lines{"closed: transport close"});
    CHECK(s.session.is_done());
    CHECK(s.cut(7).empty());
}

TEST_CASE("0, 5 and 6 from the client are ignored on the session's own transport", "[server_session]") {
    auto s = over_websocket();
    for (char const* p : {"0", "0{}", "5", "6", "6x"}) CHECK(s.websocket(7, p).empty());
    CHECK(s.session.is_open());
    auto p = polling();
    CHECK(p.post(2, "0|5|6|4still here") == lines{"message still here", ok(2)});
}

//=== closing ===//

TEST_CASE("close by WebSocket: what is queued goes first, a close packet is not sent, the channel is closed",
          "[server_session]") {
    auto s = over_websocket();
    s.session.pause(7);
    s.send("a");
    CHECK(s.close().empty());
    CHECK_FALSE(s.session.is_open());
    CHECK(s.session.send(text("late")) == error{errc::not_open});
    CHECK(s.after([&] { s.session.resume(7); }) == lines{"send 7: 4a", "close 7", "closed: forced close"});
    CHECK(s.session.is_done());
}

TEST_CASE("close by polling: what is queued and 1 go with the pending or the next GET", "[server_session]") {
    auto s = polling();
    s.get(2);
    CHECK(s.close() == lines{answer_to_get(2, "1"), "closed: forced close"});

    auto later = polling();
    later.send("a");
    CHECK(later.close().empty());
    CHECK(later.get(2) == lines{answer_to_get(2, "4a|1"), "closed: forced close"});
    CHECK(later.session.is_done());
}

TEST_CASE("close by polling: with more than one body queued, 1 goes with the last", "[server_session]") {
    engineio::server_options options;
    options.max_payload = 6;
    auto s = polling(options);
    s.send("first");
    s.send("other");
    CHECK(s.close().empty());
    CHECK(s.get(2) == lines{answer_to_get(2, "4first")});
    CHECK(s.get(3) == lines{answer_to_get(3, "4other")}); // no room for 1
    CHECK(s.get(4) == lines{answer_to_get(4, "1"), "closed: forced close"});
}

TEST_CASE("close by polling waits 30 s at most", "[server_session]") {
    auto s = polling();
    s.send("never taken");
    s.close();
    CHECK(s.at(29'999).empty());
    CHECK(s.at(30'000) == lines{"closed: forced close"});
    CHECK(s.session.is_done());
}

TEST_CASE("close over a WebSocket that does not take writes waits 30 s at most", "[server_session]") {
    auto s = over_websocket();
    s.session.pause(7);
    s.send("never taken");
    s.close();
    CHECK(s.at(29'999).empty());
    CHECK(s.at(30'000) == lines{"closed: forced close", "close 7"});
}

TEST_CASE("a client that leaves while the session is closing ends it", "[server_session]") {
    auto s = polling();
    s.close();
    auto const said = s.post(2, "4late|1");
    CHECK(said == lines{"closed: transport close", ok(2)});
}

TEST_CASE("abort closes at once, what is queued is lost", "[server_session]") {
    auto s = polling();
    s.send("lost");
    CHECK(s.after([&] { s.session.abort(); }) == lines{"closed: forced close"});
    auto w = over_websocket();
    w.session.pause(7);
    w.send("lost");
    CHECK(w.after([&] { w.session.abort(close_reason::parse_error); }) == lines{"closed: parse error", "close 7"});
    CHECK(w.close().empty());
    CHECK(w.after([&] { w.session.abort(); }).empty());
}

TEST_CASE("a session that is given up before its handshake was sent says 1 instead", "[server_session]") {
    driver s;
    s.exchanges.insert(1);
    s.session.open_polling(1, s.now);
    s.session.abort();
    CHECK(s.drain() == lines{"opened polling", "closed: forced close", answer_to_get(1, "1")});
}

} // namespace engineio_server_session_opening_test
