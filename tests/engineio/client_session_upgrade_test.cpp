#include "drivers/engineio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/client_session.hpp>

namespace engineio_client_session_upgrade_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_client;
using support::lines;
using support::stream_frame;

TEST_CASE("the client opens a candidate when the server offers one, and probes it", "[client_session]") {
    driver c;
    c.open();
    CHECK(c.answer(1, open_packet()) == lines{"opened polling", "open websocket 2", "get 3"});
    CHECK(c.channel_opened(2) == lines{"send 2: 2probe"});
    CHECK(c.session.transport() == transport::polling);
}

TEST_CASE("no upgrade unless it is offered, allowed and known", "[client_session]") {
    for (char const* offered : {"", R"("webtransport")", R"("carrier pigeon")"}) {
        driver c(only({transport::polling, transport::websocket}));
        c.open();
        CHECK(c.answer(1, open_packet(offered)) == lines{"opened polling", "get 2"});
    }
    engineio::client_options options;
    options.upgrade = false;
    driver c(options);
    c.open();
    CHECK(c.answer(1, open_packet()) == lines{"opened polling", "get 2"});
    over_websocket(); // nothing better
}

TEST_CASE("after 3probe the client stops writing, lets the poll in flight return, sends 5, switches and flushes",
          "[client_session]") {
    auto c = probing();
    CHECK(c.websocket(2, "3probe") == lines{"upgrading to websocket"});
    CHECK(c.send("a").empty());
    CHECK_FALSE(c.session.writable());
    CHECK(c.answer(3, "4b|6") == lines{"message b", "send 2: 5", "upgraded to websocket", "send 2: 4a"});
    CHECK(c.session.transport() == transport::websocket);
    CHECK(c.exchanges.empty());
    CHECK(c.websocket(2, "4c") == lines{"message c"});
    CHECK(c.send("d") == lines{"send 2: 4d"});
}

TEST_CASE("a POST in flight finishes before 5", "[client_session]") {
    auto c = probing();
    CHECK(c.send("a") == lines{"post 4: 4a"});
    CHECK(c.send("b").empty());
    c.websocket(2, "3probe");
    CHECK(c.answer(3, "6").empty());
    CHECK(c.answer(4, "ok") == lines{"send 2: 5", "upgraded to websocket", "send 2: 4b"});

    auto other = probing();
    other.send("a");
    other.websocket(2, "3probe");
    CHECK(other.answer(4, "ok").empty());
    CHECK(other.answer(3, "6") == lines{"send 2: 5", "upgraded to websocket"});
}

TEST_CASE("messages go by long-polling until the probe is answered", "[client_session]") {
    auto c = probing();
    CHECK(c.send("a") == lines{"post 4: 4a"});
    CHECK(c.answer(3, "4b") == lines{"message b", "get 5"});
    CHECK(c.answer(4, "ok").empty());
}

TEST_CASE("a pong that is due while the session moves goes over the new transport", "[client_session]") {
    auto c = probing();
    c.websocket(2, "3probe");
    CHECK(c.answer(3, "2") == lines{"send 2: 5", "upgraded to websocket", "send 2: 3"});
}

TEST_CASE("a candidate that fails is forgotten, polling goes on", "[client_session]") {
    SECTION("it does not open") {
        driver c;
        c.open();
        c.answer(1, open_packet());
        CHECK(c.cut(2) == lines{"upgrade failed"});
        CHECK(c.answer(3, "4a") == lines{"message a", "get 4"});
    }
    SECTION("it answers the probe with something else") {
        for (char const* answer : {"3", "3prob", "2probe", "4hi", "5", "6", "1", "0", "", "x"}) {
            auto c = probing();
            CHECK(c.websocket(2, answer) == lines{"upgrade failed", "close 2"});
            CHECK(c.answer(3, "4a") == lines{"message a", "get 4"});
        }
    }
    SECTION("it takes too long") {
        auto c = probing();
        CHECK(c.at(9'999).empty());
        CHECK(c.at(10'000) == lines{"upgrade failed", "close 2"});
        CHECK(c.answer(3, "4a") == lines{"message a", "get 4"});
    }
    SECTION("it is gone while polling pauses for it") {
        auto c = probing();
        c.websocket(2, "3probe");
        c.send("a");
        CHECK(c.cut(2) == lines{"upgrade failed", "post 4: 4a"});
        CHECK(c.answer(3, "6") == lines{"get 5"});
        auto later = probing();
        later.websocket(2, "3probe");
        later.send("a");
        later.answer(3, "6");
        CHECK(later.session.transport() == transport::websocket); // moved: from here its end is the session's
        CHECK(later.cut(2) == lines{"closed: transport close"});
    }
    SECTION("it says more after its answer") {
        auto c = probing();
        c.websocket(2, "3probe");
        CHECK(c.websocket(2, "4early") == lines{"upgrade failed", "close 2"});
    }
    SECTION("polling fails instead: the candidate goes with it") {
        auto c = probing();
        CHECK(c.fail(3) == lines{"closed: transport error", "close 2"});
    }
}

TEST_CASE("an upgrade to a stream says which session it is for", "[client_session]") {
    driver c;
    c.open();
    CHECK(c.answer(1, open_packet(R"("webtransport")")) == lines{"opened polling", "open stream 2", "get 3"});
    CHECK(c.channel_opened(2) ==
          lines{"send 2: " + stream_frame(R"(0{"sid":"abc"})"), "send 2: " + stream_frame("2probe")});
    CHECK(c.stream(2, stream_frame("3probe")) == lines{"upgrading to webtransport"});
    CHECK(c.answer(3, "6") == lines{"send 2: " + stream_frame("5"), "upgraded to webtransport"});
    CHECK(c.stream(2, stream_frame("4a")) == lines{"message a"});
}

} // namespace engineio_client_session_upgrade_test
