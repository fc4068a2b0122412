#include "drivers/engineio_server_session.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/server_session.hpp>

#include <chrono>
#include <cstdint>

namespace engineio_server_session_upgrade_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server_session;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::stream_frame;

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
    CHECK(over_websocket().offer_websocket(8) == lines{"refused 8"});
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

} // namespace engineio_server_session_upgrade_test
