#include "drivers/engineio_server_session.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/server_session.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace engineio_server_session_hostile_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server_session;
using support::lines;
using support::stream_frame;
using support::text;

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
    auto s = over_websocket();
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
        auto s = over_websocket();
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
    CHECK(s.at(10'000) == lines{"upgrade failed", "close 7"}); // the first candidate's time is over
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
        {"websocket", [] { return over_websocket(); }},
        {"websocket, paused, queued",
         [] {
             auto s = over_websocket();
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

TEST_CASE("slow or silent peers: a client that never polls is closed by its heartbeat, or sooner by its queue",
          "[server_session][hostile]") {
    auto s = polling();
    CHECK(s.at(44'999).empty());
    CHECK(s.at(45'000) == lines{"closed: ping timeout"});

    engineio::server_options options;
    options.max_queued = 1'000;
    auto reader_of_nothing = over_websocket(options);
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

TEST_CASE("a message is there until the next event is asked for, whatever becomes of its channel", "[server_session]") {
    engineio::server_options const options;
    std::string const message = "bAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="; // base64: the session decodes it
    for (bool const is_lost : {true, false}) {
        engineio::server_session s(options, {}, revision::v4);
        std::string buffer;
        s.open_websocket(7, time_point());
        while (s.poll_event()) continue;
        while (s.poll_transmit(buffer)) continue;
        s.websocket_received(7, {frame_kind::text, message}, time_point());
        auto const e = s.poll_event();
        REQUIRE(e.has_value());
        if (is_lost)
            s.channel_closed(7, time_point());
        else
            s.abort();
        std::size_t closes = 0;
        while (auto const t = s.poll_transmit(buffer)) closes += t->type == transmit_type::close ? 1u : 0u;
        CHECK(closes == (is_lost ? 0 : 1));
        CHECK(e->message.data.size() == 32);
        CHECK(e->message.data.back() == ' ');
        CHECK_FALSE(s.is_done());
        auto const end = s.poll_event();
        CHECK((end && end->type == event_type::closed));
        CHECK(s.is_done());
    }
}

} // namespace engineio_server_session_hostile_test
