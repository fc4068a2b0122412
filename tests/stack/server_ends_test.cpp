#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stack_server_ends_test {

using namespace socketless;
using namespace support::whole_server;
using namespace std::chrono_literals;
using socketio::event_type;
using support::lines;
using support::operator+;

TEST_CASE("a socket that is disconnected is told, and its connection goes on", "[whole_server]") {
    wires w;
    w.server.declare("/a");
    w.connect(1);
    auto const a = w.join(1, "/a");
    CHECK(w.after([&] { w.server.disconnect(a); }) ==
          lines{"1 disconnected /a: server namespace disconnect", "1: 41/a,"});
    CHECK(w.after([&] { w.server.disconnect(a); }).empty());
    CHECK(w.receive(1, R"(42/a,["late"])").empty());
    CHECK(w.receive(1, "41/a,").empty());
    CHECK(w.receive(1, R"(42["on"])") == lines{R"(0 event / ["on"])"});
    w.join(1, "/a");
}

TEST_CASE("nothing is sent to a socket that is being disconnected", "[whole_server]") {
    for (bool const recovers : {false, true}) {
        wires w(recovers ? with_recovery() : server_options());
        auto const s = w.connect(1);
        w.connect(2);
        CHECK(w.server.join(s, "room"));
        CHECK(w.after([&] {
            w.server.disconnect(s);
            CHECK(w.server.emit(s, "x") == error{errc::not_connected});
            CHECK(w.server.emit_volatile(s, "x") == error{errc::not_connected});
            CHECK(w.server.emit_with_ack(s, 1s, "x").error().code == errc::not_connected);
            CHECK(w.server.to("room").emit("x") == std::size_t{0});
            CHECK(w.server.to("room").emit_volatile("x") == std::size_t{0});
            CHECK(w.server.in("/").size() == 1);
        }) == lines{"0 disconnected /: server namespace disconnect", "1: 41"});
    }
}

TEST_CASE("a connection that is disconnected takes all of its sockets with it", "[whole_server]") {
    wires w;
    w.server.declare("/a");
    auto const root = w.connect(1);
    w.join(1, "/a");
    w.connect(2);
    CHECK(w.after([&] { w.server.disconnect_connection(root); }) ==
          lines{"0 disconnected /: server namespace disconnect", "1 disconnected /a: server namespace disconnect",
                "1: 41", "1: 41/a,", "close 1"});
    CHECK(w.after([&] { w.server.disconnect_connection(root); }).empty());
    CHECK(w.server.connection_count() == 1);
}

TEST_CASE("a connection may be disconnected by a socket that waits for its answer", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    w.receive(1, "40");
    CHECK(w.after([&] { w.server.disconnect_connection(w.sockets[0]); }) ==
          lines{"0 disconnected /: server namespace disconnect", "close 1"});
}

TEST_CASE("the reasons are the reference's words", "[whole_server]") {
    wires w;
    SECTION("transport close") {
        w.connect(1);
        CHECK(w.cut(1) == lines{"0 disconnected /: transport close"});
    }
    SECTION("transport close, by a packet") {
        w.connect(1);
        CHECK(w.receive(1, "1") == lines{"0 disconnected /: transport close", "close 1"});
    }
    SECTION("transport error") {
        w.connect(1);
        CHECK(w.receive(1, "2") == lines{"0 disconnected /: transport error", "close 1"});
    }
    SECTION("parse error, by what Engine.IO cannot read") {
        w.connect(1);
        CHECK(w.receive(1, "9") == lines{"0 disconnected /: parse error", "close 1"});
    }
    SECTION("parse error, by what Socket.IO cannot read") {
        w.connect(1);
        CHECK(w.receive(1, "42[") == lines{"0 disconnected /: parse error", "close 1"});
    }
    SECTION("ping timeout") {
        w.open_polling(1);
        w.post(1, 2, "40");
        w.get(1, 3);
        w.get(1, 4);
        CHECK(w.at(25'000) == lines{"answer 4: 200 text 2"});
        CHECK(w.at(45'000) == lines{"0 disconnected /: ping timeout"});
    }
    SECTION("client namespace disconnect") {
        w.connect(1);
        CHECK(w.receive(1, "41") == lines{"0 disconnected /: client namespace disconnect"});
        CHECK(w.server.connection_count() == 1);
    }
    SECTION("forced server close") {
        w.connect(1);
        CHECK(w.receive(1, "40") == lines{"0 disconnected /: forced server close", "close 1"});
    }
}

TEST_CASE("while its end is handled a socket's id, rooms and data are there, and gone afterwards", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    w.server.join(s, "room");
    w.server.set_data(s, std::make_shared<int>(7));
    bool seen = false;
    w.on_event = [&](socketio::event& e) {
        if (e.type != event_type::disconnected) return;
        seen = true;
        CHECK(w.server.sid(s).size() == 20);
        CHECK(w.server.rooms_of(s) == std::vector<std::string_view>{"room"});
        CHECK(*w.server.data<int>(s) == 7);
        CHECK_FALSE(w.server.is_connected(s));
        CHECK(w.server.emit(s, "late") == error{errc::not_connected});
        CHECK_FALSE(w.server.join(s, "other"));
        CHECK(w.server.in("/").emit("bye") == std::size_t{0});
    };
    w.cut(1);
    CHECK(seen);
    CHECK(w.server.sid(s).empty());
    CHECK(w.server.nsp(s).empty());
    CHECK(w.server.rooms_of(s).empty());
    CHECK(w.server.data<int>(s) == nullptr);
    CHECK(w.server.connection(s) == nullptr);
    CHECK(w.server.socket_count() == 0);
    w.server.set_data(s, std::make_shared<int>(8));
    CHECK(w.server.data<int>(s) == nullptr);
}

TEST_CASE("a socket is found by its id in its namespace", "[whole_server]") {
    wires w;
    w.server.declare("/a");
    auto const s = w.connect(1);
    auto const a = w.join(1, "/a");
    CHECK(w.server.find("/", w.sid(0)) == s);
    CHECK(w.server.find("/a", w.sid(1)) == a);
    CHECK_FALSE(w.server.find("/a", w.sid(0)));
    CHECK_FALSE(w.server.find("/b", w.sid(0)));
    CHECK_FALSE(w.server.find("/", "short"));
    CHECK_FALSE(w.server.find("/", std::string(20, 'A')));
    REQUIRE(w.server.connection(s) != nullptr);
    CHECK(w.server.connection(s)->transport() == engineio::transport::websocket);
}

TEST_CASE("the id of the session below is never that of a socket", "[whole_server]") {
    wires w(with_recovery());
    w.server.declare("/a");
    std::set<std::string> secrets;
    for (std::uint64_t channel = 1; channel != 20; ++channel) {
        w.connect(channel);
        w.join(channel, "/a");
        secrets.insert(w.engine_sids[channel]);
        CHECK(w.engine_sids[channel].size() == 20);
    }
    for (std::size_t n = 0; n != w.sockets.size(); ++n) secrets.insert(w.sid(n));
    secrets.insert(w.pids.begin(), w.pids.end());
    CHECK(secrets.size() == 19 + 2 * 38);
}

TEST_CASE("the id of the session below is not that of a socket, whatever the random source gives", "[whole_server]") {
    bool again = false;
    auto const each_twice = [&, n = std::uint8_t{0}](std::span<std::byte> bytes) mutable {
        again = !again;
        if (again) ++n;
        std::fill(bytes.begin(), bytes.end(), static_cast<std::byte>(n));
    };
    server s({}, each_twice, support::start);
    std::string engine_sid;
    std::string buffer;
    auto const drain = [&] {
        while (auto const e = s.poll_event())
            if (e->type == event_type::connected) CHECK(e->sid != engine_sid);
        while (auto const t = s.poll_transmit(buffer))
            if (t->data.data.starts_with("0{")) engine_sid = t->data.data.substr(8, 20);
    };
    s.websocket_opened(1, "/socket.io/?EIO=4&transport=websocket", support::start);
    drain();
    s.websocket_received(1, support::text("40"), support::start);
    drain();
    CHECK(s.socket_count() == 1);
}

TEST_CASE("a client of the old revision is known by the id that it knows itself by", "[whole_server]") {
    wires w(with_v3());
    w.server.declare("/");
    w.server.declare("/a");
    w.server.declare("/b#c");
    w.open_v3(1);
    w.receive(1, "40/a,");
    w.receive(1, "40/b#c,");
    w.open_v3(2);
    w.receive(2, "40/a,");
    REQUIRE(w.sockets.size() == 5);
    std::string const id = w.engine_sids[1];
    CHECK(w.sid(0) == id);
    CHECK(w.sid(1) == "/a#" + id);
    CHECK(w.sid(2) == "/b#c#" + id);
    CHECK(w.sid(4) == "/a#" + w.engine_sids[2]);
    CHECK(w.server.find("/", id) == w.sockets[0]);
    CHECK(w.server.find("/a", "/a#" + id) == w.sockets[1]);
    CHECK(w.server.find("/b#c", "/b#c#" + id) == w.sockets[2]);
    for (std::string const& none : {id, "/b#c#" + id, "/#" + id, "#" + id, "a#" + id, "//a#" + id, "/a#" + id + "x"})
        CHECK_FALSE(w.server.find("/a", none));
    CHECK_FALSE(w.server.find("/", "/a#" + id));
    CHECK_FALSE(w.server.find("/", "/#" + id));

    CHECK(w.after([&] { CHECK(w.server.to(id).emit("x") == std::size_t{1}); }) == lines{R"(1: 42["x"])"});
    CHECK(w.after([&] { CHECK(w.server.in("/a").to("/a#" + id).emit("x") == std::size_t{1}); }) ==
          lines{R"(1: 42/a,["x"])"});
    CHECK(w.after([&] { CHECK(w.server.in("/a").except("/a#" + id).emit("x") == std::size_t{1}); }) ==
          lines{R"(2: 42/a,["x"])"});
    CHECK(w.after([&] { CHECK(w.server.in("/a").except(w.sockets[4]).emit("x") == std::size_t{1}); }) ==
          lines{R"(1: 42/a,["x"])"});
    CHECK(w.server.is_in(w.sockets[1], "/a#" + id));
    CHECK_FALSE(w.server.join(w.sockets[1], "/a#" + id));
    CHECK(w.server.join(w.sockets[1], id)); // a room like any other

    // A client that leaves and joins again has the same id.
    w.receive(1, "41/a,");
    CHECK_FALSE(w.server.find("/a", "/a#" + id));
    w.receive(1, "40/a,");
    CHECK(w.server.find("/a", "/a#" + id) == w.sockets[5]);
    w.cut(1);
    CHECK_FALSE(w.server.find("/a", "/a#" + id));
    CHECK_FALSE(w.server.find("/", id));
    CHECK(w.server.socket_count() == 2);
}

TEST_CASE("a client that does not read ends with its own connection only", "[whole_server]") {
    server_options options;
    options.engine.max_queued = 1'000;
    wires w(options);
    auto const slow = w.connect(1);
    w.connect(2);
    w.server.pause(1);
    std::string const text(300, 'x');
    lines all;
    for (int i = 0; i != 4; ++i) {
        auto const more = w.after([&] { CHECK(w.server.in("/").emit("e", text)); });
        all.insert(all.end(), more.begin(), more.end());
    }
    CHECK(std::count(all.begin(), all.end(), "2: 42[\"e\",\"" + text + "\"]") == 4);
    CHECK(std::count(all.begin(), all.end(), "0 disconnected /: queue overflow") == 1);
    CHECK(w.server.connection_count() == 1);
    CHECK(w.server.emit(slow, "x") == error{errc::not_connected});
}

TEST_CASE("an application that asks in vain for an acknowledgement hears of it once", "[whole_server]") {
    server_options options;
    options.engine.max_queued = 100;
    wires w(options);
    auto const s = w.connect(1);
    w.server.pause(1);
    CHECK(w.server.emit(s, "e", std::string(50, 'x')));
    auto const id = w.server.emit_with_ack(s, 1s, "q", std::string(50, 'x'));
    // Either it was refused, and nothing is awaited, or it ends with the connection.
    lines expected;
    if (id) expected.push_back("0 ack " + std::to_string(*id) + " disconnected");
    expected.push_back("0 disconnected /: queue overflow");
    expected.push_back("close 1");
    CHECK(w.drain() == expected);
}

TEST_CASE("an event that alone is over a limit is refused, whoever's limit it is, and ends nothing", "[whole_server]") {
    std::string const large(200, 'x');
    for (bool const of_sockets : {true, false}) {
        server_options options;
        (of_sockets ? options.sockets.max_queued : options.engine.max_queued) = 100;
        options.sockets.limits.max_attachments = 2;
        if (!of_sockets) options.recovery.emplace();
        wires w(options);
        auto const s = w.connect(1);
        w.connect(2);
        w.receive(1, R"(421["q"])");
        REQUIRE(w.requests.size() == 1);
        auto const one = as_bytes(std::string_view("1"));
        auto const forty = as_bytes(std::string_view(large).substr(0, 40));
        auto const all = w.server.in("/");
        for (auto const code : {errc::message_too_large, errc::too_many_attachments}) {
            auto const refuses = [&](auto const&... args) {
                CHECK(w.server.emit(s, "e", args...) == error{code});
                CHECK(w.server.emit_volatile(s, "e", args...) == error{code});
                CHECK(w.server.emit_with_ack(s, 1s, "e", args...) == error{code});
                CHECK(w.server.acknowledge(w.requests[0], args...) == error{code});
                CHECK(all.emit("e", args...) == error{code});
                CHECK(all.emit_volatile("e", args...) == error{code});
                CHECK(all.emit_with_ack(1s, "e", args...) == error{code});
            };
            if (code == errc::too_many_attachments) {
                refuses(one, one, one);
            } else {
                refuses(large);
                refuses(forty, forty);
            }
        }
        CHECK(w.drain().empty());
        CHECK(w.at(2'000).empty()); // nothing is awaited
        CHECK(w.server.socket_count() == 2);
        CHECK(w.after([&] { CHECK(all.emit("e", one).value_or(0) == 2); }).size() == 4);
        CHECK(w.after([&] { CHECK(w.server.acknowledge(w.requests[0], 1)); }) == lines{"1: 431[1]"});
    }
}

TEST_CASE("every packet that is not too large fits into an empty queue", "[whole_server]") {
    server_options options;
    options.engine.max_queued = 1'000;
    std::size_t refused = 0;
    for (std::size_t size = 450; size != 500; ++size) {
        wires w(options);
        auto const s = w.connect(1);
        std::string const half(size, 'x');
        auto const sent = w.server.emit(s, "e", half, as_bytes(half));
        if (!sent) CHECK(sent == error{errc::message_too_large});
        refused += sent ? 0u : 1u;
        w.drain();
        auto const told = w.server.in("/").emit("e", half, as_bytes(half));
        CHECK(told.has_value() == sent.has_value());
        if (sent && told) w.drain();
        CHECK(w.server.connection_count() == 1);
    }
    CHECK(refused > 5);
    CHECK(refused < 45);
}

TEST_CASE("a client whose namespace has a name too long to answer is closed", "[whole_server]") {
    server_options options;
    options.engine.max_queued = 1'000;
    for (bool const is_there : {false, true}) {
        wires w(options);
        if (is_there) w.server.declare_matching([](auto, auto) { return true; });
        w.open(1);
        auto const told = w.receive(1, "40/" + std::string(2'000, 'x') + ",");
        CHECK(std::count(told.begin(), told.end(), "close 1") == 1);
        CHECK(w.server.connection_count() == 0);
        CHECK(w.server.socket_count() == 0);
    }
}

TEST_CASE("a second POST while the first is read disconnects the sockets of its connection", "[whole_server]") {
    wires w;
    w.open_polling(1);
    w.post(1, 2, "40");
    w.get(1, 3);
    auto const target = "/socket.io/?EIO=4&transport=polling&sid=" + w.engine_sids.at(1);
    w.server.http_started({.exchange = 4, .method = engineio::http_method::post, .target = target}, w.now);
    CHECK(w.drain().empty());
    auto const said = w.post(1, 5, R"(42["x"])");
    REQUIRE(said.size() == 2);
    CHECK(said[0] == "0 disconnected /: transport error");
    CHECK(said[1].starts_with("answer 5: 400"));
    CHECK(w.server.connection_count() == 0);
}

TEST_CASE("the server closes: all is flushed, every socket is told, nobody new gets in", "[whole_server]") {
    wires w(with_v3());
    w.server.declare("/a");
    auto const s = w.connect(1);
    w.join(1, "/a");
    w.open_polling(100);
    w.post(100, 101, "40");
    w.get(100, 102);
    w.open(3); // in no namespace yet
    auto const id = w.server.emit_with_ack(s, std::nullopt, "q");
    REQUIRE(id);
    w.drain();
    CHECK(w.server.emit(s, "bye", byte_view(one_two)));
    CHECK(w.server.emit(w.sockets[2], "bye"));
    CHECK(sorted(w.after([&] { w.server.close(); })) ==
          sorted({"0 ack " + std::to_string(*id) + " disconnected", "0 disconnected /: server shutting down",
                  "1 disconnected /a: server shutting down", "2 disconnected /: server shutting down",
                  "1: 451-[\"bye\"," + std::string(placeholder) + "]", "1: <0102>", "close 1", "close 3"}));
    CHECK(w.server.connection_count() == 1); // a client of long-polling learns it with its next GET
    CHECK(w.get(100, 103) == lines{R"(answer 103: 200 text 42["bye"]|1)"});
    CHECK(w.server.connection_count() == 0);
    CHECK(w.server.socket_count() == 0);

    CHECK(w.open(4) == lines{"close 4"});
    CHECK(w.open_v3(5) == lines{"close 5"});
    CHECK(w.server.connection_count() == 0);
    CHECK(w.after([&] { w.server.close(); }).empty());
}

TEST_CASE("a client that never polls again is waited for as long as close_timeout", "[whole_server]") {
    wires w;
    w.open_polling(1);
    w.post(1, 2, "40");
    w.get(1, 3);
    CHECK(w.after([&] { w.server.close(); }) == lines{"0 disconnected /: server shutting down"});
    w.at(29'999);
    CHECK(w.server.connection_count() == 1);
    w.at(30'000);
    CHECK(w.get(1, 4).size() == 1); // 1, or a refusal: unknown session
    CHECK(w.server.connection_count() == 0);
}

TEST_CASE("an event that came over a stream in two chunks can be read though the stream has ended", "[whole_server]") {
    server io({.engine = {.transports = {engineio::transport::webtransport}}}, support::counting_random(),
              time_point());
    std::string buffer;
    std::string const opening = support::stream_frame("0");
    std::string const connect = support::stream_frame("40");
    std::string const event =
        support::stream_frame(R"(42["say","a text that is longer than a string keeps in itself"])");
    io.stream_opened(7, time_point());
    for (std::string const& bytes : {opening, connect}) {
        io.stream_received(7, bytes, time_point());
        while (io.poll_event()) continue;
        while (io.poll_transmit(buffer)) continue;
    }
    io.stream_received(7, std::string_view(event).substr(0, 20), time_point());
    io.stream_received(7, std::string_view(event).substr(20), time_point());
    auto e = io.poll_event();
    REQUIRE(e.has_value());
    io.channel_closed(7, time_point());
    CHECK(e->get<std::string>() == "a text that is longer than a string keeps in itself");
}

} // namespace stack_server_ends_test
