#include "drivers/engineio_server_session.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/server_session.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace engineio_server_session_transports_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server_session;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::stream_frame;
using support::text;

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
    auto s = over_websocket();
    CHECK(s.send("hi") == lines{"send 7: 4hi"});
    CHECK(s.send(binary("\x01\x02")) == lines{"send 7: <0102>"});
    CHECK(s.send(binary("")) == lines{"send 7: <>"});
    CHECK(s.drains == 3);
    CHECK(s.websocket(7, "4hello") == lines{"message hello"});
    CHECK(s.websocket(7, binary("\xff")) == lines{"message <ff>"});
    CHECK(s.websocket(7, "bAQID") == lines{"message <010203>"});
}

TEST_CASE("revision 3: binary frames begin with the type", "[server_session]") {
    auto s = over_websocket({}, revision::v3);
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
    auto s = over_websocket();
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
    CHECK(s.drain() == lines{"message a", "closed: transport error", ok(2)}); // the first POST was complete
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

//=== heartbeats ===//

TEST_CASE("v4: a ping every ping_interval after open, by WebSocket", "[server_session]") {
    auto s = over_websocket();
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
    auto s = over_websocket();
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
    auto s = over_websocket();
    CHECK(s.at(10'000).empty());
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{"send 7: 2"}); // the unasked pong does not put it off
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(40'000).empty());
    CHECK(s.websocket(7, "3").empty());
    CHECK(s.at(50'000) == lines{"send 7: 2"});
    CHECK(s.at(70'000) == lines{"closed: ping timeout", "close 7"}); // a pong before the ping does not count
}

TEST_CASE("a ping from a v4 client is a transport error", "[server_session]") {
    auto s = over_websocket();
    CHECK(s.websocket(7, "2") == lines{"closed: transport error", "close 7"});
    auto p = polling();
    p.get(2);
    CHECK(p.post(3, "2|4a") == lines{"closed: transport error", ok(3), answer_to_get(2, "1")});
}

TEST_CASE("a pong from a v3 client is a transport error", "[server_session]") {
    auto s = over_websocket({}, revision::v3);
    CHECK(s.websocket(7, "3") == lines{"closed: transport error", "close 7"});
}

TEST_CASE("v3: the client pings, the server answers", "[server_session]") {
    auto s = over_websocket({}, revision::v3);
    CHECK(s.at(25'000).empty());
    CHECK(s.websocket(7, "2") == lines{"send 7: 3"});
    auto p = polling_v3();
    p.get(2);
    CHECK(p.post(3, "1:2", payload_format::v3_text) == lines{ok(3), answer_to_get(2, "1:3")});
}

TEST_CASE("v3: without a ping the session closes after ping_interval + ping_timeout", "[server_session]") {
    auto s = over_websocket({}, revision::v3);
    CHECK(s.at(44'999).empty());
    CHECK(s.websocket(7, "2") == lines{"send 7: 3"});
    CHECK(s.at(89'998).empty());
    CHECK(s.at(89'999) == lines{"closed: ping timeout", "close 7"});
}

TEST_CASE("a session that is called late pings once and allows the whole ping_timeout from then", "[server_session]") {
    auto s = over_websocket();
    s.now = support::start + 60s;
    CHECK(s.after([&] { s.session.handle_timeout(s.now); }) == lines{"send 7: 2"});
    CHECK(s.at(79'999).empty());
    CHECK(s.at(80'000) == lines{"closed: ping timeout", "close 7"});
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
    auto s = over_websocket();
    CHECK(s.session.writable());
    s.session.pause(7);
    CHECK_FALSE(s.session.writable());
    CHECK(s.send("a").empty());
    CHECK(s.at(25'000).empty()); // not even a ping
    CHECK(s.websocket(7, "4b") == lines{"message b"});
    CHECK(s.after([&] { s.session.resume(7); }) == lines{"send 7: 2", "send 7: 4a"});
    s.session.pause(99); // no such channel
}

TEST_CASE("volatile messages are dropped when they would have to wait", "[server_session]") {
    auto s = over_websocket();
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
    auto w = over_websocket();
    CHECK(w.send("a\x1e") == lines{"send 7: 4a|"});
    CHECK(w.session.send(text("\xff")) == error{errc::invalid_utf8, 0});
}

TEST_CASE("a shared message with a record separator is refused over polling, and goes over a WebSocket",
          "[server_session]") {
    shared_message const message(text("a\x1e"));
    auto s = polling();
    CHECK(s.session.send(message) == error{errc::separator_in_text, 0});
    auto w = over_websocket();
    CHECK(w.after([&] { REQUIRE(w.session.send(message).has_value()); }) == lines{"send 7: 4a|"});
}

TEST_CASE("a message for many sessions is handed out without a copy", "[server_session]") {
    for (auto const kind : {frame_kind::text, frame_kind::binary}) {
        shared_message const message({kind, "to all of you"});
        char const* sent_from = nullptr;
        for (int i = 0; i != 3; ++i) {
            auto s = over_websocket();
            CHECK(s.after([&] { REQUIRE(s.session.send(message).has_value()); }).size() == 1);
            CHECK((sent_from == nullptr || s.sent_from == sent_from));
            sent_from = s.sent_from;
        }
        CHECK(sent_from == message.wire().data() + (kind == frame_kind::binary ? 1 : 0));
    }
}

} // namespace engineio_server_session_transports_test
