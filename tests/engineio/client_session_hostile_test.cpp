#include "drivers/engineio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/client_session.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace engineio_client_session_hostile_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_client;
using support::lines;
using support::text;

TEST_CASE("reference client: a malformed handshake is an error, never a crash", "[client_session][hostile]") {
    for (char const* first : {"0",
                              "0null",
                              "0{\"sid\":1}",
                              "0{\"sid\":\"a\"}",
                              "0{}",
                              "0[]",
                              "0\"x\"",
                              "0{",
                              "44",
                              "42",
                              "430",
                              "1",
                              "2",
                              "3",
                              "5",
                              "6",
                              "",
                              "x",
                              "0{\"sid\":\"a\",\"upgrades\":{},\"pingInterval\":1,\"pingTimeout\":1}",
                              "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":-1,\"pingTimeout\":1}",
                              "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":0,\"pingTimeout\":0}"}) {
        INFO(first);
        driver c(polling_only());
        c.open();
        CHECK(c.answer(1, first) == lines{"closed: transport error"});
        driver w(websocket_only());
        w.open();
        w.channel_opened(1);
        CHECK(w.websocket(1, first) == lines{"closed: transport error", "close 1"});
        CHECK(w.open() == lines{"open websocket 2"}); // it can try again
    }
}

TEST_CASE("reference client: a pingInterval of 99999999999 is clamped and does not time out at once",
          "[client_session][hostile]") {
    driver c(websocket_only());
    c.open();
    c.channel_opened(1);
    CHECK(c.websocket(1, R"(0{"sid":"a","upgrades":[],"pingInterval":99999999999,"pingTimeout":1e300})") ==
          lines{"opened websocket"});
    CHECK(c.session.poll_timeout() == c.now + 2 * longest_ping);
    CHECK(c.at(24LL * 24 * 3600 * 1000).empty());
    CHECK(c.session.is_open());
}

TEST_CASE("CVE-2020-36048: a body of very many packets is read one by one, up to a limit, by a client too",
          "[client_session][hostile]") {
    auto options = polling_only();
    options.limits.max_packets = 1'000;
    auto c = polling(options);
    std::string body;
    for (int i = 0; i != 500'000; ++i) body += i == 0 ? "4" : "|4";
    auto const said = c.answer(2, body);
    CHECK(said.size() == 1'001);
    CHECK(said.back() == "closed: transport error");
}

TEST_CASE("CVE-2026-48802: pings and pongs without end start no work and keep nothing, in a client",
          "[client_session][hostile]") {
    auto c = polling();
    std::string pings = "2";
    for (int i = 0; i != 10'000; ++i) pings += "|2|3";
    CHECK(c.answer(2, pings) == lines{"post 3: 3", "get 4"}); // one pong
    CHECK(c.session.queued() == 0);
}

TEST_CASE("CVE-2022-21676, CVE-2022-41940: a WebSocket that dies at once, in every state of a client",
          "[client_session][hostile]") {
    SECTION("right after the handshake") {
        driver c(websocket_only());
        c.open();
        c.channel_opened(1);
        std::string const packet = open_packet("");
        c.session.websocket_received(1, text(packet), c.now);
        c.channels.erase(1);
        c.session.channel_closed(1, c.now);
        CHECK(c.drain() == lines{"opened websocket", "closed: transport close"});
    }
    SECTION("before it was opened") {
        driver c(websocket_only());
        REQUIRE(c.session.open(c.now));
        c.session.channel_closed(1, c.now);
        CHECK(c.drain() == lines{"closed: transport error"});
    }
    SECTION("when the answer to the probe has come but is not read") {
        auto c = probing();
        c.session.websocket_received(2, text("3probe"), c.now);
        c.channels.erase(2);
        c.session.channel_closed(2, c.now);
        CHECK(c.drain() == lines{"upgrading to websocket", "upgrade failed"});
        CHECK(c.session.is_open());
    }
    SECTION("while closing") {
        auto c = over_websocket();
        c.session.pause(1);
        c.send("a");
        c.close();
        CHECK(c.cut(1) == lines{"closed: forced close"});
    }
}

TEST_CASE("leaks at close: in every state of a client everything under way is ended, once",
          "[client_session][hostile]") {
    using state = std::pair<char const*, driver (*)()>;
    state const states[] = {
        {"opening",
         [] {
             driver c;
             c.open();
             return c;
         }},
        {"opening a WebSocket",
         [] {
             driver c(websocket_only());
             c.open();
             return c;
         }},
        {"WebSocket without handshake",
         [] {
             driver c(websocket_only());
             c.open();
             c.channel_opened(1);
             return c;
         }},
        {"polling", [] { return polling(); }},
        {"polling, POST under way",
         [] {
             auto c = polling();
             c.send("a");
             c.send("b");
             return c;
         }},
        {"candidate",
         [] {
             driver c;
             c.open();
             c.answer(1, open_packet());
             return c;
         }},
        {"probing", [] { return probing(); }},
        {"pausing",
         [] {
             auto c = probing();
             c.send("a");
             c.websocket(2, "3probe");
             return c;
         }},
        {"upgraded",
         [] {
             auto c = probing();
             c.websocket(2, "3probe");
             c.answer(3, "6");
             return c;
         }},
        {"websocket", [] { return over_websocket(); }},
        {"websocket, paused",
         [] {
             auto c = over_websocket();
             c.session.pause(1);
             c.send("a");
             return c;
         }},
        {"stream, half a frame",
         [] {
             driver c(only({transport::webtransport}));
             c.open();
             c.channel_opened(1);
             c.stream(1, "\x7e");
             return c;
         }},
        {"closing",
         [] {
             auto c = polling();
             c.close();
             return c;
         }},
    };
    using end = std::pair<char const*, lines (*)(driver&)>;
    end const ends[] = {
        {"close",
         [](driver& c) {
             auto all = c.close();
             for (auto const& l : c.at(1'000'000)) all.push_back(l);
             return all;
         }},
        {"abort", [](driver& c) { return c.after([&] { c.session.abort(); }); }},
        {"silence", [](driver& c) { return c.at(1'000'000); }},
    };
    for (auto const& [in, make] : states)
        for (auto const& [how, finish] : ends) {
            INFO(in << ", " << how);
            auto c = make();
            auto const said = finish(c);
            CHECK(std::ranges::count_if(said, [](auto const& l) { return l.starts_with("closed: "); }) == 1);
            CHECK(c.exchanges.empty());
            CHECK(c.channels.empty());
            CHECK(c.session.is_closed());
            CHECK(c.session.queued() == 0);
            CHECK_FALSE(c.session.poll_timeout().has_value());
        }
}

TEST_CASE("slow or silent peers: a server that never answers a POST is a ping timeout, or a full queue",
          "[client_session][hostile]") {
    auto options = polling_only();
    options.max_queued = 1'000;
    auto c = polling(options);
    c.send("a");
    int sent = 0;
    while (c.session.send(text("0123456789"), c.now)) ++sent;
    CHECK(sent == 90);
    CHECK(c.drain() == lines{"closed: queue overflow", "abort 2", "abort 3"});
    auto silent = polling();
    silent.send("a");
    CHECK(silent.at(45'000) == lines{"closed: ping timeout", "abort 2", "abort 3"});
}

TEST_CASE("a message is there until the next event is asked for, though its channel is gone", "[client_session]") {
    client_session s({.transports = {transport::websocket}});
    std::string buffer;
    REQUIRE(s.open(time_point()).has_value());
    auto const channel = s.poll_transmit(buffer)->id;
    s.channel_opened(channel, time_point());
    std::string const hello = R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000})";
    s.websocket_received(channel, {frame_kind::text, hello}, time_point());
    while (s.poll_event()) continue;
    std::string const message = "bAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="; // base64: the session decodes it
    s.websocket_received(channel, {frame_kind::text, message}, time_point());
    auto const e = s.poll_event();
    REQUIRE(e.has_value());
    s.channel_closed(channel, time_point());
    CHECK(e->message.data.size() == 32);
    CHECK(e->message.data.back() == ' ');
    auto const end = s.poll_event();
    CHECK((end && end->type == event_type::closed));
}

} // namespace engineio_client_session_hostile_test
