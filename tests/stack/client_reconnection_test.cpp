// When a whole client connects again, its events, and what it keeps meanwhile.

#include "drivers/whole_client.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/client.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_client_reconnection_test {

using namespace socketless;
using namespace support::whole_client;
using namespace std::chrono_literals;
using engineio::transport;
using socketio::event_type;
using support::lines;

//=== connecting again ===//

TEST_CASE("the client connects again after every end that nobody has asked for", "[client]") {
    struct loss {
        std::string_view reason;
        lines (*happen)(connected_driver&);
        bool is_closed; // by the client
    };
    loss const losses[] = {
        {"transport close", [](connected_driver& c) { return c.cut(1); }, false},
        {"transport close", [](connected_driver& c) { return c.websocket(1, "1"); }, true},
        {"transport error", [](connected_driver& c) { return c.websocket(1, "x"); }, true},
        {"transport error", [](connected_driver& c) { return c.websocket(1, handshake); }, true},
        {"ping timeout", [](connected_driver& c) { return c.pass(45s); }, true},
        {"parse error", [](connected_driver& c) { return c.websocket(1, "42[]"); }, true},
        {"parse error", [](connected_driver& c) { return c.websocket(1, support::binary("x")); }, true},
    };
    for (auto const& [reason, happen, is_closed] : losses) {
        INFO(reason);
        connected_driver c;
        std::string const why(reason);
        lines expected{"disconnected /: " + why, "closed: " + why};
        auto told = happen(c);
        if (is_closed) CHECK(std::erase(told, "close 1") == 1);
        CHECK(told == expected);
        CHECK_FALSE(c.client.is_idle());
        CHECK(c.due() == 1s);
        CHECK(c.pass(999ms).empty());
        CHECK(c.pass(1ms) == lines{"reconnecting 1", "open websocket 2"});
        CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"});
        CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def"});
        // The next loss has a reason of its own.
        CHECK(c.cut(2) == lines{"disconnected /: transport close", "closed: transport close"});
        CHECK(c.due() == 1s);
    }
}

TEST_CASE("over long-polling too: a failed exchange, another status, a bad body, a close packet", "[client]") {
    struct loss {
        std::string_view reason;
        lines (*happen)(driver&);
    };
    loss const losses[] = {
        {"transport error", [](driver& c) { return c.fail(4); }},
        {"transport error", [](driver& c) { return c.answer(4, "{}", 400); }},
        {"transport error", [](driver& c) { return c.answer(4, ""); }},
        {"transport error", [](driver& c) { return c.answer(4, "x"); }},
        {"transport close", [](driver& c) { return c.answer(4, "1"); }},
        {"parse error", [](driver& c) { return c.answer(4, "42[]"); }},
    };
    for (auto const& [reason, happen] : losses) {
        INFO(reason);
        driver c(over_polling());
        c.connect();
        CHECK(c.drain() == lines{"get 1"});
        CHECK(c.answer(1, handshake) == lines{"opened", "post 2: 40", "get 3"});
        CHECK(c.answer(2, "ok").empty());
        CHECK(c.answer(3, R"(40{"sid":"abc"})") == lines{"connected / abc", "get 4"});
        std::string const why(reason);
        CHECK(happen(c) == lines{"disconnected /: " + why, "closed: " + why});
        CHECK(c.exchanges.empty());
        CHECK(c.pass(1s) == lines{"reconnecting 1", "get 5"});
    }
}

TEST_CASE("the client tries again after every failure to open", "[client]") {
    struct failure {
        std::string_view reason;
        lines (*happen)(driver&);
    };
    failure const failures[] = {
        {"transport error", [](driver& c) { return c.cut(1); }},
        {"transport error", [](driver& c) { return c.channel_opened(1), c.cut(1); }},
        {"transport error", [](driver& c) { return c.channel_opened(1), c.websocket(1, "0"); }},
        {"transport error", [](driver& c) { return c.channel_opened(1), c.websocket(1, "40"); }},
        {"open timeout", [](driver& c) { return c.pass(20s); }},
        {"open timeout", [](driver& c) { return c.channel_opened(1), c.pass(20s); }},
    };
    for (auto const& [reason, happen] : failures) {
        INFO(reason);
        driver c;
        auto const socket = c.connect();
        c.drain();
        c.emit(socket, "waits");
        auto told = happen(c);
        std::erase(told, "close 1");
        CHECK(told == lines{"open_failed: " + std::string(reason)});
        CHECK(c.channels.empty());
        CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
        CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"});
        CHECK(c.websocket(2, R"(40{"sid":"abc"})") == lines{"connected / abc", R"(send 2: 42["waits"])"});
    }
}

TEST_CASE("each wait is twice as long as the one before, up to the longest, made longer or shorter by chance",
          "[client]") {
    auto const waits = [](client_options const& options, unsigned random_byte) {
        connected_driver c(options, random_byte);
        c.cut(1);
        std::vector<std::int64_t> all;
        for (std::uint64_t attempt = 1; attempt != 6; ++attempt) {
            auto const wait = c.due().value_or(0ms);
            all.push_back(wait.count());
            CHECK(c.pass(wait - 1ms).empty());
            auto const channel = std::to_string(attempt + 1);
            CHECK(c.pass(1ms) == lines{"reconnecting " + std::to_string(attempt), "open websocket " + channel});
            CHECK(c.cut(attempt + 1) == lines{"open_failed: transport error"});
        }
        return all;
    };
    using list = std::vector<std::int64_t>;
    CHECK(waits(over_websocket(), 0x00) == list{1000, 2000, 4000, 5000, 5000});
    CHECK(waits(over_websocket(), 0x40) == list{875, 1750, 3499, 5000, 5000});
    CHECK(waits(over_websocket(), 0x80) == list{1250, 2501, 5000, 5000, 5000});
    auto options = over_websocket();
    options.reconnection_delay = 100ms;
    options.reconnection_delay_max = 700ms;
    options.randomization_factor = 0;
    CHECK(waits(options, 0x80) == list{100, 200, 400, 700, 700});
}

TEST_CASE("once the connection is open the waits begin anew", "[client]") {
    connected_driver c;
    c.cut(1);
    c.pass(1s);
    c.cut(2);
    CHECK(c.due() == 2s);
    c.pass(2s);
    CHECK(c.handshaken(3) == lines{"opened after 2", "send 3: 40"});
    c.cut(3);
    CHECK(c.due() == 1s);
}

TEST_CASE("attempts can have a limit: then there is no other, until open", "[client]") {
    auto options = over_websocket();
    options.reconnection_attempts = 2;
    driver c(options);
    c.connect();
    c.drain();
    CHECK(c.cut(1) == lines{"open_failed: transport error"});
    CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error"});
    CHECK(c.pass(2s) == lines{"reconnecting 2", "open websocket 3"});
    CHECK(c.cut(3) == lines{"open_failed: transport error", "reconnect_failed"});
    CHECK(c.client.is_idle());
    CHECK(c.pass(1h).empty());
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 4"});
    CHECK(c.cut(4) == lines{"open_failed: transport error"});
    CHECK(c.due() == 1s); // counted anew
    c.pass(1s);
    CHECK(c.handshaken(5) == lines{"opened after 1", "send 5: 40"});

    options.reconnection_attempts = 0;
    connected_driver none(options);
    CHECK(none.cut(1) == lines{"disconnected /: transport close", "closed: transport close", "reconnect_failed"});
    CHECK(none.client.is_idle());
}

TEST_CASE("without reconnection the client stays where it is, until open", "[client]") {
    auto options = over_websocket();
    options.reconnection = false;
    connected_driver c(options);
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.client.is_idle());
    CHECK(c.pass(1h).empty());
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened", "send 2: 40"});
}

TEST_CASE("a client that was left by its last socket while it waited makes no other attempt", "[client]") {
    connected_driver c;
    c.cut(1);
    CHECK(c.disconnect(c.socket).empty());
    CHECK(c.client.is_idle());
    CHECK(c.pass(60s).empty());
}

TEST_CASE("joining another namespace while the client waits changes nothing: the attempt that is waited for will do",
          "[client]") {
    connected_driver c;
    c.cut(1);
    c.pass(300ms);
    c.connect("/other");
    CHECK(c.drain().empty());
    CHECK(c.due() == 700ms);
    CHECK(c.pass(700ms) == lines{"reconnecting 1", "open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40", "send 2: 40/other,"});
}

TEST_CASE("open while the client waits opens at once", "[client]") {
    connected_driver c;
    c.cut(1);
    c.pass(300ms);
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error"});
    CHECK(c.due() == 2s); // the next wait, all the same
}

TEST_CASE("joining while the connection closes opens another once it has closed", "[client]") {
    driver c(over_polling());
    auto const socket = c.connect();
    c.drain();
    c.answer(1, handshake);
    c.answer(2, "ok");
    c.answer(3, R"(40{"sid":"abc"})");
    CHECK(c.disconnect(socket) == lines{"disconnected /: io client disconnect", "post 5: 41|1"});
    c.connect();
    CHECK(c.drain().empty());
    CHECK(c.answer(4, "6").empty());
    CHECK(c.answer(5, "ok") == lines{"closed: forced close", "get 6"});
    CHECK(c.answer(6, handshake) == lines{"opened", "post 7: 40", "get 8"});
}

TEST_CASE("joining again in the handler of disconnected: on the same connection while it is open", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) c.connect();
    };
    CHECK(c.websocket(1, "41") == lines{"disconnected /: io server disconnect", "send 1: 40"});
    CHECK(c.websocket(1, R"(40{"sid":"def"})") == lines{"connected / def"});
}

TEST_CASE("joining again in the handler of disconnected: on the next connection where this one closes", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) c.connect();
    };
    CHECK(c.disconnect(c.socket) == lines{"disconnected /: io client disconnect", "send 1: 41", "close 1",
                                          "closed: forced close", "open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened", "send 2: 40"});
}

TEST_CASE("open in the handler of disconnected opens another connection once this one has closed", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) CHECK(c.client.open());
    };
    CHECK(c.disconnect(c.socket) == lines{"disconnected /: io client disconnect", "send 1: 41", "close 1",
                                          "closed: forced close", "open websocket 2"});
}

TEST_CASE("joining again in the handler of a lost connection's disconnected is not needed, and refused", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) CHECK(c.client.connect("/") == error{errc::already_connected});
    };
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.due() == 1s);
}

TEST_CASE("leaving in the handler of a lost connection's disconnected: no other attempt is made", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) c.client.disconnect(e.socket);
    };
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.client.is_idle());
}

TEST_CASE("joining with other auth in the handler of connect_error keeps the connection", "[client]") {
    driver c;
    REQUIRE(c.client.connect("/", json::object("token", "old")).has_value());
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::connect_error) CHECK(c.client.connect("/", json::object("token", "new")).has_value());
    };
    c.drain();
    CHECK(c.handshaken(1) == lines{"opened", R"(send 1: 40{"token":"old"})"});
    CHECK(c.websocket(1, R"(44{"message":"expired"})") ==
          lines{R"(connect_error / "expired")", R"(send 1: 40{"token":"new"})"});
    CHECK(c.websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
}

TEST_CASE("auth that is asked for afresh is asked for once the connection is open", "[client]") {
    driver c;
    REQUIRE(c.client.connect("/", socketio::ask_for_auth).has_value());
    int asked = 0;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::connecting)
            CHECK(c.client.authenticate(e.socket, json::object("asked", ++asked)).has_value());
    };
    c.drain();
    CHECK(c.handshaken(1) == lines{"opened", "connecting /", R"(send 1: 40{"asked":1})"});
    c.websocket(1, R"(40{"sid":"abc"})");
    c.cut(1);
    c.pass(1s);
    CHECK(c.handshaken(2) == lines{"opened after 1", "connecting /", R"(send 2: 40{"asked":2})"});
}

TEST_CASE("in closed and in open_failed the client can be told what to do next", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::closed || e.type == event_type::open_failed) CHECK(c.client.open()); // do not wait
    };
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close", "open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error", "open websocket 3"});
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::open_failed) c.client.close();
    };
    CHECK(c.cut(3) == lines{"open_failed: transport error"});
    CHECK(c.client.is_idle());
}

//=== what is emitted meanwhile ===//

TEST_CASE("what is emitted while there is no connection is sent on the next, in order: volatile events are dropped",
          "[client]") {
    connected_driver c;
    std::vector<std::uint64_t> asked;
    c.cut(1);
    CHECK(c.emit(c.socket, "one").empty());
    CHECK(c.client.emit_volatile(c.socket, "dropped") == error{errc::would_wait});
    auto const id = c.client.emit_with_ack(c.socket, 10s, "two");
    CHECK(id == 1u);
    CHECK(c.client.buffered() > 0);
    c.pass(1s);
    CHECK(c.emit(c.socket, "three").empty());
    CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"});
    CHECK(c.emit(c.socket, "four").empty());
    CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def", R"(send 2: 42["one"])",
                                                        R"(send 2: 421["two"])", R"(send 2: 42["three"])",
                                                        R"(send 2: 42["four"])"});
    CHECK(c.client.buffered() == 0);
    CHECK(c.websocket(2, "431[]") == lines{"ack 1 answered []"});
}

TEST_CASE("an acknowledgement that is awaited ends with the connection, before the socket's end is told", "[client]") {
    connected_driver c;
    CHECK(c.client.emit_with_ack(c.socket, 60s, "ask") == 1u);
    c.drain();
    CHECK(c.cut(1) == lines{"ack 1 disconnected", "disconnected /: transport close", "closed: transport close"});
}

TEST_CASE("timeouts count from the last time the client was told of, from the start on", "[client]") {
    driver c;
    auto const socket = c.connect();
    CHECK(c.client.emit_with_ack(socket, 5s, "ask") == 1u);
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.due() == 5s);
    CHECK(c.pass(5s) == lines{"ack 1 timed out"});
}

TEST_CASE("volatile events go only where the transport can take them at once", "[client]") {
    connected_driver c;
    CHECK(c.client.emit_volatile(c.socket, "a").has_value());
    CHECK(c.client.emit_volatile(c.socket, "b") == error{errc::would_wait});
    CHECK(c.drain() == lines{R"(send 1: 42["a"])"});
    c.client.pause(1); // a write is under way
    CHECK(c.client.emit_volatile(c.socket, "c") == error{errc::would_wait});
    CHECK(c.emit(c.socket, "d").empty());
    c.client.resume(1);
    CHECK(c.drain() == lines{R"(send 1: 42["d"])"});
}

TEST_CASE("what is emitted between the end of a connection and the telling of it waits for the next", "[client]") {
    connected_driver c;
    c.channels.clear();
    c.client.channel_closed(1, c.now);
    CHECK(c.client.emit(c.socket, "one").has_value());
    auto const id = c.client.emit_with_ack(c.socket, 60s, "two");
    CHECK(id == 1u);
    CHECK(c.client.emit_volatile(c.socket, "dropped") == error{errc::would_wait});
    CHECK(c.drain() == lines{"disconnected /: transport close", "closed: transport close"});
    c.pass(1s);
    c.handshaken(2);
    CHECK(c.websocket(2, R"(40{"sid":"def"})") ==
          lines{"connected / def", R"(send 2: 42["one"])", R"(send 2: 421["two"])"});
}

TEST_CASE("a laptop that slept: what is emitted when it wakes up is not lost but waits", "[client]") {
    // The pings of an hour did not come. The application's own timer fires first.
    {
        connected_driver c;
        c.now += 1h;
        c.client.handle_timeout(c.now);
        CHECK(c.client.emit(c.socket, "awake").has_value());
        CHECK(c.drain() == lines{"disconnected /: ping timeout", "closed: ping timeout", "close 1"});
        CHECK(c.due() == 1s);
        c.pass(1s);
        c.handshaken(2);
        CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def", R"(send 2: 42["awake"])"});
    }
    // Or an input comes first: a message that was on its way when the lid was closed.
    {
        connected_driver c;
        c.on_event = [&](client::event& e) {
            if (e.type == event_type::event) CHECK(c.client.emit(c.socket, "awake").has_value());
        };
        c.now += 1h;
        CHECK(c.websocket(1, R"(42["old news"])") ==
              lines{R"(event / ["old news"])", "disconnected /: ping timeout", "closed: ping timeout", "close 1"});
        c.pass(1s);
        c.handshaken(2);
        CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def", R"(send 2: 42["awake"])"});
    }
    // A ping that is handled before the deadline is looked at keeps the connection.
    {
        connected_driver c;
        c.now += 1h;
        CHECK(c.websocket(1, "2") == lines{"send 1: 3"});
        CHECK(c.emit(c.socket, "awake") == lines{R"(send 1: 42["awake"])"});
    }
}

TEST_CASE("an acknowledgement is not given on a connection that has ended", "[client]") {
    connected_driver c;
    socketio::ack_request request;
    c.on_event = [&](client::event& e) {
        if (e.ack) request = std::move(e.ack);
    };
    c.websocket(1, R"(425["ask"])");
    c.channels.clear();
    c.client.channel_closed(1, c.now);
    CHECK(c.client.acknowledge(request, 1) == error{errc::not_connected});
    c.drain();
    CHECK(c.client.acknowledge(request, 1) == error{errc::not_connected});
}

TEST_CASE("an event that came over a stream can be read on when the connection overflows in its handler", "[client]") {
    // Over a stream, where the message lies in the client's own buffer.
    auto options = over({transport::webtransport});
    options.max_queued = 10'000;
    driver c(options);
    auto const socket = c.connect();
    CHECK(c.drain() == lines{"open stream 1"});
    c.channel_opened(1);
    auto const chunk = [&](std::string const& bytes) {
        support::exact_copy const copy(bytes);
        return c.after([&] { c.client.stream_received(1, copy.view(), c.now); });
    };
    chunk(support::stream_frame(handshake));
    chunk(support::stream_frame(R"(40{"sid":"abc"})"));
    std::string const large(3'000, 'y');
    std::string read;
    c.on_event = [&](client::event& e) {
        if (e.type != event_type::event) return;
        CHECK(c.client.emit(socket, "x", std::string(9'000, 'x')).has_value());
        CHECK(c.client.emit(socket, "x", std::string(9'000, 'x')) == error{errc::queue_overflow});
        read = e.get<std::string>().value_or("");
    };
    auto const whole = support::stream_frame("42[\"a\",\"" + large + "\"]");
    chunk(whole.substr(0, 1'000));
    CHECK(chunk(whole.substr(1'000)).size() == 4);
    CHECK(read == large);
}

} // namespace stack_client_reconnection_test
