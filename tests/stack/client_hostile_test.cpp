// Servers that break the rules cannot harm a whole client.

#include "drivers/whole_client.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/client.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace stack_client_hostile_test {

using namespace socketless;
using namespace support::whole_client;
using namespace std::chrono_literals;
using support::lines;

TEST_CASE("reference client: crashes on malformed servers: an invalid handshake is an error event",
          "[client][hostile]") {
    for (std::string_view const bad :
         {"0", "0null", R"(0{"sid":"a"})", "0[]", "0{}", "", "1", "2", "3", "44", "42", "430", "40", "6", "x",
          R"(0{"sid":"","upgrades":[],"pingInterval":1,"pingTimeout":1})",
          R"(0{"sid":"a","upgrades":{},"pingInterval":1,"pingTimeout":1})",
          R"(0{"sid":"a","upgrades":[],"pingInterval":-1,"pingTimeout":1})",
          R"(0{"sid":"a","upgrades":[],"pingInterval":"1","pingTimeout":1})"}) {
        INFO(bad);
        driver w;
        w.connect();
        w.drain();
        w.channel_opened(1);
        CHECK(w.websocket(1, bad) == lines{"open_failed: transport error", "close 1"});
        CHECK(w.due() == 1s);
        driver p(over_polling());
        p.connect();
        p.drain();
        CHECK(p.answer(1, bad) == lines{"open_failed: transport error"});
        CHECK(p.due() == 1s);
    }
}

TEST_CASE("reference client: crashes on malformed servers: invalid packets are an error event", "[client][hostile]") {
    struct row {
        std::string_view packet;
        lines told;
    };
    lines const parse_error{"disconnected /: parse error", "closed: parse error", "close 1"};
    lines const transport_error{"disconnected /: transport error", "closed: transport error", "close 1"};
    row const rows[] = {
        {"40null", parse_error},
        {"42", parse_error},
        {"42[]", parse_error},
        {"430", parse_error},
        {"43[]", parse_error},
        {"4", parse_error},
        {"47", parse_error},
        {"450-[\"a\"]", parse_error},
        {handshake, transport_error},
        {"0", transport_error},
        {"0null", transport_error},
        {"x", transport_error},
        {"", transport_error},
        // Harmless where the socket is connected.
        {"40", {}},
        {R"(40{"sid":1})", {}},
        {"44", {}},
        {"43999[]", {}},
        {"3", {}},
        {"5", {}},
        {"6", {}},
    };
    for (auto const& [packet, told] : rows) {
        INFO(packet);
        connected_driver c;
        CHECK(c.websocket(1, packet) == told);
        CHECK(c.client.is_open() == told.empty());
        if (!told.empty()) CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
    }
}

TEST_CASE("reference client: crashes on malformed servers: an invalid answer to CONNECT is an error event",
          "[client][hostile]") {
    std::string const other = R"(connect_error / "the server speaks revision 4 of Socket.IO, this client revision 5")";
    for (std::string_view const bad : {"40", "40{}", R"(40{"sid":1})", "44"}) {
        INFO(bad);
        driver c;
        c.connect();
        c.drain();
        c.handshaken(1);
        CHECK(c.websocket(1, bad) == lines{bad == "44" ? "connect_error /" : other, "close 1", "closed: forced close"});
        CHECK(c.client.is_idle());
    }
    for (std::string_view const bad : {"40null", "40[]", "42", "430"}) {
        INFO(bad);
        driver c;
        c.connect();
        c.drain();
        c.handshaken(1);
        CHECK(c.websocket(1, bad) == lines{"closed: parse error", "close 1"});
        CHECK(c.due() == 1s);
    }
}

TEST_CASE("reference client: crashes on malformed servers: a pingInterval beyond all timers does not time out at once",
          "[client][hostile]") {
    for (std::string_view const interval : {"99999999999", "1e300", "1e999", "9007199254740993"}) {
        INFO(interval);
        driver c;
        c.connect();
        c.drain();
        c.channel_opened(1);
        CHECK(c.websocket(1, R"(0{"sid":"a","upgrades":[],"pingInterval":)" + std::string(interval) +
                                 R"(,"pingTimeout":20000})") == lines{"opened", "send 1: 40"});
        CHECK(c.pass(240h).empty());
        CHECK(c.client.is_open());
    }
}

TEST_CASE("every prefix and every one-byte change of what a server says is taken or refused", "[client][hostile]") {
    std::string_view const said[] = {handshake,
                                     R"(40{"sid":"abc","pid":"p"})",
                                     R"(42["news",{"a":1},"o"])",
                                     "431[1]",
                                     R"(451-["a",{"_placeholder":true,"num":0}])",
                                     "2",
                                     "41"};
    for (std::size_t wrong = 0; wrong != std::size(said); ++wrong) {
        auto const feed = [&](std::string_view message) {
            driver c;
            auto const socket = c.connect();
            CHECK(c.client.emit_with_ack(socket, 60s, "ask") == 1u);
            c.drain();
            c.channel_opened(1);
            for (std::size_t i = 0; i != std::size(said); ++i) {
                c.websocket(1, i == wrong ? message : said[i]);
                if (i == 4) c.websocket(1, support::binary("\x01"));
            }
            c.client.close();
            c.drain();
            CHECK(c.client.is_idle());
        };
        support::for_each_prefix(said[wrong], feed);
        support::for_each_changed_byte(said[wrong], feed);
    }
}

} // namespace stack_client_hostile_test
