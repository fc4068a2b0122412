#include "support/catch.hpp"
#include "support/sessions.hpp"

#include <socketless/engineio/server_session.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace engineio_server_session_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::open_packet;
using support::stream_frame;
using support::text;
using driver = support::server_session_driver;

namespace {

std::string answer_to_get(std::uint64_t exchange, std::string const& body) {
    return "answer " + std::to_string(exchange) + ": 200 text " + body;
}
std::string ok(std::uint64_t exchange) {
    return "answer " + std::to_string(exchange) + ": 200 html ok";
}

// Opened by long-polling with exchange 1.
driver polling(engineio::server_options const& options = {}) {
    driver s(options);
    REQUIRE(s.open_polling(1).front() == "opened polling");
    return s;
}

// The same in revision 3.
driver polling_v3(engineio::server_options const& options = {}, bool base64 = false) {
    driver s(options, revision::v3);
    REQUIRE(s.open_polling(1, base64).front() == "opened polling");
    return s;
}

// Opened over WebSocket 7.
driver websocket(engineio::server_options const& options = {}, revision r = revision::v4) {
    driver s(options, r);
    REQUIRE(s.open_websocket(7).front() == "opened websocket");
    return s;
}

// By long-polling, with WebSocket 7 offered as a candidate that has sent its probe.
driver probed(engineio::server_options const& options = {}) {
    auto s = polling(options);
    REQUIRE(s.offer_websocket(7).empty());
    REQUIRE(s.websocket(7, "2probe") == lines{"upgrading to websocket", "send 7: 3probe"});
    return s;
}

engineio::server_options with_streams() {
    engineio::server_options options;
    options.transports = {transport::polling, transport::websocket, transport::webtransport};
    return options;
}

} // namespace

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

//=== messages ===//

TEST_CASE("what is queued goes with the next GET, all in one body", "[server_session]") {
    auto s = polling();
    CHECK(s.send("a").empty());
    CHECK(s.send(binary("\x01\x02\x03\x04")).empty());
    CHECK(s.session.queued() == 7);
    CHECK(s.drains == 0);
    CHECK(s.get(2) == lines{answer_to_get(2, "4a|bAQIDBA==")});
    CHECK(s.drains == 1);
    CHECK(s.session.queued() == 0);
}

TEST_CASE("a GET waits until there is something to answer it with", "[server_session]") {
    auto s = polling();
    CHECK(s.get(2).empty());
    CHECK(s.send("a") == lines{answer_to_get(2, "4a")});
    CHECK(s.exchanges.empty());
}

TEST_CASE("a body that answers a GET has as many whole packets as max_payload allows", "[server_session]") {
    engineio::server_options options;
    options.max_payload = 11;
    auto s = polling(options);
    for (char const* m : {"four", "five", "six", "much more than the limit", "x"}) s.send(m);
    CHECK(s.get(2) == lines{answer_to_get(2, "4four|4five")});
    CHECK(s.get(3) == lines{answer_to_get(3, "4six")});
    CHECK(s.drains == 0);
    CHECK(s.get(4) == lines{answer_to_get(4, "4much more than the limit")}); // it would never go otherwise
    CHECK(s.get(5) == lines{answer_to_get(5, "4x")});
    CHECK(s.drains == 1);
}

TEST_CASE("over a WebSocket each message is a frame", "[server_session]") {
    auto s = websocket();
    CHECK(s.send("hi") == lines{"send 7: 4hi"});
    CHECK(s.send(binary("\x01\x02")) == lines{"send 7: <0102>"});
    CHECK(s.send(binary("")) == lines{"send 7: <>"});
    CHECK(s.drains == 3);
    CHECK(s.websocket(7, "4hello") == lines{"message hello"});
    CHECK(s.websocket(7, binary("\xff")) == lines{"message <ff>"});
    CHECK(s.websocket(7, "bAQID") == lines{"message <010203>"});
}

TEST_CASE("revision 3: binary frames begin with the type", "[server_session]") {
    auto s = websocket({}, revision::v3);
    CHECK(s.send(binary("\x01\x02")) == lines{"send 7: <040102>"});
    CHECK(s.websocket(7, binary("\x04\xff")) == lines{"message <ff>"});
}

TEST_CASE("over a stream each message is framed, in whatever chunks it comes", "[server_session]") {
    driver s(with_streams());
    s.open_stream(7);
    CHECK(s.send("hi") == lines{"send 7: " + stream_frame("4hi")});
    CHECK(s.send(binary("\x01")) == lines{"send 7: <8101>"});
    CHECK(s.send(binary("")) == lines{"send 7: " + support::show(binary("\x01"
                                                                        "b"))}); // as base64: no empty frames
    CHECK(s.stream(7, stream_frame("4a") + stream_frame("b", frame_kind::binary) + stream_frame("4c").substr(0, 2)) ==
          lines{"message a", "message <62>"});
    CHECK(s.stream(7, "c") == lines{"message c"});
}

TEST_CASE("a POST brings packets and is answered ok as text/html", "[server_session]") {
    auto s = polling();
    CHECK(s.post(2, "4a|bAQID|4") == lines{"message a", "message <010203>", "message ", ok(2)});
    CHECK(s.exchanges.empty());
}

TEST_CASE("a poll answer is text/plain, charset=UTF-8, a POST answer text/html, and nothing is to be stored",
          "[server_session]") {
    CHECK(name(content_type::text) == "text/plain; charset=UTF-8");
    CHECK(name(content_type::html) == "text/html");
    CHECK(name(content_type::binary) == "application/octet-stream");
    CHECK(name(content_type::json) == "application/json");
    CHECK(cache_control == "no-store");
}

TEST_CASE("revision 3: a body with binary is application/octet-stream, unless the client asked for base64",
          "[server_session]") {
    auto s = polling_v3();
    s.send("a");
    CHECK(s.get(2) == lines{answer_to_get(2, "2:4a")});
    s.send("a");
    s.send(binary("\x01"));
    CHECK(s.get(3) == lines{"answer 3: 200 binary <0002ff34610102ff0401>"});

    auto with_base64 = polling_v3({}, true);
    with_base64.send(binary("\x01"));
    CHECK(with_base64.get(2) == lines{answer_to_get(2, "6:b4AQ==")});
}

TEST_CASE("revision 3: a POST may be text or binary", "[server_session]") {
    auto s = polling_v3();
    CHECK(s.post(2,
                 "2:4\xe2\x82\xac"
                 "6:b4AQ==",
                 payload_format::v3_text) == lines{"message \xe2\x82\xac", "message <01>", ok(2)});
    CHECK(s.post(3, std::string_view("\x01\x02\xff\x04\x09", 5), payload_format::v3_binary) ==
          lines{"message <09>", ok(3)});
}

TEST_CASE("a body that fails to decode: earlier packets are delivered, the session closes, the POST is answered ok",
          "[server_session]") {
    auto const bad = GENERATE("4a|x|4b", "4a||4b", "4a|b???|4b", "4a|4\xff|4b", "4a|7|4b");
    auto s = polling();
    CHECK(s.post(2, bad) == lines{"message a", "closed: parse error", ok(2)});
    CHECK(s.session.is_done());
}

TEST_CASE("an empty body is a parse error", "[server_session]") {
    auto s = polling();
    CHECK(s.post(2, "") == lines{"closed: parse error", ok(2)});
}

TEST_CASE("a frame that fails to decode closes the session with parse error", "[server_session]") {
    auto const bad = GENERATE("", "x", "7", "4\xff", "b*");
    auto s = websocket();
    CHECK(s.websocket(7, bad) == lines{"closed: parse error", "close 7"});
    CHECK(s.websocket(7, "4late").empty());
}

TEST_CASE("what a stream says after its error is not read", "[server_session]") {
    driver s(with_streams());
    s.open_stream(7);
    CHECK(s.stream(7, stream_frame("4a") + std::string(1, '\0') + stream_frame("4b")) ==
          lines{"message a", "closed: parse error", "close 7"});
    CHECK(s.stream(7, stream_frame("4c")).empty());
}

TEST_CASE("a stream frame over max_payload closes the session, and nothing is reserved for it", "[server_session]") {
    driver s(with_streams());
    s.open_stream(7);
    CHECK(s.stream(7, std::string("\x7f\x00\x04\x00\x00\x00\x00\x00\x00", 9)) ==
          lines{"closed: parse error", "close 7"});
}

//=== exchanges out of turn ===//

TEST_CASE("a second GET while one is pending: that one gets 1, the second is refused, the session closes",
          "[server_session]") {
    auto s = polling();
    s.get(2);
    CHECK(s.get(3) == lines{"refused 3", "closed: transport error", answer_to_get(2, "1")});
    CHECK(s.session.is_done());
}

TEST_CASE("a second POST while one is under way is refused, and the session closes", "[server_session]") {
    auto s = polling();
    std::string first = "4a";
    std::string second = "4b";
    s.exchanges.insert(2);
    CHECK(s.session.post(2, first, payload_format::v4, s.now));
    CHECK_FALSE(s.session.post(3, second, payload_format::v4, s.now));
    CHECK(s.drain() == lines{"message a", "closed: transport error", ok(2)}); // the first one had come
    CHECK(s.session.is_done());
}

TEST_CASE("a GET that the client aborts closes the session", "[server_session]") {
    auto s = polling();
    s.get(2);
    CHECK(s.abort(2) == lines{"closed: transport error"});
    CHECK(s.session.is_done());
}

TEST_CASE("an exchange that was answered may be aborted without harm", "[server_session]") {
    auto s = polling();
    s.post(2, "4a");
    CHECK(s.abort(2).empty());
    CHECK(s.abort(99).empty());
    CHECK(s.session.is_open());
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
    auto s = websocket();
    CHECK(s.websocket(7, "1") == lines{"closed: transport close", "close 7"});
}

TEST_CASE("1 on a stream closes the session, what follows it is ignored", "[server_session]") {
    driver s(with_streams());
    s.open_stream(7);
    CHECK(s.stream(7, stream_frame("1") + stream_frame("4a")) == lines{"closed: transport close", "close 7"});
}

TEST_CASE("a WebSocket that is gone closes the session", "[server_session]") {
    auto s = websocket();
    CHECK(s.cut(7) == lines{"closed: transport close"});
    CHECK(s.session.is_done());
    CHECK(s.cut(7).empty());
}

TEST_CASE("0, 5 and 6 from the client are ignored on the session's own transport", "[server_session]") {
    auto s = websocket();
    for (char const* p : {"0", "0{}", "5", "6", "6x"}) CHECK(s.websocket(7, p).empty());
    CHECK(s.session.is_open());
    auto p = polling();
    CHECK(p.post(2, "0|5|6|4still here") == lines{"message still here", ok(2)});
}

//=== heartbeats ===//

TEST_CASE("v4: a ping every ping_interval after open, by WebSocket", "[server_session]") {
    auto s = websocket();
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{"send 7: 2"});
    CHECK(s.at(26'000).empty());
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(50'999).empty());
    CHECK(s.at(51'000) == lines{"send 7: 2"}); // ping_interval after the pong
}

TEST_CASE("v4: a ping goes with the pending or the next GET", "[server_session]") {
    auto s = polling();
    s.get(2);
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{answer_to_get(2, "2")});
    CHECK(s.post(3, "3") == lines{ok(3)});
    CHECK(s.at(50'000).empty());
    s.send("a");
    CHECK(s.at(51'000).empty());
    CHECK(s.get(4) == lines{answer_to_get(4, "2|4a")});
}

TEST_CASE("v4: the pong is due within ping_timeout", "[server_session]") {
    auto s = websocket();
    s.at(25'000);
    CHECK(s.at(44'999).empty());
    CHECK(s.at(45'000) == lines{"closed: ping timeout", "close 7"});

    auto p = polling();
    p.get(2);
    p.at(25'000);
    p.get(3);
    CHECK(p.at(44'999).empty());
    CHECK(p.at(45'000) == lines{"closed: ping timeout", answer_to_get(3, "1")});
}

TEST_CASE("v4: only the awaited pong counts", "[server_session]") {
    auto s = websocket();
    CHECK(s.at(10'000).empty());
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{"send 7: 2"}); // not put off by the pong that nobody asked for
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(40'000).empty());
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(50'000) == lines{"send 7: 2"});
    CHECK(s.at(70'000) == lines{"closed: ping timeout", "close 7"}); // nor does that one count for this ping
}

TEST_CASE("a ping from a v4 client is a transport error", "[server_session]") {
    auto s = websocket();
    CHECK(s.websocket(7, "2") == lines{"closed: transport error", "close 7"});
    auto p = polling();
    p.get(2);
    CHECK(p.post(3, "2|4a") == lines{"closed: transport error", ok(3), answer_to_get(2, "1")});
}

TEST_CASE("a pong from a v3 client is a transport error", "[server_session]") {
    auto s = websocket({}, revision::v3);
    CHECK(s.websocket(7, "3") == lines{"closed: transport error", "close 7"});
}

TEST_CASE("v3: the client pings, the server answers", "[server_session]") {
    auto s = websocket({}, revision::v3);
    CHECK(s.at(25'000).empty());
    CHECK(s.websocket(7, "2") == lines{"send 7: 3"});
    auto p = polling_v3();
    p.get(2);
    CHECK(p.post(3, "1:2", payload_format::v3_text) == lines{ok(3), answer_to_get(2, "1:3")});
}

TEST_CASE("v3: without a ping the session closes after ping_interval + ping_timeout", "[server_session]") {
    auto s = websocket({}, revision::v3);
    CHECK(s.at(44'999).empty());
    CHECK(s.websocket(7, "2") == lines{"send 7: 3"});
    CHECK(s.at(89'998).empty());
    CHECK(s.at(89'999) == lines{"closed: ping timeout", "close 7"});
}

TEST_CASE("a session that is called late pings once and allows the whole ping_timeout from then", "[server_session]") {
    auto s = websocket();
    s.now = support::start + 60s;
    CHECK(s.after([&] { s.session.handle_timeout(s.now); }) == lines{"send 7: 2"});
    CHECK(s.at(79'999).empty());
    CHECK(s.at(80'000) == lines{"closed: ping timeout", "close 7"});
}

//=== the upgrade ===//

TEST_CASE("2probe on the candidate is answered 3probe there", "[server_session]") {
    auto s = polling();
    CHECK(s.session.takes_upgrade());
    CHECK(s.offer_websocket(7).empty());
    CHECK_FALSE(s.session.takes_upgrade());
    CHECK(s.websocket(7, "2probe") == lines{"upgrading to websocket", "send 7: 3probe"});
    CHECK(s.session.transport() == transport::polling);
}

TEST_CASE("a GET that is pending when the probe comes is answered with 6", "[server_session]") {
    auto s = polling();
    s.get(2);
    s.offer_websocket(7);
    CHECK(s.websocket(7, "2probe") == lines{"upgrading to websocket", "send 7: 3probe", answer_to_get(2, "6")});
}

TEST_CASE("until the upgrade is done each new GET is answered with 6, at most 100 ms later", "[server_session]") {
    auto s = probed();
    s.at(1'000);
    for (std::uint64_t exchange = 2; exchange != 6; ++exchange) {
        auto const begun = static_cast<std::int64_t>((s.now - support::start) / 1ms);
        CHECK(s.get(exchange).empty());
        CHECK(s.at(begun + 99).empty());
        CHECK(s.at(begun + 100) == lines{answer_to_get(exchange, "6")});
    }
}

TEST_CASE("what is queued during the upgrade may still go with a GET", "[server_session]") {
    auto s = probed();
    s.send("a");
    CHECK(s.get(2) == lines{answer_to_get(2, "4a")});
    CHECK(s.get(3).empty());
    CHECK(s.send("b") == lines{answer_to_get(3, "4b")});
    CHECK(s.at(5'000).empty()); // no GET, no noop
}

TEST_CASE("5 moves the session: what is queued goes out on the new channel", "[server_session]") {
    auto s = probed();
    s.send("a");
    s.send(binary("\x01"));
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket", "send 7: 4a", "send 7: <01>"});
    CHECK(s.session.transport() == transport::websocket);
    CHECK(s.drains == 1);
    CHECK(s.websocket(7, "4b") == lines{"message b"});
    CHECK(s.send("c") == lines{"send 7: 4c"});
}

TEST_CASE("a GET that is pending when the session moves is answered with 6", "[server_session]") {
    auto s = probed();
    s.get(2);
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket", answer_to_get(2, "6")});
}

TEST_CASE("5 without a probe moves the session too, as ESP and C# clients do, and a GET that waits gets 6",
          "[server_session]") {
    auto s = polling();
    s.get(2);
    s.offer_websocket(7);
    s.session.pause(7);
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket", answer_to_get(2, "6")});
    CHECK(s.session.transport() == transport::websocket);
    CHECK_FALSE(s.session.takes_polling());
    CHECK(s.send("a").empty());
    CHECK(s.after([&] { s.session.resume(7); }) == lines{"send 7: 4a"});
    engineio::server_options v3;
    v3.allow_v3 = true;
    driver old(v3, revision::v3);
    old.open_polling(1);
    old.offer_websocket(7);
    CHECK(old.websocket(7, "5") == lines{"upgraded to websocket"});
    CHECK(old.websocket(7, "4b") == lines{"message b"});
}

TEST_CASE("after the upgrade long-polling no longer fits the session", "[server_session]") {
    auto s = probed();
    CHECK(s.session.takes_polling());
    s.websocket(7, "5");
    CHECK_FALSE(s.session.takes_polling());
}

TEST_CASE("never a noop on a WebSocket", "[server_session]") {
    auto s = probed();
    s.get(2);
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket", answer_to_get(2, "6")});
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{"send 7: 2"});
    CHECK(s.websocket(7, "6").empty());
}

TEST_CASE("the heartbeat goes on through the upgrade", "[server_session]") {
    auto s = polling();
    CHECK(s.at(25'000).empty()); // the ping waits for a GET
    s.offer_websocket(7);
    s.websocket(7, "2probe");
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket", "send 7: 2"});
    CHECK(s.at(44'999).empty());
    CHECK(s.at(45'000) == lines{"closed: ping timeout", "close 7"});
}

TEST_CASE("POSTs during the upgrade are delivered", "[server_session]") {
    auto s = probed();
    CHECK(s.post(2, "4a|4b") == lines{"message a", "message b", ok(2)});
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket"});
}

TEST_CASE("a candidate that sends anything else is closed and the session stays on polling", "[server_session]") {
    for (char const* first : {"2", "2prob", "2probe!", "3probe", "4hi", "6", "0", "1", "", "x"}) {
        INFO(first);
        auto s = polling();
        s.offer_websocket(7);
        CHECK(s.websocket(7, first) == lines{"upgrade failed", "close 7"});
        CHECK(s.session.is_open());
        CHECK(s.session.transport() == transport::polling);
        CHECK(s.session.takes_upgrade()); // another may try
    }
    for (char const* second : {"2", "3probe", "4hi", "6", "0", "1", "", "x"}) {
        INFO(second);
        auto s = probed();
        CHECK(s.websocket(7, second) == lines{"upgrade failed", "close 7"});
        CHECK(s.get(2).empty());
        CHECK(s.at(1'000).empty()); // no more noops
        CHECK(s.send("a") == lines{answer_to_get(2, "4a")});
    }
}

TEST_CASE("a candidate that closes leaves the session on polling", "[server_session]") {
    auto s = polling();
    s.offer_websocket(7);
    CHECK(s.cut(7) == lines{"upgrade failed"});
    s.offer_websocket(8);
    s.websocket(8, "2probe");
    s.get(2);
    CHECK(s.cut(8) == lines{"upgrade failed"});
    CHECK(s.at(20'000).empty());
    CHECK(s.send("a") == lines{answer_to_get(2, "4a")});
}

TEST_CASE("a candidate that takes longer than upgrade_timeout is closed", "[server_session]") {
    auto s = polling();
    s.at(1'000);
    s.offer_websocket(7);
    CHECK(s.at(10'999).empty());
    CHECK(s.at(11'000) == lines{"upgrade failed", "close 7"});

    s.offer_websocket(8);
    s.at(20'000);
    s.websocket(8, "2probe");
    CHECK(s.at(20'999).empty());
    CHECK(s.at(21'000) == lines{"upgrade failed", "close 8"}); // counted from the start
    CHECK(s.session.is_open());
}

TEST_CASE("a second candidate, and one for an upgraded session, is closed", "[server_session]") {
    auto s = probed();
    CHECK(s.offer_websocket(8) == lines{"refused 8"});
    CHECK(s.websocket(7, "5") == lines{"upgraded to websocket"});
    CHECK(s.offer_websocket(9) == lines{"refused 9"});
    CHECK(websocket().offer_websocket(8) == lines{"refused 8"});
}

TEST_CASE("no candidate is taken where upgrades are not allowed", "[server_session]") {
    engineio::server_options options;
    options.allow_upgrades = false;
    CHECK(polling(options).offer_websocket(7) == lines{"refused 7"});
}

TEST_CASE("an upgrade to a stream goes the same way", "[server_session]") {
    auto s = polling(with_streams());
    CHECK(s.offer_stream(7).empty());
    CHECK(s.stream(7, stream_frame("2probe").substr(0, 3)).empty());
    CHECK(s.stream(7, stream_frame("2probe").substr(3)) ==
          lines{"upgrading to webtransport", "send 7: " + stream_frame("3probe")});
    s.send("a");
    CHECK(s.stream(7, stream_frame("5") + stream_frame("4b") + stream_frame("\x01", frame_kind::binary)) ==
          lines{"upgraded to webtransport", "message b", "message <01>", "send 7: " + stream_frame("4a")});
    CHECK(s.session.transport() == transport::webtransport);
}

TEST_CASE("probe, upgrade and messages may come in one chunk", "[server_session]") {
    auto s = polling(with_streams());
    s.offer_stream(7);
    CHECK(s.stream(7, stream_frame("2probe") + stream_frame("5") + stream_frame("4a")) ==
          lines{"upgrading to webtransport", "upgraded to webtransport", "message a"});
    CHECK(s.session.transport() == transport::webtransport);
}

//=== closing ===//

TEST_CASE("close by WebSocket: what is queued goes first, a close packet is not sent, the channel is closed",
          "[server_session]") {
    auto s = websocket();
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
    auto s = websocket();
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
    auto w = websocket();
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

//=== queues and pauses ===//

TEST_CASE("more than max_queued bytes queued close the session", "[server_session]") {
    engineio::server_options options;
    options.max_queued = 10;
    auto s = polling(options);
    CHECK(s.send("four").empty());
    CHECK(s.send("five").empty());
    CHECK(s.session.send(text("x")) == error{errc::queue_overflow});
    CHECK(s.drain() == lines{"closed: queue overflow"});
    CHECK(s.session.send(text("x")) == error{errc::not_open});
    CHECK(s.session.queued() == 0);
}

TEST_CASE("a message larger than all that may be queued is an error that ends nothing", "[server_session]") {
    engineio::server_options options;
    options.max_queued = 10;
    for (bool const over_polling : {true, false}) {
        driver s(options);
        over_polling ? s.open_polling(1) : s.open_websocket(7);
        CHECK(s.session.send(text("0123456789")) == error{errc::message_too_large, 10});
        CHECK(s.session.send(binary("0123456789")) == error{errc::message_too_large, 10});
        CHECK(s.session.send(shared_message(text("0123456789"))) == error{errc::message_too_large, 10});
        CHECK(s.drain().empty());
        CHECK(s.session.is_open());
        CHECK(s.session.send(shared_message(text("012345678"))).has_value());
    }
}

TEST_CASE("a body of as many packets as its bytes allow is read, as it is written", "[server_session]") {
    auto s = polling();
    for (int i = 0; i != 100'000; ++i) REQUIRE(s.session.send(text("")).has_value());
    std::string const answer = s.get(2).at(0);
    CHECK(std::ranges::count(answer, '|') == 99'999);
    auto const read = s.post(3, answer.substr(answer.find('4')));
    CHECK(std::ranges::count(read, "message ") == 100'000);
    CHECK(s.session.is_open());
}

TEST_CASE("nothing is sent on a channel that is paused", "[server_session]") {
    auto s = websocket();
    CHECK(s.session.writable());
    s.session.pause(7);
    CHECK_FALSE(s.session.writable());
    CHECK(s.send("a").empty());
    CHECK(s.at(25'000).empty()); // not even a ping
    CHECK(s.websocket(7, "4b") == lines{"message b"});
    CHECK(s.after([&] { s.session.resume(7); }) == lines{"send 7: 2", "send 7: 4a"});
    s.session.pause(99); // nobody's
}

TEST_CASE("volatile messages are dropped when they would have to wait", "[server_session]") {
    auto s = websocket();
    CHECK(s.session.send_volatile(text("a")).has_value());
    CHECK(s.session.send_volatile(text("b")) == error{errc::would_wait}); // the first has not gone yet
    CHECK(s.drain() == lines{"send 7: 4a"});
    s.session.pause(7);
    CHECK(s.session.send_volatile(text("c")) == error{errc::would_wait});
    CHECK(s.after([&] { s.session.resume(7); }).empty());
    CHECK(s.session.send_volatile(shared_message(text("d"))).has_value());
    CHECK(s.drain() == lines{"send 7: 4d"});

    auto p = polling();
    CHECK_FALSE(p.session.writable());
    CHECK(p.session.send_volatile(text("a")) == error{errc::would_wait});
    p.get(2);
    CHECK(p.session.writable());
    CHECK(p.session.send_volatile(text("b")).has_value());
    CHECK(p.drain() == lines{answer_to_get(2, "4b")});
}

TEST_CASE("a message that its transport cannot carry is refused and nothing else happens", "[server_session]") {
    auto s = polling();
    CHECK(s.session.send(text("a\x1e")) == error{errc::separator_in_text, 1});
    CHECK(s.session.send(text("a\xff")) == error{errc::invalid_utf8, 1});
    CHECK(s.session.send(binary("a\x1e\xff")).has_value());
    CHECK(s.session.is_open());
    auto w = websocket();
    CHECK(w.send("a\x1e") == lines{"send 7: 4a|"});
    CHECK(w.session.send(text("\xff")) == error{errc::invalid_utf8, 0});
}

TEST_CASE("a shared message with a record separator is refused over polling, and goes over a WebSocket",
          "[server_session]") {
    shared_message const message(text("a\x1e"));
    auto s = polling();
    CHECK(s.session.send(message) == error{errc::separator_in_text, 0});
    auto w = websocket();
    CHECK(w.after([&] { REQUIRE(w.session.send(message).has_value()); }) == lines{"send 7: 4a|"});
}

TEST_CASE("a message for many sessions is handed out without a copy", "[server_session]") {
    for (auto const kind : {frame_kind::text, frame_kind::binary}) {
        shared_message const message({kind, "to all of you"});
        char const* sent_from = nullptr;
        for (int i = 0; i != 3; ++i) {
            auto s = websocket();
            CHECK(s.after([&] { REQUIRE(s.session.send(message).has_value()); }).size() == 1);
            CHECK((sent_from == nullptr || s.sent_from == sent_from));
            sent_from = s.sent_from;
        }
        CHECK(sent_from == message.wire().data() + (kind == frame_kind::binary ? 1 : 0));
    }
}

//=== hostile peers ===//

TEST_CASE("CVE-2020-36048: a body of very many packets is decoded one by one, up to a limit",
          "[server_session][hostile]") {
    std::string body;
    for (int i = 0; i != 500'000; ++i) body += i == 0 ? "4" : "|4";
    engineio::server_options options;
    options.limits.max_packets = 1'000;
    auto s = polling(options);
    auto const said = s.post(2, body);
    CHECK(said.size() == 1'000 + 2);
    CHECK(said[999] == "message ");
    CHECK(said[1'000] == "closed: parse error");
    CHECK(said[1'001] == ok(2));
    CHECK(s.session.queued() == 0);
}

TEST_CASE("CVE-2026-48802: unasked pongs start no work and keep nothing", "[server_session][hostile]") {
    auto s = websocket();
    auto const due = s.session.poll_timeout();
    for (int i = 0; i != 10'000; ++i) REQUIRE(s.websocket(7, "3").empty());
    CHECK(s.session.poll_timeout() == due);
    CHECK(s.at(25'000) == lines{"send 7: 2"});
}

TEST_CASE("CVE-2022-21676, CVE-2022-41940: a WebSocket that dies at once ends the session or leaves it, once",
          "[server_session][hostile]") {
    SECTION("right after the handshake") {
        driver s;
        s.open_websocket(7);
        CHECK(s.cut(7) == lines{"closed: transport close"});
    }
    SECTION("before anything was taken from the session") {
        driver s;
        s.session.open_websocket(7, s.now);
        s.session.channel_closed(7, s.now);
        CHECK(s.drain() == lines{"opened websocket", "closed: transport close"});
    }
    SECTION("as a candidate, before and after the probe") {
        auto s = polling();
        s.offer_websocket(7);
        CHECK(s.cut(7) == lines{"upgrade failed"});
        s.offer_websocket(8);
        s.websocket(8, "2probe");
        CHECK(s.cut(8) == lines{"upgrade failed"});
        CHECK(s.session.is_open());
    }
    SECTION("as a candidate, with its probe not yet read") {
        auto s = polling();
        s.offer_websocket(7);
        s.session.websocket_received(7, text("2probe"), s.now);
        s.channels.erase(7);
        s.session.channel_closed(7, s.now);
        CHECK(s.drain() == lines{"upgrading to websocket", "upgrade failed"});
    }
    SECTION("right after it has become the transport") {
        auto s = probed();
        s.get(2);
        s.session.websocket_received(7, text("5"), s.now);
        while (s.session.poll_event()) {
        }
        s.channels.erase(7);
        s.session.channel_closed(7, s.now);
        CHECK(s.drain() == lines{"closed: transport close", answer_to_get(2, "6")});
    }
    SECTION("while the session is closing, and after its end") {
        auto s = websocket();
        s.session.pause(7);
        s.send("a");
        s.close();
        CHECK(s.cut(7) == lines{"closed: forced close"});
        CHECK(s.cut(7).empty());
    }
}

TEST_CASE("2014: each 2probe is answered, and all of them keep one timer", "[server_session][hostile]") {
    auto s = probed();
    for (int i = 0; i != 1'000; ++i) REQUIRE(s.websocket(7, "2probe") == lines{"send 7: 3probe"});
    s.get(2);
    CHECK(s.at(100) == lines{answer_to_get(2, "6")});
    CHECK(s.at(9'999).empty());
    CHECK(s.at(10'000) == lines{"upgrade failed", "close 7"}); // the first one's time
}

TEST_CASE("leaks at close: in every state all exchanges are answered and all channels closed",
          "[server_session][hostile]") {
    using state = std::pair<char const*, driver (*)()>;
    state const states[] = {
        {"polling", [] { return polling(); }},
        {"polling, GET pending",
         [] {
             auto s = polling();
             s.get(2);
             return s;
         }},
        {"polling, queued",
         [] {
             auto s = polling();
             s.send("a");
             return s;
         }},
        {"polling, ping queued",
         [] {
             auto s = polling();
             s.at(25'000);
             return s;
         }},
        {"candidate",
         [] {
             auto s = polling();
             s.offer_websocket(7);
             return s;
         }},
        {"probed", [] { return probed(); }},
        {"probed, GET pending",
         [] {
             auto s = probed();
             s.get(2);
             return s;
         }},
        {"candidate stream, half a frame",
         [] {
             auto s = polling(with_streams());
             s.offer_stream(7);
             s.stream(7, "\x06"
                         "2pr");
             return s;
         }},
        {"upgraded",
         [] {
             auto s = probed();
             s.websocket(7, "5");
             return s;
         }},
        {"websocket", [] { return websocket(); }},
        {"websocket, paused, queued",
         [] {
             auto s = websocket();
             s.session.pause(7);
             s.send("a");
             return s;
         }},
        {"stream, half a frame",
         [] {
             driver s(with_streams());
             s.open_stream(7);
             s.stream(7, "\x7e");
             return s;
         }},
        {"closing",
         [] {
             auto s = polling();
             s.send("a");
             s.close();
             return s;
         }},
    };
    using end = std::pair<char const*, lines (*)(driver&)>;
    end const ends[] = {
        {"close",
         [](driver& s) {
             auto all = s.close();
             for (auto const& l : s.at(1'000'000)) all.push_back(l);
             return all;
         }},
        {"abort", [](driver& s) { return s.after([&] { s.session.abort(); }); }},
        {"silence", [](driver& s) { return s.at(1'000'000); }},
        {"overflow",
         [](driver& s) {
             std::string const big(17 * 1024 * 1024, 'x');
             return s.after([&] {
                 s.session.send(text(big)).ignore();
                 s.session.abort();
             });
         }},
    };
    for (auto const& [in, make] : states)
        for (auto const& [how, finish] : ends) {
            INFO(in << ", " << how);
            auto s = make();
            auto const said = finish(s);
            CHECK(std::ranges::count_if(said, [](auto const& l) { return l.starts_with("closed: "); }) == 1);
            CHECK(s.exchanges.empty());
            CHECK(s.channels.empty());
            CHECK(s.session.is_done());
            CHECK(s.session.queued() == 0);
            CHECK_FALSE(s.session.poll_timeout().has_value());
            CHECK(s.cut(7).empty());
        }
}

TEST_CASE("slow or silent peers: one that never polls is closed by its heartbeat, or sooner by its queue",
          "[server_session][hostile]") {
    auto s = polling();
    CHECK(s.at(44'999).empty());
    CHECK(s.at(45'000) == lines{"closed: ping timeout"});

    engineio::server_options options;
    options.max_queued = 1'000;
    auto reader_of_nothing = websocket(options);
    reader_of_nothing.session.pause(7);
    int sent = 0;
    while (reader_of_nothing.session.send(text("0123456789"))) ++sent;
    CHECK(sent == 90);
    CHECK(reader_of_nothing.drain() == lines{"closed: queue overflow", "close 7"});
}

TEST_CASE("slow or silent peers: a stream that sends a byte at a time gets as far as any other",
          "[server_session][hostile]") {
    driver s(with_streams());
    s.open_stream(7);
    lines said;
    for (char const c : stream_frame("4slow")) {
        auto const more = s.stream(7, std::string(1, c));
        said.insert(said.end(), more.begin(), more.end());
    }
    CHECK(said == lines{"message slow"});
}

} // namespace engineio_server_session_test
