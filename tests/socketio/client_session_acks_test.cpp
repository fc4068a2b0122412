#include "drivers/socketio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/client_session.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace socketio_client_session_acks_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_client;
using namespace std::chrono_literals;
using support::lines;

//=== acknowledgements ===//

TEST_CASE("an event is acknowledged once, by its id", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.receive(R"(217["ask","x"])") == lines{R"(event / ["ask","x"] ack 17)"});
        CHECK(c.receive(R"(20["ask"])") == lines{R"(event / ["ask"] ack 0)"});
        REQUIRE(c.requests.size() == 2);
        CHECK(c.session.acknowledge(c.requests[1]).has_value());
        CHECK(c.session.acknowledge(c.requests[0], "\xff") == error{errc::invalid_utf8}); // may be tried again
        CHECK(c.session.acknowledge(c.requests[0], "yes", bytes).has_value());
        CHECK(c.drain() == lines{"send 30[]", R"(send 61-17["yes",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(c.session.acknowledge(c.requests[0], "again") == error{errc::already_acknowledged});
        ack_request none;
        CHECK(c.session.acknowledge(none) == error{errc::already_acknowledged});
        CHECK(c.drain().empty());
    }
}

TEST_CASE("an acknowledgement is not sent on another connection than the event came by", "[client_socket]") {
    connected_driver c;
    c.receive(R"(217["ask"])");
    REQUIRE(c.requests.size() == 1);
    c.lose();
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    c.open();
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    c.receive(answer(socketio::revision::v5));
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    CHECK(c.drain().empty());
}

TEST_CASE("an acknowledgement is not sent once the socket has been left and joined again", "[client_socket]") {
    connected_driver c;
    c.receive(R"(217["ask"])");
    REQUIRE(c.requests.size() == 1);
    c.disconnect(c.socket);
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    c.connect("/");
    c.drain();
    c.receive(answer(socketio::revision::v5));
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    CHECK(c.drain().empty());
}

TEST_CASE("an acknowledgement that is asked for is answered", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.ask(c.socket, std::nullopt, "a") == 1);
        CHECK(c.ask(c.socket, 1s, "b", bytes) == 2);
        CHECK(c.drain() == lines{R"(send 21["a"])", R"(send 51-2["b",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(c.due() == 1s);
        CHECK(c.receive(R"(61-2["x",{"_placeholder":true,"num":0}])").empty());
        CHECK(c.receive(support::binary("\x07")) ==
              lines{R"(ack 2 answered ["x",{"_placeholder":true,"num":0}] <07>)"});
        CHECK(c.due() == std::nullopt);
        CHECK(c.receive("31[]") == lines{"ack 1 answered []"});
        CHECK(c.receive("31[]").empty()); // once
        CHECK(c.receive("399[1]").empty());
        CHECK(c.receive("39007199254740991[1]").empty());
    }
}

TEST_CASE("an answer counts only from the namespace that was asked", "[client_socket]") {
    connected_driver c;
    auto const other = c.connect("/other");
    c.drain();
    c.receive(R"(0/other,{"sid":"x"})");
    c.ask(c.socket, std::nullopt, "a");
    c.drain();
    CHECK(c.receive("3/other,1[]").empty());
    CHECK(c.receive("3/unknown,1[]").empty());
    CHECK(c.receive("31[]") == lines{"ack 1 answered []"});
    CHECK(c.session.is_connected(other));
}

TEST_CASE("an acknowledgement times out: after the call's own time, or that of the options, or never",
          "[client_socket]") {
    socketio::client_options options;
    options.ack_timeout = 5s;
    connected_driver c(options);
    c.ask(c.socket, 2s, "a");
    c.ask(c.socket, std::nullopt, "b");
    c.drain();
    CHECK(c.due() == 2s);
    CHECK(c.at(1'999ms).empty());
    CHECK(c.at(2'000ms) == lines{"ack 1 timed out"});
    CHECK(c.receive("31[]").empty()); // too late
    CHECK(c.due() == 5s);
    CHECK(c.at(60s) == lines{"ack 2 timed out"});
    CHECK(c.due() == std::nullopt);

    connected_driver patient;
    patient.ask(patient.socket, std::nullopt, "c");
    CHECK(patient.due() == std::nullopt);
}

TEST_CASE("an acknowledgement ends with its socket: when that is left, disconnected, or its connection lost",
          "[client_socket]") {
    connected_driver c;
    auto const other = c.connect("/other");
    c.drain();
    c.receive(R"(0/other,{"sid":"x"})");
    auto const asks = [&] {
        auto const id = c.ask(c.socket, 1s, "a");
        c.drain();
        return std::to_string(id);
    };
    c.ask(other, std::nullopt, "kept");
    auto const kept = c.awaited();
    auto id = asks();
    CHECK(c.disconnect(c.socket) ==
          lines{"ack " + id + " disconnected", "disconnected /: io client disconnect", "send 1"});
    c.connect("/");
    c.drain();
    c.receive(answer(socketio::revision::v5));

    id = asks();
    CHECK(c.receive("1") == lines{"ack " + id + " disconnected", "disconnected /: io server disconnect"});
    c.connect("/");
    c.drain();
    c.receive(answer(socketio::revision::v5));
    CHECK(c.awaited() == kept);

    id = asks();
    CHECK(c.lose() == lines{"ack " + id + " disconnected", "disconnected /: transport close", "ack 1 disconnected",
                            "disconnected /other: transport close", "closed: transport close"});
    CHECK(c.due() == std::nullopt);
}

TEST_CASE("an acknowledgement is kept while its event waits to be sent, and counts from the emit", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    c.ask(socket, 10s, "a");
    CHECK(c.at(1s).empty());
    c.open();
    CHECK(c.lose() == lines{"closed: transport close"}); // never connected: the event waits on
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 21["a"])"});
    CHECK(c.due() == 10s);
    CHECK(c.receive(R"(31["late"])") == lines{R"(ack 1 answered ["late"])"});
}

TEST_CASE("an event whose acknowledgement has timed out before it could go is not sent", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    c.emit(socket, "before");
    auto const size = c.session.buffered();
    c.ask(socket, 1s, "too late");
    c.emit(socket, "after");
    CHECK(c.session.buffered() > 2 * size);
    CHECK(c.at(1s) == lines{"ack 1 timed out"});
    CHECK(c.session.buffered() < 3 * size);
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", R"(send 2["before"])", R"(send 2["after"])"});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("events emitted while a socket ends wait for the next time, and so do their acknowledgements",
          "[client_socket]") {
    connected_driver c;
    c.ask(c.socket, std::nullopt, "lost");
    c.drain();
    c.on_event = [&](event& e) {
        if (e.type == event_type::ack && e.id == 1) c.ask(c.socket, std::nullopt, "in ack");
        if (e.type == event_type::disconnected) c.ask(c.socket, std::nullopt, "in disconnected");
    };
    CHECK(c.lose() == lines{"ack 1 disconnected", "disconnected /: transport close", "closed: transport close"});
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", R"(send 22["in ack"])", R"(send 23["in disconnected"])"});
    CHECK(c.receive("33[]") == lines{"ack 3 answered []"});
    CHECK(c.receive("32[]") == lines{"ack 2 answered []"});
}

TEST_CASE("the number of acknowledgements that are awaited has a limit", "[client_socket]") {
    socketio::client_options options;
    options.max_pending_acks = 2;
    connected_driver c(options);
    c.ask(c.socket, 1s, "a");
    c.ask(c.socket, 2s, "b");
    CHECK(c.session.emit_with_ack(c.socket, 1s, "c") == error{errc::too_many_acks});
    c.drain();
    CHECK(c.receive("31[]") == lines{"ack 1 answered []"});
    CHECK(c.ask(c.socket, 1s, "c") != 0);
    c.lose();
    c.ask(c.socket, 1s, "d");
    c.ask(c.socket, 1s, "e");
    CHECK(c.session.emit_with_ack(c.socket, 1s, "f") == error{errc::too_many_acks});
}

//=== retries ===//

TEST_CASE("with retries events go one at a time, each when the one before has been acknowledged", "[client_socket]") {
    for (auto const r : both) {
        auto options = with_retries(3);
        options.revision = r;
        connected_driver c(options);
        CHECK(c.emit(c.socket, "one") == lines{R"(send 21["one"])"});
        CHECK(c.emit(c.socket, "two", bytes).empty());
        auto const id = c.ask(c.socket, std::nullopt, "three");
        CHECK(id == 2);
        CHECK(c.drain().empty());
        CHECK(c.session.buffered() > 0);
        CHECK(c.receive("31[]") == lines{R"(send 51-3["two",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(c.receive("31[]").empty());
        CHECK(c.receive("33[]") == lines{R"(send 24["three"])"});
        // Its outcome comes with the id that emit_with_ack returned.
        CHECK(c.receive(R"(34["done"])") == lines{R"(ack 2 answered ["done"])"});
        CHECK(c.session.buffered() == 0);
        CHECK(c.due() == std::nullopt);
    }
}

TEST_CASE("an event that is not acknowledged in time is sent again with another id, retries + 1 times in all",
          "[client_socket]") {
    connected_driver c(with_retries(2));
    auto const id = c.ask(c.socket, std::nullopt, "x", bytes);
    CHECK(id == 1);
    auto const next = c.ask(c.socket, 50ms, "y");
    CHECK(next == 3);
    CHECK(c.drain() == lines{R"(send 51-2["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.at(99ms).empty());
    CHECK(c.at(100ms) == lines{R"(send 51-4["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.receive("32[]").empty()); // too late: that try is over
    CHECK(c.at(200ms) == lines{R"(send 51-5["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.at(300ms) == lines{"ack 1 timed out", R"(send 26["y"])"});
    CHECK(c.due() == 350ms); // its own time
    CHECK(c.receive("36[1]") == lines{"ack 3 answered [1]"});
}

TEST_CASE("an event nobody asks about is given up like the others, and the next one goes", "[client_socket]") {
    connected_driver c(with_retries(1));
    CHECK(c.emit(c.socket, "x") == lines{R"(send 21["x"])"});
    c.emit(c.socket, "y");
    CHECK(c.at(100ms) == lines{R"(send 22["x"])"});
    CHECK(c.at(200ms) == lines{R"(send 23["y"])"});
    CHECK(c.receive("33[]").empty());
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("a lost connection ends a try: the next one goes on the next connection", "[client_socket]") {
    connected_driver c(with_retries(1, std::nullopt));
    c.ask(c.socket, std::nullopt, "x");
    CHECK(c.emit(c.socket, "y") == lines{R"(send 22["x"])"});
    CHECK(c.lose() == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.open() == lines{"send 0"});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 23["x"])"});
    CHECK(c.lose() ==
          lines{"ack 1 disconnected", "disconnected /: transport close", "closed: transport close"}); // its last try
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 24["y"])"});
}

TEST_CASE("with retries events wait for the socket to connect, within the limit", "[client_socket]") {
    auto options = with_retries(1);
    options.max_buffered = 1'500;
    driver c(options);
    auto const socket = c.connect();
    CHECK(c.emit(socket, "x", std::string(1'000, 'x')).empty());
    CHECK(c.session.emit(socket, "y", std::string(1'000, 'x')) == error{errc::buffer_full});
    CHECK(c.due() == std::nullopt); // a try that has not begun takes no time
    c.open();
    CHECK(c.at(1h).empty());
    CHECK(c.receive(answer(socketio::revision::v5)).size() == 2);
    CHECK(c.session.emit(socket, "y", std::string(1'000, 'x')) == error{errc::buffer_full}); // not acknowledged yet
    c.receive("31[]");
    CHECK(c.session.emit(socket, "y", std::string(1'000, 'x')).has_value());
}

TEST_CASE("with retries an event that ends the connection is kept like any other, and tried again", "[client_socket]") {
    auto options = with_retries(1);
    options.max_queued = 1'000;
    connected_driver c(options);
    CHECK(c.session.emit_volatile(c.socket, "y", std::string(900, 'x')).has_value());
    c.ask(c.socket, std::nullopt, "x", std::string(900, 'x'));
    CHECK(c.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close"});
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)).size() == 2);
    CHECK(c.receive("33[]") == lines{"ack 1 answered []"});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("tries whose time is over at once end the connection before they take more than may wait",
          "[client_socket]") {
    auto options = with_retries(1'000'000);
    options.max_queued = 10'000;
    connected_driver c(options);
    c.ask(c.socket, 0ms, "x", std::string(1'000, 'x'));
    CHECK(c.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close"});
    CHECK(c.session.buffered() != 0); // it is tried on the next connection
}

TEST_CASE("with retries the limit is that of what the application awaits", "[client_socket]") {
    auto options = with_retries(1);
    options.max_pending_acks = 2;
    driver c(options);
    auto const socket = c.connect();
    c.emit(socket, "nobody asks");
    CHECK(c.ask(socket, std::nullopt, "x") == 1);
    CHECK(c.ask(socket, std::nullopt, "y") == 2);
    CHECK(c.session.emit_with_ack(socket, std::nullopt, "z") == error{errc::too_many_acks});
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 23["nobody asks"])"});
    CHECK(c.session.emit_with_ack(socket, std::nullopt, "z") == error{errc::too_many_acks});
    CHECK(c.receive("33[]") == lines{R"(send 24["x"])"});
    CHECK(c.receive("34[]") == lines{"ack 1 answered []", R"(send 25["y"])"});
    CHECK(c.ask(socket, std::nullopt, "z") == 6);
    CHECK(c.session.emit_with_ack(socket, std::nullopt, "z") == error{errc::too_many_acks});
}

TEST_CASE("with retries volatile events go past those that wait", "[client_socket]") {
    connected_driver c(with_retries(1));
    c.emit(c.socket, "x");
    c.emit(c.socket, "y");
    CHECK(c.session.emit_volatile(c.socket, "now").has_value());
    CHECK(c.drain() == lines{R"(send 2["now"])"});
}

TEST_CASE("with retries each socket has its own event under way", "[client_socket]") {
    connected_driver c(with_retries(1));
    auto const other = c.connect("/other");
    c.drain();
    c.receive(R"(0/other,{"sid":"x"})");
    CHECK(c.emit(c.socket, "x") == lines{R"(send 21["x"])"});
    CHECK(c.emit(other, "y") == lines{R"(send 2/other,2["y"])"});
    CHECK(c.receive("3/other,2[]").empty());
    CHECK(c.emit(other, "z") == lines{R"(send 2/other,3["z"])"});
}

} // namespace socketio_client_session_acks_test
