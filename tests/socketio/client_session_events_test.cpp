#include "drivers/socketio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/client_session.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace socketio_client_session_events_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_client;
using namespace std::chrono_literals;
using support::lines;

//=== events ===//

TEST_CASE("events go both ways, with attachments behind their header", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.emit(c.socket, "hello", 1, "é", nullptr) == lines{R"(send 2["hello",1,"é",null])"});
        CHECK(c.emit(c.socket, "file", bytes, json::object("again", bytes)) ==
              lines{R"(send 52-["file",{"_placeholder":true,"num":0},{"again":{"_placeholder":true,"num":1}}])",
                    "send <0102>", "send <0102>"});
        CHECK(c.receive(R"(2["news",{"a":[]},"x"])") == lines{R"(event / ["news",{"a":[]},"x"])"});
        CHECK(c.receive(R"(51-["file",{"_placeholder":true,"num":0}])").empty());
        CHECK(c.receive(support::binary("\x05")) == lines{R"(event / ["file",{"_placeholder":true,"num":0}] <05>)"});
        CHECK(c.receive("2[7,8]") == lines{"event / [7,8]"});
    }
}

TEST_CASE("an event has its name, its arguments and its attachments", "[client_socket]") {
    connected_driver c;
    bool seen = false;
    c.on_event = [&](event& e) {
        seen = true;
        CHECK(e.type == event_type::event);
        CHECK(e.socket == c.socket);
        CHECK(e.name() == "file");
        CHECK_FALSE(e.ack);
        auto const args = e.get<std::string, byte_view>();
        REQUIRE(args.has_value());
        CHECK(std::get<0>(*args) == "x.png");
        CHECK(as_characters(std::get<1>(*args)) == "\x01\x02");
    };
    c.receive(R"(51-["file","x.png",{"_placeholder":true,"num":0}])");
    c.receive(support::binary("\x01\x02"));
    CHECK(seen);
}

TEST_CASE("an emit with a reserved name or invalid UTF-8 is refused and sends nothing", "[client_socket]") {
    connected_driver c;
    auto const check = [&] {
        for (std::string_view const reserved :
             {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
            CHECK(c.session.emit(c.socket, reserved) == error{errc::reserved_event_name});
            CHECK(c.session.emit_with_ack(c.socket, 1s, reserved) == error{errc::reserved_event_name});
        }
        CHECK(c.session.emit(c.socket, "\xff") == error{errc::invalid_utf8});
        CHECK(c.session.emit(c.socket, "x", "\xff") == error{errc::invalid_utf8});
        CHECK(c.session.emit_with_ack(c.socket, 1s, "x", "\xff") == error{errc::invalid_utf8});
        CHECK(c.due() == std::nullopt);
        CHECK(c.session.buffered() == 0);
    };
    check();
    CHECK(c.drain().empty());
    c.lose();
    check();
    CHECK(c.open() == lines{"send 0"});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
}

TEST_CASE("an event that declares the types of its arguments is emitted and read by them", "[client_socket]") {
    constexpr typed_event<int, std::string> moved{"moved"};
    connected_driver c;
    CHECK(c.session.emit(c.socket, moved, 3, "north").has_value());
    CHECK(c.drain() == lines{R"(send 2["moved",3,"north"])"});
    c.on_event = [&](event& e) {
        auto const args = e.get(moved);
        REQUIRE(args.has_value());
        CHECK(std::get<0>(*args) == 4);
        CHECK(std::get<1>(*args) == "south");
    };
    CHECK(c.receive(R"(2["moved",4,"south"])").size() == 1);
}

TEST_CASE("events that come before the answer to CONNECT are told after it, in order", "[client_socket]") {
    for (auto const r : both) {
        driver c(speaking(r));
        auto const socket = c.connect();
        c.open();
        CHECK(c.receive(R"(2["one",1])").empty());
        CHECK(c.receive(R"(51-["two",{"_placeholder":true,"num":0}])").empty());
        CHECK(c.receive(support::binary("\x05")).empty());
        CHECK(c.receive(R"(27["three"])").empty());
        lines const told = c.receive(answer(r));
        CHECK(lines(told.begin() + 1, told.end()) == lines{R"(event / ["one",1])",
                                                           R"(event / ["two",{"_placeholder":true,"num":0}] <05>)",
                                                           R"(event / ["three"] ack 7)"});
        CHECK(told.front().starts_with("connected /"));
        CHECK(c.receive(R"(2["four"])") == lines{R"(event / ["four"])"});
        REQUIRE(c.requests.size() == 1);
        CHECK(c.session.acknowledge(c.requests[0], "yes").has_value());
        CHECK(c.drain() == lines{R"(send 37["yes"])"});
        CHECK(c.session.is_connected(socket));
    }
}

TEST_CASE("early events of two namespaces are told each after its own answer", "[client_socket]") {
    driver c;
    c.connect("/a");
    c.connect("/b");
    c.open();
    CHECK(c.receive(R"(2/b,["b1"])").empty());
    CHECK(c.receive(R"(2/a,["a1"])").empty());
    CHECK(c.receive(R"(0/a,{"sid":"x"})") == lines{"connected /a x", R"(event /a ["a1"])"});
    CHECK(c.receive(R"(2/b,["b2"])").empty());
    CHECK(c.receive(R"(0/b,{"sid":"y"})") == lines{"connected /b y", R"(event /b ["b1"])", R"(event /b ["b2"])"});
}

TEST_CASE("more early events than the limit end the connection", "[client_socket]") {
    socketio::client_options options;
    options.max_early = 4'000;
    driver c(options);
    c.connect("/");
    c.connect("/b");
    c.open();
    std::string const kilobyte(1'000, 'x');
    CHECK(c.receive("2[\"a\",\"" + kilobyte + "\"]").empty());
    CHECK(c.receive("2/b,[\"a\",\"" + kilobyte + "\"]").empty());
    CHECK(c.receive("2[\"a\",\"" + kilobyte + "\"]").empty());
    CHECK(c.receive("2/b,[\"a\",\"" + kilobyte + "\"]") == lines{"closed: queue overflow", "close"});
    // Early events are forgotten when the connection ends, and no longer count.
    for (int i = 0; i != 3; ++i) {
        CHECK(c.open() == lines{"send 0", "send 0/b,"});
        CHECK(c.receive("2[\"a\",\"" + kilobyte + "\"]").empty());
        CHECK(c.receive("2/b,[\"a\",\"" + kilobyte + "\"]").empty());
        if (i == 1) c.receive(R"(0{"sid":"abc"})"); // the events are polled
        if (i == 2) c.receive(R"(4{"message":"no"})");
        c.lose();
    }
}

TEST_CASE("early events are forgotten where the socket is refused, left, or its connection lost", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    auto const connects_without_events = [&] {
        CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
        c.disconnect(socket);
        c.connect();
        c.drain();
    };
    c.open();
    c.receive(R"(2["early"])");
    c.lose();
    c.open();
    connects_without_events();

    c.receive(R"(2["early"])");
    c.receive(R"(4{"message":"no"})");
    c.connect();
    c.drain();
    connects_without_events();

    c.receive(R"(2["early"])");
    c.disconnect(socket);
    c.connect();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"send 1", "send 0"});
    connects_without_events();
}

//=== what is emitted before ===//

TEST_CASE("what is emitted before the socket is connected is sent then, in order", "[client_socket]") {
    for (auto const r : both) {
        driver c(speaking(r));
        auto const socket = c.connect();
        CHECK(c.emit(socket, "one", 1).empty());
        CHECK(c.session.buffered() > 0);
        c.open();
        CHECK(c.emit(socket, "two", bytes).empty());
        CHECK(c.ask(socket, std::nullopt, "three") == 1);
        CHECK(c.receive("2[\"x\"]").empty());
        auto told = c.receive(answer(r));
        CHECK(lines(told.begin() + 1, told.end()) == lines{R"(event / ["x"])", R"(send 2["one",1])",
                                                           R"(send 51-["two",{"_placeholder":true,"num":0}])",
                                                           "send <0102>", R"(send 21["three"])"});
        CHECK(c.session.buffered() == 0);
        CHECK(c.emit(socket, "four") == lines{R"(send 2["four"])"});
    }
}

TEST_CASE("each socket has a buffer of its own", "[client_socket]") {
    driver c;
    auto const a = c.connect("/a");
    auto const b = c.connect("/b");
    c.emit(a, "to a");
    c.emit(b, "to b");
    c.open();
    CHECK(c.receive(R"(0/b,{"sid":"x"})") == lines{"connected /b x", R"(send 2/b,["to b"])"});
    CHECK(c.receive(R"(0/a,{"sid":"x"})") == lines{"connected /a x", R"(send 2/a,["to a"])"});
}

TEST_CASE("what is emitted in the handler of connected follows what waited", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    c.emit(socket, "before");
    c.on_event = [&](event& e) {
        if (e.type == event_type::connected) CHECK(c.session.emit(socket, "in it").has_value());
    };
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", R"(send 2["before"])", R"(send 2["in it"])"});
}

TEST_CASE("the buffer has a limit for all sockets together, and room again when it has gone", "[client_socket]") {
    socketio::client_options options;
    options.max_buffered = 2'500;
    driver c(options);
    auto const a = c.connect("/a");
    auto const b = c.connect("/b");
    std::string const kilobyte(1'000, 'x');
    CHECK(c.session.emit(a, "x", kilobyte).has_value());
    CHECK(c.session.emit(b, "x", kilobyte).has_value());
    CHECK(c.session.emit(a, "x", kilobyte) == error{errc::buffer_full});
    CHECK(c.session.emit_with_ack(b, 1s, "x", kilobyte) == error{errc::buffer_full});
    CHECK(c.due() == std::nullopt);
    CHECK(c.session.buffered() <= options.max_buffered);
    c.open();
    CHECK(c.receive(R"(0/b,{"sid":"x"})").size() == 2);
    CHECK(c.session.emit(a, "x", kilobyte).has_value());
    CHECK(c.session.emit(a, "x", kilobyte) == error{errc::buffer_full});
    CHECK(c.session.emit(b, "x", kilobyte).has_value()); // connected: nothing to keep
}

TEST_CASE("volatile events are dropped unless they can go at once", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    CHECK(c.session.emit_volatile(socket, "x") == error{errc::would_wait});
    c.open();
    CHECK(c.session.emit_volatile(socket, "x") == error{errc::would_wait});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
    CHECK(c.session.emit_volatile(socket, "x", bytes).has_value());
    CHECK(c.session.emit_volatile(socket, "y") == error{errc::would_wait}); // another is on its way
    CHECK(c.drain() == lines{R"(send 51-["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.session.emit_volatile(socket, "disconnect") == error{errc::reserved_event_name});
    c.lose();
    CHECK(c.session.emit_volatile(socket, "x") == error{errc::would_wait});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("with more to be sent than the limit the connection ends, and the emit says so", "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    std::string const half(600, 'x');
    connected_driver c(options);
    c.ask(c.socket, 1s, "first");
    CHECK(c.session.emit(c.socket, "x", half).has_value());
    CHECK(c.session.emit(c.socket, "x", half) == error{errc::queue_overflow});
    CHECK(c.drain() ==
          lines{"ack 1 disconnected", "disconnected /: queue overflow", "closed: queue overflow", "close"});
    CHECK(c.session.is_active());
    CHECK(c.lose().empty());
    CHECK(c.open() == lines{"send 0"});

    connected_driver asking(options);
    CHECK(asking.session.emit(asking.socket, "x", half).has_value());
    CHECK(asking.session.emit_with_ack(asking.socket, 1s, "x", half) == error{errc::queue_overflow});
    CHECK(asking.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close"});
}

TEST_CASE("an event that alone is too large is refused, and ends nothing, at a client", "[client_socket]") {
    for (std::uint32_t const retries : {0u, 1u}) {
        auto options = with_retries(retries);
        options.max_queued = 1'000;
        std::string const large(2'000, 'x');
        connected_driver c(options);
        CHECK(c.session.emit(c.socket, "x", large) == error{errc::message_too_large});
        CHECK(c.session.emit_volatile(c.socket, "x", large) == error{errc::message_too_large});
        CHECK(c.session.emit(c.socket, "x", as_bytes(large)) == error{errc::message_too_large});
        CHECK(c.session.emit_with_ack(c.socket, 1s, "x", large) == error{errc::message_too_large});
        CHECK(c.session.connect("/a", json::object("token", large)) == error{errc::message_too_large});
        CHECK_FALSE(c.session.poll_timeout().has_value());
        CHECK(c.session.buffered() == 0);
        CHECK(c.drain().empty());
        c.lose();
        CHECK(c.session.emit(c.socket, "x", large) == error{errc::message_too_large}); // it would never go
        CHECK(c.session.buffered() == 0);
    }
}

TEST_CASE("what the server would refuse is not sent to it", "[client_socket]") {
    for (std::uint32_t const retries : {0u, 1u}) {
        auto const one = as_bytes(std::string_view("1"));
        std::vector<byte_view> const eleven(11, one);
        connected_driver c(with_retries(retries));
        CHECK(c.session.emit(c.socket, "x", eleven) == error{errc::too_many_attachments});
        CHECK(c.session.emit_volatile(c.socket, "x", eleven) == error{errc::too_many_attachments});
        CHECK(c.session.emit_with_ack(c.socket, 1s, "x", eleven) == error{errc::too_many_attachments});
        auto const e = c.session.poll_event();
        CHECK_FALSE(e.has_value());
        c.lose();
        CHECK(c.session.emit(c.socket, "x", eleven) == error{errc::too_many_attachments});
        CHECK(c.session.buffered() == 0);
    }
    connected_driver c;
    c.session.message_received({frame_kind::text, R"(27["q"])"}, support::start);
    auto e = c.session.poll_event();
    REQUIRE(e.has_value());
    CHECK(c.session.acknowledge(e->ack, std::vector<byte_view>(11)) == error{errc::too_many_attachments});
    CHECK(c.session.acknowledge(e->ack, std::vector<byte_view>(10)).has_value());
}

TEST_CASE("no more waits for a socket than may wait for the network", "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    driver c(options);
    auto const socket = c.connect();
    c.emit(socket, "x", std::string(900, 'x'));
    CHECK(c.session.emit(socket, "x", std::string(900, 'x')) == error{errc::buffer_full});
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)).size() == 2);
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("what waited can overflow a queue in which other sockets have events: the connection ends",
          "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    driver c(options);
    auto const a = c.connect("/a");
    auto const b = c.connect("/b");
    c.emit(b, "x", std::string(900, 'x'));
    c.on_event = [&](event& e) {
        if (e.type == event_type::connected && e.nsp == "/a")
            CHECK(c.session.emit(a, "x", std::string(900, 'x')).has_value());
    };
    c.open();
    c.session.message_received({frame_kind::text, R"(0/a,{"sid":"a"})"}, support::start);
    c.session.message_received({frame_kind::text, R"(0/b,{"sid":"b"})"}, support::start);
    c.session.message_received({frame_kind::text, R"(2/b,["early"])"}, support::start);
    CHECK(c.drain() == lines{"connected /a a", "connected /b b", "disconnected /a: queue overflow",
                             "disconnected /b: queue overflow", "closed: queue overflow", "close"});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("an event that is handled when the connection overflows is still there to be read", "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    connected_driver c(options);
    std::string read;
    c.on_event = [&](event& e) {
        if (e.type != event_type::event) return;
        CHECK(c.session.emit(c.socket, "x", std::string(900, 'x')).has_value());
        CHECK(c.session.emit(c.socket, "x", std::string(900, 'x')) == error{errc::queue_overflow});
        read = as_characters(e.get<byte_view>().value_or(byte_view()));
    };
    std::string const large(1'000, 'y');
    c.receive(R"(51-["file",{"_placeholder":true,"num":0}])");
    c.receive(support::binary(large));
    CHECK(read == large);
}

} // namespace socketio_client_session_events_test
