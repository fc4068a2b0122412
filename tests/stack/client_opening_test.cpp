// When a whole client opens and closes its connection, and what its options change.

#include "drivers/whole_client.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_client_opening_test {

using namespace socketless;
using namespace support::whole_client;
using namespace std::chrono_literals;
using engineio::transport;
using support::lines;

//=== opening and closing ===//

TEST_CASE("joining a namespace opens the connection, and the last one that is left closes it", "[client]") {
    driver c;
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
    auto const root = c.connect();
    auto const admin = c.connect("/admin");
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK_FALSE(c.client.is_idle());
    CHECK_FALSE(c.client.is_open());
    CHECK(c.handshaken(1) == lines{"opened", "send 1: 40", "send 1: 40/admin,"});
    CHECK(c.client.is_open());
    CHECK(c.websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    CHECK(c.websocket(1, R"(40/admin,{"sid":"def"})") == lines{"connected /admin def"});
    CHECK(c.client.sid(admin) == "def");
    CHECK(c.client.nsp(admin) == "/admin");
    CHECK(c.disconnect(root) == lines{"disconnected /: io client disconnect", "send 1: 41"});
    CHECK(c.client.is_open());
    CHECK(c.disconnect(admin) ==
          lines{"disconnected /admin: io client disconnect", "send 1: 41/admin,", "close 1", "closed: forced close"});
    CHECK(c.client.is_idle());
    CHECK(c.due() == std::nullopt);
}

TEST_CASE("without auto_connect the connection is opened by open", "[client]") {
    auto options = over_websocket();
    options.auto_connect = false;
    driver c(options);
    auto const socket = c.connect();
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
    CHECK(c.client.open());
    CHECK(c.client.open()); // once
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.client.open());
    CHECK(c.handshaken(1) == lines{"opened", "send 1: 40"});
    CHECK(c.client.open());
    CHECK(c.drain().empty());
    c.client.close();
    c.drain();
    CHECK(c.client.is_idle());
    c.disconnect(socket);
    c.connect();
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
}

TEST_CASE("a client moves with its connection and its sockets", "[client]") {
    driver c;
    auto const socket = c.connect();
    c.drain();
    c.handshaken(1);
    client moved = std::move(c.client);
    c.client = std::move(moved);
    CHECK(c.client.is_open());
    CHECK(c.websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    CHECK(c.client.sid(socket) == "abc");
}

TEST_CASE("open needs no namespace: one that is joined later uses the connection", "[client]") {
    driver c;
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.handshaken(1) == lines{"opened"});
    CHECK(c.pass(10s).empty());
    c.connect("/later");
    CHECK(c.drain() == lines{"send 1: 40/later,"});
}

TEST_CASE("close leaves all namespaces, sends what is queued and closes: no other attempt is made", "[client]") {
    connected_driver c;
    c.connect("/waiting");
    c.drain();
    CHECK(c.client.emit(c.socket, "last").has_value());
    c.client.close();
    CHECK(c.drain() == lines{"disconnected /: io client disconnect", R"(send 1: 42["last"])", "send 1: 41", "close 1",
                             "closed: forced close"});
    CHECK(c.client.is_idle());
    CHECK(c.pass(60s).empty());
    c.client.close();
    CHECK(c.drain().empty());
}

TEST_CASE("the last namespace that is left before the server has answered closes the connection", "[client]") {
    driver c;
    auto const socket = c.connect();
    c.drain();
    c.handshaken(1);
    CHECK(c.disconnect(socket) == lines{"close 1", "closed: forced close"});
    CHECK(c.client.is_idle());
}

TEST_CASE("close while opening gives up: while waiting no attempt follows", "[client]") {
    driver c;
    c.connect();
    c.drain();
    c.client.close();
    CHECK(c.drain() == lines{"closed: forced close", "close 1"});
    CHECK(c.client.is_idle());
    c.connect();
    CHECK(c.drain() == lines{"open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error"});
    CHECK(c.due() == 1s);
    c.client.close();
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
    CHECK(c.due() == std::nullopt);
}

TEST_CASE("a client that is closed can be used again", "[client]") {
    connected_driver c;
    for (std::uint64_t channel = 2; channel != 5; ++channel) {
        c.client.close();
        CHECK(c.drain().back() == "closed: forced close");
        c.connect();
        CHECK(c.drain() == lines{"open websocket " + std::to_string(channel)});
        CHECK(c.handshaken(channel) == lines{"opened", "send " + std::to_string(channel) + ": 40"});
        CHECK(c.websocket(channel, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    }
}

TEST_CASE("a server that refuses the only namespace, or disconnects it, finds the connection closed, for good",
          "[client]") {
    driver c;
    c.connect("/admin");
    c.drain();
    c.handshaken(1);
    CHECK(c.websocket(1, R"(44/admin,{"message":"not authorized","data":{"code":401}})") ==
          lines{R"(connect_error /admin "not authorized" {"code":401})", "close 1", "closed: forced close"});
    CHECK(c.pass(60s).empty());
    CHECK(c.client.is_idle());

    connected_driver d;
    CHECK(d.websocket(1, "41") == lines{"disconnected /: io server disconnect", "close 1", "closed: forced close"});
    CHECK(d.pass(60s).empty());
    CHECK(d.client.is_idle());
}

TEST_CASE("a server that disconnects one of two namespaces is left with the other", "[client]") {
    connected_driver c;
    c.connect("/admin");
    c.drain();
    c.websocket(1, R"(40/admin,{"sid":"def"})");
    CHECK(c.websocket(1, "41/admin,") == lines{"disconnected /admin: io server disconnect"});
    CHECK(c.client.is_open());
    c.cut(1);
    CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"}); // only what is wanted
}

//=== options ===//

TEST_CASE("the options are those of the transport and of the sockets", "[client]") {
    auto options = over_polling();
    options.path = "/my/";
    options.query = {{"token", "a b"}};
    options.timestamp_param = "now";
    options.timeout = 3s;
    driver c(options);
    c.connect();
    c.drain();
    CHECK(c.targets[1].starts_with("/my/?token=a%20b&EIO=4&transport=polling&now="));
    CHECK(c.due() == 3s);
    CHECK(c.client.options().path == "/my/");

    client_options const defaults;
    CHECK(defaults.path == "/socket.io/");
    driver d(defaults);
    d.connect();
    CHECK(d.drain() == lines{"get 1"});
    CHECK(d.due() == 20s);
}

TEST_CASE("EIO=3 goes with revision 4: the root is joined unasked, the client pings", "[client]") {
    auto options = over_polling();
    options.revision = engineio::revision::v3;
    options.force_base64 = true;
    driver c(options);
    auto const socket = c.connect();
    c.connect("/admin?token=1");
    c.drain();
    CHECK(c.targets[1].find("EIO=3&transport=polling") != std::string::npos);
    CHECK(c.targets[1].ends_with("&b64=1"));
    std::string const open = R"(0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000})";
    CHECK(c.answer(1, std::to_string(open.size()) + ":" + open + "2:40") ==
          lines{"opened", "connected /", "post 2: 17:40/admin?token=1,", "get 3"});
    CHECK(c.answer(2, "ok").empty());
    constexpr std::byte bytes[] = {std::byte{1}};
    CHECK(c.emit(socket, "x", bytes) == lines{R"(post 4: 39:451-["x",{"_placeholder":true,"num":0}]6:b4AQ==)"});
    CHECK(c.answer(4, "ok").empty());
    CHECK(c.pass(25s) == lines{"post 5: 1:2"});
}

TEST_CASE("transports can be tried one after the other, and the upgrade be remembered", "[client]") {
    auto options = over({transport::polling, transport::websocket});
    options.try_all_transports = true;
    driver c(options);
    c.connect();
    CHECK(c.drain() == lines{"get 1"});
    CHECK(c.fail(1) == lines{"open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened", "send 2: 40"});
    CHECK(c.client.transport() == transport::websocket);

    options.try_all_transports = false;
    options.remember_upgrade = true;
    driver d(options);
    d.connect();
    CHECK(d.drain() == lines{"get 1"});
    CHECK(d.answer(1, R"(0{"sid":"engine","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})") ==
          lines{"opened", "open websocket 2", "post 3: 40", "get 4"});
    d.answer(3, "ok");
    CHECK(d.channel_opened(2) == lines{"send 2: 2probe"});
    CHECK(d.websocket(2, "3probe").empty());
    CHECK(d.answer(4, "6") == lines{"send 2: 5", "upgraded"});
    CHECK(d.cut(2) == lines{"closed: transport close"});
    CHECK(d.pass(1s) == lines{"reconnecting 1", "open websocket 5"});
}

TEST_CASE("upgrade can be turned off", "[client]") {
    client_options options;
    options.upgrade = false;
    driver c(options);
    c.connect();
    c.drain();
    CHECK(c.answer(1, R"(0{"sid":"engine","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})") ==
          lines{"opened", "post 2: 40", "get 3"});
}

TEST_CASE("acknowledgements time out after ack_timeout, and events are sent again with retries", "[client]") {
    auto options = over_websocket();
    options.ack_timeout = 2s;
    connected_driver c(options);
    CHECK(c.client.emit_with_ack(c.socket, std::nullopt, "a") == 1u);
    CHECK(c.drain() == lines{R"(send 1: 421["a"])"});
    CHECK(c.pass(2s) == lines{"ack 1 timed out"});

    options.retries = 1;
    connected_driver again(options);
    CHECK(again.emit(again.socket, "a") == lines{R"(send 1: 421["a"])"});
    CHECK(again.emit(again.socket, "b").empty());
    CHECK(again.pass(2s) == lines{R"(send 1: 422["a"])"});
    CHECK(again.websocket(1, "432[]") == lines{R"(send 1: 423["b"])"});
}

TEST_CASE("what waits has limits: for sockets to connect, and for the transport", "[client]") {
    auto options = over_websocket();
    options.max_buffered = 2'000;
    options.max_queued = 3'000;
    std::string const kilobyte(1'000, 'x');
    connected_driver c(options);
    c.client.pause(1);
    CHECK(c.client.emit(c.socket, "a", kilobyte).has_value());
    CHECK(c.client.emit(c.socket, "a", kilobyte).has_value());
    CHECK(c.client.queued() > 2'000);
    CHECK(c.client.emit(c.socket, "a", std::string(3'000, 'x')) == error{errc::message_too_large});
    CHECK(c.client.emit(c.socket, "a", as_bytes(std::string_view(kilobyte)), std::vector<byte_view>(10)) ==
          error{errc::too_many_attachments});
    CHECK(c.client.emit(c.socket, "a", kilobyte) == error{errc::queue_overflow});
    CHECK(c.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close 1"});
    CHECK(c.client.emit(c.socket, "a", kilobyte).has_value());
    CHECK(c.client.emit(c.socket, "a", kilobyte) == error{errc::buffer_full});
    CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
}

TEST_CASE("an event that overflows the queue says so, whichever of its messages does", "[client]") {
    for (std::size_t const size : {100u, 400u, 440u}) {
        INFO(size);
        auto options = over_polling();
        options.max_queued = 1'000;
        driver c(options);
        auto const socket = c.connect();
        c.drain();
        c.answer(1, handshake);
        c.answer(2, "ok");
        c.answer(3, R"(40{"sid":"abc"})");
        REQUIRE(c.client.is_connected(socket));
        CHECK(c.client.emit(socket, "a", std::string(600, 'x')).has_value());
        std::string const bytes(size, 'x');
        auto const sent = c.client.emit(socket, "b", as_bytes(bytes), as_bytes(bytes));
        CHECK((size == 100 ? sent.has_value() : sent == error{errc::queue_overflow}));
    }
}

TEST_CASE("whatever the buffer has taken goes out once the socket is connected", "[client]") {
    auto const is_binary = GENERATE(false, true);
    auto const size = GENERATE(std::size_t{1}, std::size_t{100}, std::size_t{3'000});
    auto const max_buffered = GENERATE(std::size_t{20'000}, std::size_t{40'000});
    CAPTURE(is_binary, size, max_buffered);
    std::string const value(size, 'x');
    auto options = over_websocket();
    options.max_buffered = max_buffered;
    options.max_queued = 20'000;
    driver c(options);
    auto const socket = c.connect();
    std::size_t events = 0;
    while (is_binary ? c.client.emit(socket, "a", as_bytes(std::string_view(value))).has_value()
                     : c.client.emit(socket, "a", value).has_value())
        ++events;
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.handshaken(1) == lines{"opened", "send 1: 40"});
    CHECK(c.websocket(1, R"(40{"sid":"abc"})").size() == 1 + events * (is_binary ? 2 : 1));
    CHECK(c.client.buffered() == 0);
}

TEST_CASE("the limits of decoding are those of the options", "[client]") {
    auto options = over_websocket();
    options.limits.max_attachments = 1;
    connected_driver c(options);
    CHECK(c.websocket(1, R"(452-["a"])") == lines{"disconnected /: parse error", "closed: parse error", "close 1"});
}

} // namespace stack_client_opening_test
