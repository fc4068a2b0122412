#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace stack_server_events_test {

using namespace socketless;
using namespace support::whole_server;
using namespace std::chrono_literals;
using socketio::event_type;
using support::binary;
using support::lines;
using support::operator+;

//=== events ===//

TEST_CASE("events go between a client and its sockets in each namespace", "[whole_server]") {
    wires w;
    w.server.declare("/a");
    auto const root = w.connect(1);
    auto const a = w.join(1, "/a");
    CHECK(w.receive(1, R"(42["x",1])") == lines{R"(0 event / ["x",1])"});
    CHECK(w.receive(1, R"(42/a,["x",2])") == lines{R"(1 event /a ["x",2])"});
    CHECK(w.receive(1, "451-/a,[\"b\"," + std::string(placeholder) + "]").empty());
    CHECK(w.receive(1, binary("\x01\x02")) == lines{"1 event /a [\"b\"," + std::string(placeholder) + "] <0102>"});
    CHECK(w.after([&] { CHECK(w.server.emit(root, "y", 1, "two")); }) == lines{R"(1: 42["y",1,"two"])"});
    CHECK(w.after([&] { CHECK(w.server.emit(a, "y", byte_view(one_two))); }) ==
          lines{"1: 451-/a,[\"y\"," + std::string(placeholder) + "]", "1: <0102>"});
    CHECK(w.after([&] { CHECK(w.server.send(a, "text", 2)); }) == lines{R"(1: 42/a,["message","text",2])"});
}

TEST_CASE("events go over long-polling, attachments as base64 behind their header", "[whole_server]") {
    wires w;
    w.open_polling(1);
    CHECK(w.post(1, 2, "40") == lines{"0 connected /", "answer 2: 200 html ok"});
    CHECK(w.get(1, 3) == lines{R"(answer 3: 200 text 40{"sid":"sid0"})"});
    CHECK(w.post(1, 4, "451-[\"b\"," + std::string(placeholder) + "]|bAQI=|42[\"x\"]") ==
          lines{"0 event / [\"b\"," + std::string(placeholder) + "] <0102>", R"(0 event / ["x"])",
                "answer 4: 200 html ok"});
    CHECK(w.after([&] {
               CHECK(w.server.emit(w.sockets[0], "y", byte_view(one_two)));
               CHECK(w.server.emit(w.sockets[0], "z"));
           }).empty());
    CHECK(w.get(1, 5) == lines{"answer 5: 200 text 451-[\"y\"," + std::string(placeholder) + "]|bAQI=|42[\"z\"]"});
}

TEST_CASE("an event that cannot be sent is refused and nothing follows", "[whole_server]") {
    for (bool const recovers : {false, true}) {
        wires w(recovers ? with_recovery() : server_options());
        auto const s = w.connect(1);
        for (char const* reserved :
             {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
            CHECK(w.server.emit(s, reserved).error().code == errc::reserved_event_name);
            CHECK(w.server.emit_volatile(s, reserved).error().code == errc::reserved_event_name);
            CHECK(w.server.emit_with_ack(s, 1s, reserved).error().code == errc::reserved_event_name);
            CHECK(w.server.in("/").emit(reserved).error().code == errc::reserved_event_name);
            CHECK(w.server.in("/").emit_volatile(reserved).error().code == errc::reserved_event_name);
            CHECK(w.server.in("/").emit_with_ack(1s, reserved).error().code == errc::reserved_event_name);
        }
        CHECK(w.server.emit(s, "x", "\xff").error().code == errc::invalid_utf8);
        CHECK(w.server.in("/").emit("x", "\xff").error().code == errc::invalid_utf8);
        CHECK(w.drain().empty());
        CHECK(w.at(2'000).empty());
    }
}

TEST_CASE("an event that asks is acknowledged once", "[whole_server]") {
    wires w;
    w.server.declare("/a");
    w.connect(1);
    w.join(1, "/a");
    w.receive(1, R"(42/a,7["q"])");
    REQUIRE(w.requests.size() == 1);
    auto& request = w.requests[0];
    CHECK(request.socket() == w.sockets[1]);
    CHECK(w.server.acknowledge(request, "\xff").error().code == errc::invalid_utf8);
    CHECK(w.after([&] { CHECK(w.server.acknowledge(request, byte_view(one_two))); }) ==
          lines{"1: 461-/a,7[" + std::string(placeholder) + "]", "1: <0102>"});
    CHECK(w.server.acknowledge(request) == error{errc::already_acknowledged});
    CHECK(w.drain().empty());
}

TEST_CASE("the right to acknowledge is worth nothing when the socket has gone", "[whole_server]") {
    wires w;
    w.connect(1);
    w.receive(1, R"(427["q"])");
    REQUIRE(w.requests.size() == 1);
    w.cut(1);
    CHECK(w.server.acknowledge(w.requests[0]) == error{errc::not_connected});
    w.connect(1); // takes the same number
    CHECK(w.server.acknowledge(w.requests[0]) == error{errc::not_connected});
    CHECK(w.drain().empty());
}

TEST_CASE("the request with which a connection began decides whether its client may join", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    lines seen;
    w.on_event = [&](socketio::event const& e) {
        auto const request = w.server.handshake(e.socket);
        auto const token = request.query.get("token");
        seen.push_back(std::to_string(static_cast<int>(e.type)) + ' ' + std::string(request.path) + ' ' +
                       token.value_or("-") + ' ' + std::to_string(request.context));
        if (e.type != event_type::connecting) return;
        if (token == "a b")
            CHECK(w.server.accept(e.socket).has_value());
        else
            CHECK(w.server.refuse(e.socket, "no token").has_value());
    };
    auto const open = [&](std::uint64_t channel, std::string_view query) {
        std::string const target = "/socket.io/?EIO=4&transport=websocket" + std::string(query);
        w.channels.insert(channel);
        w.after([&] {
            w.server.websocket_opened({.channel = channel, .target = target, .context = 100 + channel}, w.now);
        });
        w.receive(channel, "40");
    };
    auto const type = [](event_type t) { return std::to_string(static_cast<int>(t)); };
    open(7, "&token=a%20b");
    open(8, "");
    w.cut(7);
    CHECK(seen == lines{type(event_type::connecting) + " /socket.io/ a b 107",
                        type(event_type::connected) + " /socket.io/ a b 107",
                        type(event_type::connecting) + " /socket.io/ - 108",
                        type(event_type::disconnected) + " /socket.io/ a b 107"});
    CHECK(w.server.handshake(w.sockets.at(0)).query.raw().empty()); // it has gone with the connection
}

TEST_CASE("a server is under /socket.io/ unless it is put elsewhere, and asks who may come", "[whole_server]") {
    wires w;
    CHECK(w.server.takes("/socket.io?EIO=4"));
    CHECK_FALSE(w.server.takes("/engine.io/?EIO=4"));
    CHECK(w.server.websocket_refusal("/engine.io/?EIO=4&transport=websocket")->status == 404);

    server_options options;
    options.path = "/my/own";
    options.engine.allow_request = [](engineio::handshake_request const& r) { return r.context == 5; };
    server own(std::move(options), support::counting_random(), {});
    CHECK(own.options().engine.path == "/my/own");
    CHECK(own.takes("/my/own/?EIO=4&transport=websocket"));
    CHECK_FALSE(own.takes("/socket.io/"));
    std::string const target = "/my/own/?EIO=4&transport=websocket";
    CHECK(own.websocket_refusal(target)->code == engineio::request_error::forbidden);
    CHECK_FALSE(own.websocket_refusal(target, 5).has_value());
    own.websocket_opened({.channel = 1, .target = target, .context = 4}, {});
    CHECK(own.connection_count() == 0);
    own.websocket_opened({.channel = 2, .target = target, .context = 5}, {});
    CHECK(own.connection_count() == 1);
}

TEST_CASE("an event of a connection says what of Socket.IO could not be read", "[whole_server]") {
    server_options options;
    options.engine.max_connection_events = 10;
    for (auto const& [message, reason, cause] :
         {std::tuple("42[", engineio::close_reason::forced_close, errc::invalid_json),
          std::tuple("42[\"connect\"]", engineio::close_reason::forced_close, errc::reserved_event_name),
          std::tuple("9", engineio::close_reason::parse_error, errc::unknown_packet_type)}) {
        wires w(options);
        std::optional<errc> while_told;
        w.on_event = [&](socketio::event const& e) {
            if (e.type != event_type::disconnected) return;
            CHECK(e.reason == socketio::disconnect_reason::parse_error);
            while_told = w.server.connection(e.socket)->cause();
        };
        w.open(7);
        w.receive(7, "40");
        CHECK(w.server.poll_connection_event()->type == engineio::connection_event_type::opened);
        w.receive(7, message);
        CHECK(while_told == cause);
        auto const closed = w.server.poll_connection_event();
        REQUIRE(closed.has_value());
        CHECK(closed->type == engineio::connection_event_type::closed);
        CHECK(closed->reason == reason);
        CHECK(closed->error == cause);
        CHECK_FALSE(w.server.poll_connection_event().has_value());
    }
}

TEST_CASE("an acknowledgement that is asked for comes, times out or ends with the socket", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    std::set<std::uint64_t> ids;
    auto const ask = [&](std::optional<milliseconds> timeout) {
        auto const id = w.server.emit_with_ack(s, timeout, "q");
        REQUIRE(id);
        ids.insert(*id);
        w.drain();
        return std::to_string(*id);
    };
    w.at(1'000);
    auto const first = ask(100ms);
    auto const second = ask(50ms);
    auto const third = ask(std::nullopt);
    CHECK(ids.size() == 3);
    CHECK(w.at(1'049).empty());
    CHECK(w.at(1'050) == lines{"0 ack " + second + " timed out"});
    CHECK(w.receive(1, "43" + second + "[1]").empty());
    CHECK(w.receive(1, "43" + first + R"(["yes"])") == lines{"0 ack " + first + R"( answered ["yes"])"});
    CHECK(w.receive(1, "43" + first + "[]").empty());
    CHECK(w.at(2'000).empty());
    auto const fourth = ask(10s);
    CHECK(w.cut(1) == lines{"0 ack " + third + " disconnected", "0 ack " + fourth + " disconnected",
                            "0 disconnected /: transport close"});
    CHECK(w.at(100'000).empty());
}

TEST_CASE("a timeout counts from the call even where the connection was silent for long", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    w.now += 5s;
    w.server.handle_timeout(w.now);
    CHECK(w.server.emit_with_ack(s, 100ms, "q"));
    w.drain();
    CHECK(w.at(5'099).empty());
    CHECK(w.at(5'100).size() == 1);
}

TEST_CASE("an acknowledgement of another client's event is ignored", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    w.connect(2);
    auto const id = w.server.emit_with_ack(s, std::nullopt, "q");
    REQUIRE(id);
    w.drain();
    CHECK(w.receive(2, "43" + std::to_string(*id) + "[]").empty());
    CHECK(w.receive(1, "43" + std::to_string(*id) + "[]").size() == 1);
}

//=== volatile events ===//

TEST_CASE("a volatile event goes over a WebSocket at once or not at all", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    CHECK(w.after([&] { CHECK(w.server.emit_volatile(s, "v", byte_view(one_two))); }) ==
          lines{"1: 451-[\"v\"," + std::string(placeholder) + "]", "1: <0102>"});
    CHECK(w.after([&] {
        CHECK(w.server.emit_volatile(s, "1", byte_view(one_two)));
        CHECK(w.server.emit_volatile(s, "2", byte_view(one_two)) == error{errc::would_wait});
        CHECK(w.server.emit(s, "3"));
    }) == lines{"1: 451-[\"1\"," + std::string(placeholder) + "]", "1: <0102>", R"(1: 42["3"])"});
}

TEST_CASE("a volatile event is dropped while its channel is paused", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    w.server.pause(1);
    CHECK(w.server.emit_volatile(s, "v") == error{errc::would_wait});
    CHECK(w.server.in("/").emit_volatile("v") == std::size_t{0});
    CHECK(w.after([&] { CHECK(w.server.emit(s, "kept", byte_view(one_two))); }).empty());
    CHECK(w.after([&] { w.server.resume(1); }) ==
          lines{"1: 451-[\"kept\"," + std::string(placeholder) + "]", "1: <0102>"});
    CHECK(w.after([&] { CHECK(w.server.emit_volatile(s, "v")); }) == lines{R"(1: 42["v"])"});
}

TEST_CASE("a channel that is paused within a packet goes on with its attachments", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    CHECK(w.server.emit(s, "b", byte_view(one_two)));
    CHECK_FALSE(w.server.poll_event());
    CHECK(w.next_transmit() == lines{"1: 451-[\"b\"," + std::string(placeholder) + "]"});
    w.server.pause(1);
    CHECK(w.server.emit_volatile(s, "v", byte_view(one_two)) == error{errc::would_wait});
    CHECK(w.server.in("/").emit_volatile("v", byte_view(one_two)) == std::size_t{0});
    CHECK(w.after([&] { CHECK(w.server.emit(s, "next")); }).empty());
    CHECK(w.after([&] { w.server.resume(1); }) == lines{"1: <0102>", R"(1: 42["next"])"});
}

TEST_CASE("a volatile event goes over long-polling if a GET waits for it", "[whole_server]") {
    wires w;
    w.open_polling(1);
    w.post(1, 2, "40");
    w.get(1, 3);
    auto const s = w.sockets.at(0);
    CHECK(w.server.emit_volatile(s, "v", byte_view(one_two)) == error{errc::would_wait});
    CHECK(w.get(1, 4).empty());
    CHECK(w.after([&] {
        CHECK(w.server.emit_volatile(s, "1", byte_view(one_two)));
        CHECK(w.server.emit_volatile(s, "2", byte_view(one_two)) == error{errc::would_wait});
    }) == lines{"answer 4: 200 text 451-[\"1\"," + std::string(placeholder) + "]|bAQI="});
}

} // namespace stack_server_events_test
