#include "support/catch.hpp"
#include "support/server_wires.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace stack_server_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketio::ack_outcome;
using socketio::event_type;
using support::binary;
using support::lines;
using wires = support::server_wires;

namespace {

constexpr std::byte one_two[] = {std::byte{1}, std::byte{2}};
constexpr std::string_view placeholder = R"({"_placeholder":true,"num":0})";

server_options with_v3() {
    server_options options;
    options.engine.allow_v3 = true;
    return options;
}

server_options with_recovery() {
    server_options options;
    options.recovery.emplace();
    options.engine.allow_v3 = true;
    return options;
}

lines operator+(lines a, lines const& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

lines sorted(lines all) {
    std::sort(all.begin(), all.end());
    return all;
}

// What a client says that wants its state back.
std::string claim(std::string_view pid, std::string_view offset) {
    return R"({"pid":")" + std::string(pid) + R"(","offset":")" + std::string(offset) + R"("})";
}

} // namespace

//=== namespaces ===//

TEST_CASE("the namespace / is there, others are declared", "[whole_server]") {
    wires w;
    w.server.declare("/chat");
    w.open(1);
    CHECK(w.receive(1, "40") == lines{"0 connected /", R"(1: 40{"sid":"sid0"})"});
    CHECK(w.receive(1, R"(40/chat,{"token":1})") == lines{"1 connected /chat", R"(1: 40/chat,{"sid":"sid1"})"});
    CHECK(w.sid(0) != w.sid(1));
    CHECK(w.server.size() == 1);
    CHECK(w.server.socket_count() == 2);
}

TEST_CASE("a namespace that nobody knows is invalid, and the connection goes on", "[whole_server]") {
    wires w(with_v3());
    w.open(1);
    for (char const* nsp : {"/nope", "/foo/../", "//", "/a?b=c"})
        CHECK(w.receive(1, "40" + std::string(nsp) + ",") ==
              lines{"1: 44" + std::string(nsp) + R"(,{"message":"Invalid namespace"})"});
    CHECK(w.receive(1, "40").size() == 2);
    w.open_v3(2);
    CHECK(w.receive(2, "40/nope") == lines{R"(2: 44/nope,"Invalid namespace")"});
    CHECK(w.server.size() == 2);
}

TEST_CASE("a predicate is told the name and the auth of a namespace that is not declared", "[whole_server]") {
    wires w;
    lines asked;
    w.server.declare("/declared");
    w.server.declare_matching([&](std::string_view name, json::text auth) {
        asked.push_back(std::string(name) + " " + std::string(auth.raw()));
        return name.starts_with("/room-") && !auth.empty();
    });
    w.open(1);
    CHECK(w.receive(1, "40/declared,").size() == 2);
    CHECK(asked.empty());
    CHECK(w.receive(1, R"(40/room-1,{"a":1})") == lines{"1 connected /room-1", R"(1: 40/room-1,{"sid":"sid1"})"});
    CHECK(w.receive(1, "40/room-2,") == lines{R"(1: 44/room-2,{"message":"Invalid namespace"})"});
    CHECK(w.receive(1, R"(40/other,{"a":1})") == lines{R"(1: 44/other,{"message":"Invalid namespace"})"});
    CHECK(asked == lines{R"(/room-1 {"a":1})", "/room-2 ", R"(/other {"a":1})"});
}

TEST_CASE("the first predicate that likes a namespace says who admits", "[whole_server]") {
    wires w;
    w.server.declare_matching([](std::string_view name, json::text) { return name == "/a"; }, admission::ask);
    w.server.declare_matching([](std::string_view, json::text) { return true; });
    w.open(1);
    CHECK(w.receive(1, "40/a,") == lines{"0 connecting /a"});
    CHECK(w.receive(1, "40/b,").size() == 2);
}

TEST_CASE("a namespace that a predicate made is there while sockets are in it", "[whole_server]") {
    for (bool const recovers : {false, true}) {
        wires w(recovers ? with_recovery() : server_options());
        int asked = 0;
        bool likes = true;
        w.server.declare_matching([&](std::string_view, json::text) { return ++asked, likes; });
        w.connect(1, "/dynamic");
        w.connect(2, "/dynamic"); // it is there: nobody is asked
        CHECK(asked == 1);
        w.receive(1, "41/dynamic,");
        w.cut(2);
        likes = false;
        w.open(3);
        CHECK(w.receive(3, "40/dynamic,") == lines{R"(3: 44/dynamic,{"message":"Invalid namespace"})"});
        CHECK(asked == 2);
        likes = true;
        CHECK(w.receive(3, "40/dynamic,").size() == 2);
    }
}

TEST_CASE("a namespace is there while somebody waits for an answer", "[whole_server]") {
    wires w;
    int asked = 0;
    w.server.declare_matching([&](std::string_view, json::text) { return ++asked, true; }, admission::ask);
    w.open(1);
    w.open(2);
    w.receive(1, "40/dynamic,");
    w.receive(2, "40/dynamic,");
    CHECK(asked == 1);
    w.after([&] { CHECK(w.server.refuse(w.sockets[0], "no")); });
    w.cut(2);
    w.receive(1, "40/dynamic,");
    CHECK(asked == 2);
}

TEST_CASE("a namespace that was made becomes a declared one, which stays", "[whole_server]") {
    wires w;
    w.server.declare_matching([](std::string_view, json::text auth) { return !auth.empty(); });
    w.connect(1, "/x", "{}");
    w.server.declare("/x");
    w.cut(1);
    w.connect(2, "/x");
}

TEST_CASE("to declare a namespace again changes who admits", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    CHECK(w.receive(1, "40") == lines{"0 connecting /"});
    w.server.declare("/");
    w.open(2);
    CHECK(w.receive(2, "40").size() == 2);
}

//=== admission ===//

TEST_CASE("the application is asked, with the client's auth, and answers when it likes", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.server.declare("/a", admission::ask);
    w.open(1);
    w.open(2);
    CHECK(w.receive(1, R"(40{"token":"x"})") == lines{R"(0 connecting / {"token":"x"})"});
    CHECK(w.receive(1, "40/a,") == lines{"1 connecting /a"});
    CHECK(w.receive(2, "40") == lines{"2 connecting /"});
    CHECK(w.server.socket_count() == 0);
    CHECK(w.server.sid(w.sockets[0]).empty());
    CHECK_FALSE(w.server.is_connected(w.sockets[0]));
    CHECK(w.server.emit(w.sockets[0], "early")); // which goes if it is let in
    CHECK(w.server.in("/").size() == 0);

    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets[2])); }) == lines{"2 connected /", R"(2: 40{"sid":"sid2"})"});
    w.at(10'000);
    CHECK(w.after([&] { CHECK(w.server.refuse(w.sockets[0], "no", json::object("code", 1))); }) ==
          lines{R"(1: 44{"message":"no","data":{"code":1}})"});
    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets[1])); }) ==
          lines{"1 connected /a", R"(1: 40/a,{"sid":"sid1"})"});
    CHECK(w.server.accept(w.sockets[1]) == error{errc::not_connected});
    CHECK(w.server.refuse(w.sockets[1], "no") == error{errc::not_connected});
    CHECK(w.server.accept(w.sockets[0]) == error{errc::not_connected});
    CHECK(w.drain().empty());
}

TEST_CASE("what an accepted client is sent comes after the answer", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    w.receive(1, "40");
    CHECK(w.after([&] {
        CHECK(w.server.accept(w.sockets[0]));
        CHECK(w.server.emit(w.sockets[0], "hello"));
        CHECK(w.server.in("/").emit("all") == std::size_t{1});
    }) == lines{"0 connected /", R"(1: 40{"sid":"sid0"})", R"(1: 42["hello"])", R"(1: 42["all"])"});
}

TEST_CASE("what is done with a client before it is accepted counts once it is", "[whole_server]") {
    wires w(with_v3());
    w.server.declare("/", admission::ask);
    for (bool const v3 : {false, true}) {
        std::uint64_t const channel = v3 ? 2 : 1;
        if (v3)
            w.open_v3(channel);
        else
            w.open(channel);
        if (!v3) w.receive(channel, "40");
        auto const s = w.sockets.back();
        std::optional<std::uint64_t> id;
        CHECK(w.after([&] {
                   CHECK(w.server.join(s, "room"));
                   CHECK_FALSE(w.server.join(s, "room"));
                   CHECK(w.server.join(s, "left"));
                   for (auto const room : w.server.rooms_of(s)) CHECK(w.server.is_in(s, room));
                   CHECK(w.server.leave(s, "left"));
                   CHECK_FALSE(w.server.leave(s, "left"));
                   CHECK_FALSE(w.server.is_in(s, "left"));
                   CHECK(w.server.rooms_of(s) == std::vector<std::string_view>{"room"});
                   CHECK(w.server.to("room").size() == channel - 1); // not for broadcasts yet
                   w.server.set_data(s, std::make_shared<int>(7));
                   CHECK(w.server.emit(s, "first", 1, as_bytes(std::string_view("\1\2"))));
                   CHECK(w.server.emit_volatile(s, "lost") == error{errc::would_wait});
                   auto const asked = w.server.emit_with_ack(s, 60s, "q");
                   REQUIRE(asked);
                   id = *asked;
                   CHECK(w.server.emit(s, "disconnect") == error{errc::reserved_event_name});
                   CHECK(w.server.send(s, "last"));
               }).empty());
        auto const n = std::to_string(*id);
        auto const who = std::to_string(channel - 1);
        auto const wire = std::to_string(channel) + ": ";
        CHECK(w.after([&] { CHECK(w.server.accept(s)); }) ==
              lines{who + " connected /", wire + (v3 ? "40" : R"(40{"sid":"sid0"})"),
                    wire + R"(451-["first",1,{"_placeholder":true,"num":0}])", wire + (v3 ? "<040102>" : "<0102>"),
                    wire + "42" + n + R"(["q"])", wire + R"(42["message","last"])"});
        CHECK(w.server.rooms_of(s) == std::vector<std::string_view>{"room"});
        CHECK(*w.server.data<int>(s) == 7);
        CHECK(w.server.to("room").size() == channel);
        CHECK(w.receive(channel, "43" + n + "[1]") == lines{who + " ack " + n + " answered [1]"});
    }
}

TEST_CASE("a client that is refused is sent nothing else, and what it was asked ends", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.server.declare_matching([](auto, auto) { return true; }, admission::ask);
    w.open(1);
    for (int i = 0; i != 3; ++i) {
        w.receive(1, i == 2 ? "40/made," : "40");
        auto const s = w.sockets.back();
        w.server.join(s, "room");
        CHECK(w.server.emit(s, "early"));
        auto const id = w.server.emit_with_ack(s, 60s, "q").value_or(0);
        auto const another = w.server.emit_with_ack(s, 1s, "q").value_or(0);
        auto const who = std::to_string(i);
        CHECK(w.drain().empty());
        CHECK(w.at((i + 1) * 2'000) == lines{who + " ack " + std::to_string(another) + " timed out"});
        auto const told = w.after([&] { CHECK(w.server.refuse(s, "no")); });
        CHECK(told == lines{who + " ack " + std::to_string(id) + " disconnected",
                            i == 2 ? R"(1: 44/made,{"message":"no"})" : R"(1: 44{"message":"no"})"});
        CHECK(w.server.nsp(s).empty());
        CHECK_FALSE(w.server.is_in(s, "room"));
        CHECK(w.server.emit(s, "late") == error{errc::not_connected});
        CHECK(w.server.emit_with_ack(s, 1s, "late") == error{errc::not_connected});
        CHECK_FALSE(w.server.join(s, "late"));
        CHECK(w.server.rooms_of(s).empty());
    }
    CHECK(w.server.in("/made").size() == 0);
    w.server.declare("/", admission::automatic);
    CHECK(w.receive(1, "40").size() == 2); // nothing of what was kept for the others
    CHECK(w.server.to("room").size() == 0);
}

TEST_CASE("a client that goes before it is accepted takes with it what was kept, each question once",
          "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    w.receive(1, "40");
    auto const s = w.sockets.back();
    CHECK(w.server.emit(s, "early"));
    auto const id = w.server.emit_with_ack(s, std::nullopt, "q").value_or(0);
    CHECK(w.cut(1) == lines{"0 ack " + std::to_string(id) + " disconnected", "0 disconnected /: transport close"});
    CHECK(w.server.emit(s, "late") == error{errc::not_connected});
    w.open(1);
    w.receive(1, "40");
    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets.back())); }).size() == 2);
}

TEST_CASE("what is kept for the clients of a connection that are not accepted has a limit", "[whole_server]") {
    server_options options;
    options.engine.max_queued = 2'000;
    options.sockets.max_pending_acks = 3;
    wires w(options);
    w.server.declare("/", admission::ask);
    w.server.declare("/a", admission::ask);
    w.open(1);
    w.receive(1, "40");
    w.receive(1, "40/a,");
    w.open(2);
    w.receive(2, "40");
    auto const s = w.sockets[0];
    auto const a = w.sockets[1];
    auto const other = w.sockets[2];
    std::string const text(700, 'x');
    CHECK(w.server.emit(s, "e", text));
    CHECK(w.server.emit(a, "e", text));
    CHECK(w.server.emit(s, "e", text) == error{errc::buffer_full});
    CHECK(w.server.emit(a, "e", text) == error{errc::buffer_full});
    CHECK(w.server.emit_with_ack(a, 1s, "e", text) == error{errc::buffer_full});
    CHECK_FALSE(w.server.join(a, text));
    CHECK(w.server.emit(s, "e", std::string(2'000, 'x')) == error{errc::message_too_large});
    CHECK(w.server.emit(s, "e", std::vector<byte_view>(11)) == error{errc::too_many_attachments});
    CHECK(w.server.emit(other, "e", text));
    for (int i = 0; i != 3; ++i) CHECK(w.server.emit_with_ack(s, 600s, "q"));
    CHECK(w.server.emit_with_ack(s, 600s, "q") == error{errc::too_many_acks});
    CHECK(w.drain().empty());
    CHECK(w.after([&] { CHECK(w.server.accept(s)); }).size() == 6);
    CHECK(w.server.emit(a, "e", text)); // there is room again
    CHECK(w.server.join(a, text) == false);
    CHECK(w.after([&] { CHECK(w.server.accept(a)); }).size() == 4);
    CHECK(w.server.size() == 2);
}

TEST_CASE("a socket that is accepted and disconnected at once is told of both", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    w.receive(1, "40");
    CHECK(w.after([&] {
        CHECK(w.server.accept(w.sockets[0]));
        w.server.disconnect(w.sockets[0]);
    }) == lines{"0 connected /", "0 disconnected /: server namespace disconnect", R"(1: 40{"sid":"sid0"})", "1: 41"});
}

TEST_CASE("an answer to a client that has gone is refused", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    w.receive(1, "40");
    CHECK(w.cut(1) == lines{"0 disconnected /: transport close"});
    CHECK(w.server.accept(w.sockets[0]) == error{errc::not_connected});
    CHECK(w.server.refuse(w.sockets[0], "no") == error{errc::not_connected});
    CHECK(w.drain().empty());
    CHECK(w.server.size() == 0);
}

TEST_CASE("an answer to a client that has gone, which nobody has heard yet, ends the question", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    for (std::uint64_t const channel : {1u, 2u}) {
        w.open(channel);
        w.receive(channel, "40");
    }
    for (std::uint64_t const channel : {1u, 2u}) {
        w.channels.erase(channel);
        w.server.channel_closed(channel, w.now);
    }
    w.server.refuse(w.sockets[0], "no").ignore();
    CHECK(w.server.nsp(w.sockets[0]).empty());
    CHECK(w.server.accept(w.sockets[0]) == error{errc::not_connected});
    CHECK(w.server.accept(w.sockets[1]));
    CHECK(w.drain() == lines{"1 connected /", "1 disconnected /: transport close"});
    CHECK(w.server.nsp(w.sockets[1]).empty());
    CHECK(w.server.size() == 0);
    CHECK(w.server.socket_count() == 0);
}

TEST_CASE("a refusal that cannot be written leaves the question open in the whole server", "[whole_server]") {
    wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    w.receive(1, "40");
    CHECK(w.server.refuse(w.sockets[0], "\xff") == error{errc::invalid_utf8});
    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets[0])); }).size() == 2);
}

TEST_CASE("whoever is in no namespace in time is closed", "[whole_server]") {
    wires w(with_v3());
    w.open(1);
    w.connect(2);
    w.server.declare("/", admission::ask);
    w.open_v3(3);
    w.open(4);
    w.receive(4, "40");
    w.after([&] { CHECK(w.server.refuse(w.sockets.back(), "no")); });
    w.at(44'999);
    CHECK(w.server.size() == 4);
    CHECK(sorted(w.at(45'000)) == lines{"1 disconnected /: forced server close", "close 1", "close 3", "close 4"});
    CHECK(w.server.size() == 1);
}

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
    CHECK(own.size() == 0);
    own.websocket_opened({.channel = 2, .target = target, .context = 5}, {});
    CHECK(own.size() == 1);
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

TEST_CASE("an acknowledgement of another client's event is not one", "[whole_server]") {
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

//=== ends ===//

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
    CHECK(w.server.size() == 1);
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
        CHECK(w.server.size() == 1);
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

    // Who leaves and joins again has the same id.
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
    CHECK(w.server.size() == 1);
    CHECK(w.server.emit(slow, "x") == error{errc::not_connected});
}

TEST_CASE("whoever asks in vain for an acknowledgement hears of it once", "[whole_server]") {
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

TEST_CASE("what is over the limit alone is refused, whoever's limit it is, and ends nothing", "[whole_server]") {
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
        CHECK(w.server.size() == 1);
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
        CHECK(w.server.size() == 0);
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
    CHECK(w.server.size() == 0);
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
    CHECK(w.server.size() == 1); // a client that polls is told when it does
    CHECK(w.get(100, 103) == lines{R"(answer 103: 200 text 42["bye"]|1)"});
    CHECK(w.server.size() == 0);
    CHECK(w.server.socket_count() == 0);

    CHECK(w.open(4) == lines{"close 4"});
    CHECK(w.open_v3(5) == lines{"close 5"});
    CHECK(w.server.size() == 0);
    CHECK(w.after([&] { w.server.close(); }).empty());
}

TEST_CASE("a client that never polls again is waited for as long as close_timeout", "[whole_server]") {
    wires w;
    w.open_polling(1);
    w.post(1, 2, "40");
    w.get(1, 3);
    CHECK(w.after([&] { w.server.close(); }) == lines{"0 disconnected /: server shutting down"});
    w.at(29'999);
    CHECK(w.server.size() == 1);
    w.at(30'000);
    CHECK(w.get(1, 4).size() == 1); // 1, or that nobody knows it any more
    CHECK(w.server.size() == 0);
}

//=== rooms ===//

TEST_CASE("a socket joins and leaves rooms", "[whole_server]") {
    wires w;
    auto const s = w.connect(1);
    CHECK(w.server.join(s, "a"));
    CHECK_FALSE(w.server.join(s, "a"));
    CHECK(w.server.join(s, "b"));
    CHECK(w.server.join(s, ""));
    CHECK_FALSE(w.server.join(s, w.sid(0))); // it is in that by itself
    CHECK(w.server.is_in(s, "a"));
    CHECK_FALSE(w.server.is_in(s, "c"));
    CHECK(w.server.rooms_of(s) == std::vector<std::string_view>{"a", "b", ""});
    CHECK(w.server.leave(s, "a"));
    CHECK_FALSE(w.server.leave(s, "a"));
    CHECK(w.server.rooms_of(s) == std::vector<std::string_view>{"b", ""});
    CHECK_FALSE(w.server.join({}, "a"));
    CHECK_FALSE(w.server.leave({}, "a"));
    CHECK_FALSE(w.server.is_in({}, "a"));
    w.cut(1);
    CHECK_FALSE(w.server.join(s, "a"));
    CHECK_FALSE(w.server.is_in(s, "b"));
    CHECK(w.server.to("b").size() == 0);
}

TEST_CASE("rooms of different namespaces have nothing to do with each other", "[whole_server]") {
    wires w;
    w.server.declare("/a");
    auto const s = w.connect(1);
    auto const a = w.join(1, "/a");
    w.server.join(s, "room");
    w.server.join(a, "room");
    CHECK(w.after([&] { CHECK(w.server.to("room").emit("x") == std::size_t{1}); }) == lines{R"(1: 42["x"])"});
    CHECK(w.after([&] { CHECK(w.server.in("/a").to("room").emit("x") == std::size_t{1}); }) ==
          lines{R"(1: 42/a,["x"])"});
}

namespace {

// Four sockets of "/", on the channels 1 to 4: 1 is in a, 2 in b, 3 in both, 4 in none.
struct rooms_of_four {
    rooms_of_four() {
        for (std::uint64_t channel = 1; channel != 5; ++channel) w.connect(channel);
        for (auto const& [n, room] : {std::pair(0u, "a"), std::pair(1u, "b"), std::pair(2u, "a"), std::pair(2u, "b")})
            w.server.join(w.sockets[n], room);
    }

    // Who hears what is emitted to them, by channel; and what else is true of an audience.
    std::vector<int> heard_by(audience const& whom) {
        std::vector<int> heard;
        std::size_t told = 0;
        auto const all = w.after([&] {
            auto const receivers = whom.emit("x");
            REQUIRE(receivers);
            told = *receivers;
        });
        for (std::string const& line : all) {
            CHECK(line.substr(1) == R"(: 42["x"])");
            heard.push_back(line.front() - '0');
        }
        CHECK(heard.size() == told);
        CHECK(whom.size() == told);
        std::sort(heard.begin(), heard.end());
        std::vector<int> visited;
        whom.for_each([&](socketio::socket_handle s) {
            visited.push_back(static_cast<int>(std::find(w.sockets.begin(), w.sockets.end(), s) - w.sockets.begin()) +
                              1);
        });
        std::sort(visited.begin(), visited.end());
        CHECK(visited == heard);
        return heard;
    }

    audience all() { return w.server.in("/"); }

    wires w;
};

using heard = std::vector<int>;

} // namespace

TEST_CASE("an audience: all, rooms each once, less rooms, less sockets", "[whole_server]") {
    rooms_of_four r;
    CHECK(r.heard_by(r.all()) == heard{1, 2, 3, 4});
    CHECK(r.heard_by(r.all().to("a")) == heard{1, 3});
    CHECK(r.heard_by(r.all().to("a").to("b")) == heard{1, 2, 3});
    CHECK(r.heard_by(r.all().to("a").to("a")) == heard{1, 3});
    CHECK(r.heard_by(r.all().to("nobody")).empty());
    CHECK(r.heard_by(r.all().to("nobody").to("b")) == heard{2, 3});
    CHECK(r.heard_by(r.all().except("a")) == heard{2, 4});
    CHECK(r.heard_by(r.all().except("a").except("b")) == heard{4});
    CHECK(r.heard_by(r.all().to("a").except("b")) == heard{1});
    CHECK(r.heard_by(r.all().except("nobody")) == heard{1, 2, 3, 4});
    CHECK(r.heard_by(r.all().except(r.w.sockets[0])) == heard{2, 3, 4});
    CHECK(r.heard_by(r.all().to("a").except(r.w.sockets[2])) == heard{1});
    CHECK(r.heard_by(r.all().except(socketio::socket_handle{})) == heard{1, 2, 3, 4});
    CHECK(r.heard_by(r.w.server.to("a")) == heard{1, 3});
}

TEST_CASE("the id of a socket is a room that it alone is in", "[whole_server]") {
    rooms_of_four r;
    std::vector<std::string> sids;
    for (std::size_t n = 0; n != 4; ++n) sids.push_back(r.w.sid(n));
    CHECK(r.heard_by(r.all().to(sids[3])) == heard{4});
    CHECK(r.heard_by(r.all().to(sids[3]).to(sids[3])) == heard{4});
    CHECK(r.heard_by(r.all().to(sids[0]).to("a")) == heard{1, 3});
    CHECK(r.heard_by(r.all().to(sids[0]).to(sids[1])) == heard{1, 2});
    CHECK(r.heard_by(r.all().to(sids[2]).except("a")).empty());
    CHECK(r.heard_by(r.all().to(sids[2]).except(r.w.sockets[2])).empty());
    CHECK(r.heard_by(r.all().except(sids[2])) == heard{1, 2, 4});
    CHECK(r.heard_by(r.all().to("a").to("b").except(sids[2])) == heard{1, 2});
    CHECK(r.heard_by(r.all().to(sids[2]).except(sids[2])).empty());
    r.w.server.declare("/a");
    CHECK(r.w.server.in("/a").to(sids[2]).emit("x") == std::size_t{0});
}

TEST_CASE("a room may be called as another socket is: its members hear what is for that", "[whole_server]") {
    rooms_of_four r;
    auto const sid = r.w.sid(0);
    CHECK(r.w.server.join(r.w.sockets[3], sid));
    CHECK(r.heard_by(r.all().to(sid)) == heard{1, 4});
    CHECK(r.heard_by(r.all().except(sid)) == heard{2, 3});
    r.w.cut(1);
    CHECK(r.heard_by(r.all().to(sid)) == heard{4});
}

TEST_CASE("who is in an audience is looked up when it is used", "[whole_server]") {
    rooms_of_four r;
    auto const sid = r.w.sid(0);
    auto in_b = r.all();
    in_b.to("b");
    auto one = r.all();
    one.to(sid);
    auto but_one = r.all();
    but_one.except(r.w.sockets[0]);
    r.w.server.join(r.w.sockets[3], "b");
    CHECK(r.heard_by(in_b) == heard{2, 3, 4});
    r.w.cut(1);
    r.w.connect(1); // takes the number of the one that has gone
    CHECK(r.heard_by(one).empty());
    CHECK(r.w.after([&] { CHECK(but_one.emit("x") == std::size_t{4}); }).size() == 4);
}

TEST_CASE("an audience of a namespace that is not there is empty", "[whole_server]") {
    wires w;
    w.connect(1);
    auto nobody = w.server.in("/nope");
    nobody.to("a").except("b").except(w.sockets[0]);
    CHECK(nobody.size() == 0);
    CHECK(nobody.emit("x") == std::size_t{0});
    CHECK(nobody.emit_volatile("x") == std::size_t{0});
    nobody.join("c");
    nobody.leave("c");
    nobody.disconnect();
    CHECK(w.drain().empty());
}

TEST_CASE("an audience joins, leaves and is disconnected together", "[whole_server]") {
    rooms_of_four r;
    r.all().to("a").join("b");
    CHECK(r.heard_by(r.all().to("b")) == heard{1, 2, 3});
    r.all().to("b").join("b");
    CHECK(r.heard_by(r.all().to("b")) == heard{1, 2, 3});
    r.all().to("b").leave("b");
    CHECK(r.heard_by(r.all().to("b")).empty());
    CHECK(sorted(r.w.after([&] { r.all().to("a").disconnect(); })) ==
          lines{"0 disconnected /: server namespace disconnect", "1: 41",
                "2 disconnected /: server namespace disconnect", "3: 41"});
    CHECK(r.heard_by(r.all()) == heard{2, 4});
}

TEST_CASE("an audience that is put together in one expression may be kept", "[whole_server]") {
    rooms_of_four r;
    auto const& some = r.w.server.to("a").except("b");
    auto const others = r.all().except("a").except(r.w.sockets[1]);
    auto&& one = r.all().to("b").except(r.w.sockets[2]);
    CHECK(r.heard_by(some) == heard{1});
    CHECK(r.heard_by(others) == heard{4});
    CHECK(r.heard_by(one) == heard{2});
    CHECK(r.heard_by(one.except("nobody").to("a")) == heard{1, 2});
    CHECK(r.heard_by(one) == heard{1, 2}); // what is said of one that has a name stays said
}

TEST_CASE("rooms are left by the names that the server gave", "[whole_server]") {
    std::string const room = "a room with a name that is no short one";
    rooms_of_four r;
    auto& server = r.w.server;
    for (auto const s : r.w.sockets) server.join(s, room);
    auto const name = server.rooms_of(r.w.sockets[3]).back();
    CHECK(server.join(r.w.sockets[3], server.rooms_of(r.w.sockets[0]).front()));
    r.all().to(name).leave(name);
    CHECK(r.heard_by(r.all().to(room)).empty());

    for (auto const s : r.w.sockets) server.join(s, room);
    for (auto const s : r.w.sockets)
        for (auto const each : server.rooms_of(s)) CHECK(server.leave(s, each));
    CHECK(r.heard_by(r.all().to(room)).empty());

    for (auto const s : r.w.sockets) server.join(s, room);
    auto const among = r.all().to(server.rooms_of(r.w.sockets[0]).front());
    among.for_each([&](socketio::socket_handle s) {
        for (auto const each : server.rooms_of(s)) {
            server.disconnect(s);
            CHECK(each == room);
        }
    });
    CHECK(r.w.drain().size() == 8);
    CHECK(r.all().size() == 0);
}

#if defined(__cpp_exceptions)
TEST_CASE("a function that throws while it goes over an audience has done to it what it did before", "[whole_server]") {
    struct failure {};
    wires w;
    for (std::uint64_t channel = 1; channel != 6; ++channel) w.server.join(w.connect(channel), "room");
    auto const among = w.server.to("room");
    // It leaves, joins and disconnects meanwhile, and throws at the third.
    int calls = 0;
    auto const visit = [&](socketio::socket_handle s) {
        ++calls;
        w.server.leave(s, "room");
        w.server.join(s, "other");
        if (calls == 2) w.server.disconnect(w.sockets[4]);
        if (calls == 3) throw failure();
    };
    CHECK_THROWS_AS(among.for_each(visit), failure);
    CHECK(calls == 3);
    CHECK(w.drain() == lines{"4 disconnected /: server namespace disconnect", "5: 41"});
    CHECK(w.server.to("other").size() == 3);
    CHECK(among.size() == 1);
    CHECK(w.after([&] { CHECK(w.server.in("/").emit("x") == std::size_t{4}); }).size() == 4);
    calls = -10;
    among.for_each(visit);
    CHECK(calls == -9);
    CHECK(w.server.to("other").size() == 4);
    CHECK(w.server.rooms_of(w.sockets[0]) == std::vector<std::string_view>{"other"});
    w.cut(1);
    CHECK(w.server.to("other").size() == 3);
}
#endif

TEST_CASE("an audience is disconnected with the connections of its sockets", "[whole_server]") {
    rooms_of_four r;
    r.w.server.declare("/a");
    auto const other = r.w.join(1, "/a");
    CHECK(sorted(r.w.after([&] { r.all().to("a").disconnect_connections(); })) ==
          lines{"0 disconnected /: server namespace disconnect", "1: 41", "1: 41/a,",
                "2 disconnected /: server namespace disconnect", "3: 41",
                "4 disconnected /a: server namespace disconnect", "close 1", "close 3"});
    CHECK_FALSE(r.w.server.is_connected(other));
    CHECK(r.heard_by(r.all()) == heard{2, 4});
    r.w.server.in("/nope").disconnect_connections();
    CHECK(r.w.drain().empty());
}

TEST_CASE("while an audience is visited anything may be done to it", "[whole_server]") {
    rooms_of_four r;
    std::size_t visits = 0;
    CHECK(r.w.after([&] {
                 r.all().to("a").to("b").for_each([&](socketio::socket_handle s) {
                     ++visits;
                     CHECK(r.all().to("a").to("b").except("c").emit("x"));
                     r.w.server.join(s, "c");
                     r.w.server.leave(s, "a");
                 });
             })
              .size() == 3 + 2 + 1);
    CHECK(visits == 3);
}

//=== broadcasts ===//

TEST_CASE("a broadcast is encoded once: its receivers share the bytes", "[whole_server]") {
    wires w;
    for (std::uint64_t channel = 1; channel != 4; ++channel) w.connect(channel);
    std::string const text(1'000, 'x');
    CHECK(w.after([&] { CHECK(w.server.in("/").emit("e", text) == std::size_t{3}); }).size() == 3);
    CHECK(w.sent_from[1] == w.sent_from[2]);
    CHECK(w.sent_from[2] == w.sent_from[3]);
    auto const* const first = w.sent_from[1];
    CHECK(w.after([&] { CHECK(w.server.in("/").emit("e", byte_view(one_two)) == std::size_t{3}); }).size() == 6);
    CHECK(w.sent_from[1] == w.sent_from[2]);
    CHECK(w.sent_from[2] == w.sent_from[3]);
    CHECK(w.sent_from[1] != first);
}

TEST_CASE("one broadcast serves both revisions over every transport, attachments included", "[whole_server]") {
    wires w(with_v3());
    w.connect(1);
    w.open_v3(2);
    w.open_polling(100);
    w.post(100, 101, "40");
    w.get(100, 102);
    w.open_polling(200, "3"); // which joins "/" unasked
    REQUIRE(w.sockets.size() == 4);
    CHECK(w.after([&] { CHECK(w.server.in("/").emit("e", byte_view(one_two)) == std::size_t{4}); }) ==
          lines{"1: 451-[\"e\"," + std::string(placeholder) + "]", "1: <0102>",
                "2: 451-[\"e\"," + std::string(placeholder) + "]", "2: <040102>"});
    CHECK(w.get(100, 103) == lines{"answer 103: 200 text 451-[\"e\"," + std::string(placeholder) + "]|bAQI="});
    std::string const text = "451-[\"e\"," + std::string(placeholder) + "]";
    REQUIRE(text.size() == 39);
    CHECK(w.get(200, 203) == lines{"answer 203: 200 binary <" + support::to_hex(std::string("\0\3\x9\xff", 4) + text) +
                                   support::to_hex(std::string("\1\3\xff\4\1\2", 6)) + ">"});
}

TEST_CASE("a volatile broadcast reaches those who can take it", "[whole_server]") {
    wires w;
    w.connect(1);
    w.connect(2);
    w.open_polling(100);
    w.post(100, 101, "40");
    w.get(100, 102);
    w.server.pause(2);
    CHECK(w.after([&] { CHECK(w.server.in("/").emit_volatile("v", byte_view(one_two)) == std::size_t{1}); }) ==
          lines{"1: 451-[\"v\"," + std::string(placeholder) + "]", "1: <0102>"});
    w.get(100, 103);
    CHECK(w.after([&] { CHECK(w.server.in("/").emit_volatile("v", byte_view(one_two)) == std::size_t{2}); }) ==
          lines{"1: 451-[\"v\"," + std::string(placeholder) + "]", "1: <0102>",
                "answer 103: 200 text 451-[\"v\"," + std::string(placeholder) + "]|bAQI="});
    CHECK(w.after([&] { w.server.resume(2); }).empty());
}

TEST_CASE("a broadcast that asks: one outcome for each socket, then one for all", "[whole_server]") {
    wires w;
    for (std::uint64_t channel = 1; channel != 5; ++channel) w.connect(channel);
    auto const id = w.server.in("/").except(w.sockets[3]).emit_with_ack(100ms, "q", byte_view(one_two));
    REQUIRE(id);
    auto const n = std::to_string(*id);
    auto const header = "451-" + n + "[\"q\"," + std::string(placeholder) + "]";
    CHECK(sorted(w.drain()) ==
          sorted({"1: " + header, "1: <0102>", "2: " + header, "2: <0102>", "3: " + header, "3: <0102>"}));
    CHECK(w.receive(2, "43" + n + "[2]") == lines{"1 ack " + n + " answered [2]"});
    CHECK(w.receive(2, "43" + n + "[2]").empty());
    CHECK(w.receive(4, "43" + n + "[4]").empty()); // it was not asked
    SECTION("the last one has gone") {
        CHECK(w.at(100) ==
              lines{"0 ack " + n + " timed out", "2 ack " + n + " timed out", "acks_complete " + n + ": 1 of 3"});
    }
    SECTION("the last one answers") {
        CHECK(w.cut(1) == lines{"0 ack " + n + " disconnected", "0 disconnected /: transport close"});
        CHECK(w.receive(3, "43" + n + "[]") == lines{"2 ack " + n + " answered []", "acks_complete " + n + ": 2 of 3"});
    }
    SECTION("all that are left go at once") {
        CHECK(w.after([&] { w.server.close(); }) ==
              lines{"0 ack " + n + " disconnected", "0 disconnected /: server shutting down",
                    "1 disconnected /: server shutting down", "2 ack " + n + " disconnected",
                    "acks_complete " + n + ": 1 of 3", "2 disconnected /: server shutting down",
                    "3 disconnected /: server shutting down", "close 1", "close 2", "close 3", "close 4"});
    }
    CHECK(w.at(1'000).empty());
}

TEST_CASE("a broadcast that asks nobody is complete at once", "[whole_server]") {
    wires w;
    w.connect(1);
    auto const first = w.server.in("/").to("nobody").emit_with_ack(1s, "q");
    auto const second = w.server.in("/nope").emit_with_ack(std::nullopt, "q");
    REQUIRE(first);
    REQUIRE(second);
    CHECK(w.drain() == lines{"acks_complete " + std::to_string(*first) + ": 0 of 0",
                             "acks_complete " + std::to_string(*second) + ": 0 of 0"});
}

TEST_CASE("a broadcast that asks counts those whose connection fails as asked", "[whole_server]") {
    server_options options;
    options.engine.max_queued = 100;
    options.sockets.max_pending_acks = 1;
    wires w(options);
    w.connect(1);
    w.connect(2);
    w.server.pause(1);
    auto const first = w.server.in("/").to(w.sid(1)).emit_with_ack(std::nullopt, "q");
    REQUIRE(first);
    w.drain();
    CHECK(w.server.emit(w.sockets[0], "e", std::string(50, 'x')));
    auto const second = w.server.in("/").emit_with_ack(std::nullopt, "q", std::string(50, 'x'));
    REQUIRE(second); // socket 1 owes as many as it may already
    auto const n = std::to_string(*second);
    CHECK(w.drain() == lines{"0 ack " + n + " disconnected", "acks_complete " + n + ": 0 of 1",
                             "0 disconnected /: queue overflow", "close 1"});
}

//=== revision 3 of Engine.IO ===//

TEST_CASE("a client of the old revision is in / unasked, and told so bare", "[whole_server]") {
    wires w(with_v3());
    CHECK(w.open_v3(1) == lines{"0 connected /", "1: 40"});
    CHECK(w.sid(0).size() == 20);
    CHECK(w.receive(1, R"(42["x"])") == lines{R"(0 event / ["x"])"});
    CHECK(w.receive(1, "2").size() == 1); // its ping
}

TEST_CASE("a client of the old revision waits for / where the application is asked", "[whole_server]") {
    wires w(with_v3());
    w.server.declare("/", admission::ask);
    CHECK(w.open_v3(1) == lines{"0 connecting /"});
    CHECK(w.after([&] { CHECK(w.server.refuse(w.sockets[0], "no", json::object("code", 1))); }) ==
          lines{R"(1: 44"no")"});
    CHECK(w.open_v3(2) == lines{"1 connecting /"});
    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets[1])); }) == lines{"1 connected /", "2: 40"});
}

TEST_CASE("a client of the old revision says its query in place of auth", "[whole_server]") {
    wires w(with_v3());
    w.server.declare("/a", admission::ask);
    w.open_v3(1);
    CHECK(w.receive(1, "40/a?token=1&x=%20,") == lines{"1 connecting /a?token=1&x=%20"});
    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets[1])); }) == lines{"1 connected /a", "1: 40/a,"});
    CHECK(w.after([&] { CHECK(w.server.emit(w.sockets[1], "x")); }) == lines{R"(1: 42/a,["x"])"});
}

//=== connection state recovery ===//

TEST_CASE("with recovery each event ends with its offset, but not those that are volatile or ask", "[recovery]") {
    wires w(with_recovery());
    w.open(1);
    CHECK(w.receive(1, "40") == lines{"0 connected /", R"(1: 40{"sid":"sid0","pid":"pid0"})"});
    auto const s = w.sockets[0];
    CHECK(w.after([&] {
        CHECK(w.server.emit(s, "x", 1));
        CHECK(w.server.in("/").emit("y", byte_view(one_two)));
        CHECK(w.server.send(s));
    }) == lines{R"(1: 42["x",1,"1"])", "1: 451-[\"y\"," + std::string(placeholder) + ",\"2\"]", "1: <0102>",
                R"(1: 42["message","3"])"});
    CHECK(w.after([&] { CHECK(w.server.emit_volatile(s, "v")); }) == lines{R"(1: 42["v"])"});
    CHECK(w.after([&] { CHECK(w.server.in("/").emit_volatile("v")); }) == lines{R"(1: 42["v"])"});
    auto const id = w.server.emit_with_ack(s, 1s, "q");
    REQUIRE(id);
    CHECK(w.drain() == lines{"1: 42" + std::to_string(*id) + R"(["q"])"});
    auto const all = w.server.in("/").emit_with_ack(1s, "q");
    REQUIRE(all);
    CHECK(w.drain() == lines{"1: 42" + std::to_string(*all) + R"(["q"])"});
}

TEST_CASE("a client of the old revision gets offsets, but no secret", "[recovery]") {
    wires w(with_recovery());
    CHECK(w.open_v3(1) == lines{"0 connected /", "1: 40"});
    CHECK(w.after([&] { CHECK(w.server.emit(w.sockets[0], "x")); }) == lines{R"(1: 42["x","1"])"});
}

namespace {

// A socket of "/" on channel 1 that got one event, the offset of which is 1.
struct recoverable {
    explicit recoverable(server_options options = with_recovery()) : w(std::move(options)) {
        w.server.declare("/a");
        w.connect(1);
        w.after([&] { CHECK(w.server.emit(w.sockets[0], "first")); });
    }

    // A new connection that claims a state: what comes of it.
    lines come_back(std::uint64_t channel, std::string_view pid, std::string_view offset, std::string_view nsp = "") {
        w.open(channel);
        return w.receive(channel, "40" + std::string(nsp) + claim(pid, w.offset(offset)));
    }
    // Whether that is a new socket like any other; `n` is its number.
    bool is_fresh(lines const& said, std::uint64_t channel, std::size_t n, std::string_view nsp = "/") const {
        std::string const where = nsp == "/" ? "" : std::string(nsp) + ",";
        return said == lines{std::to_string(n) + " connected " + std::string(nsp),
                             std::to_string(channel) + ": 40" + where + R"({"sid":"sid)" + std::to_string(n) +
                                 R"(","pid":"pid)" + std::to_string(w.pids.size() - 1) + "\"}"};
    }

    wires w;
};

lines const recovered = {"1 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})"};

} // namespace

TEST_CASE("a client that comes back in time has its id, rooms and data, and gets what it missed", "[recovery]") {
    recoverable r;
    auto const sid = r.w.sid(0);
    r.w.server.join(r.w.sockets[0], "room");
    r.w.server.join(r.w.sockets[0], "other");
    r.w.server.set_data(r.w.sockets[0], std::make_shared<std::string>("mine"));
    CHECK(r.w.cut(1) == lines{"0 disconnected /: transport close"});
    CHECK(r.w.server.to("room").emit("missed", 1) == std::size_t{0});
    CHECK(r.w.server.in("/").emit("missed", byte_view(one_two)) == std::size_t{0});
    CHECK(r.w.server.in("/").except("other").emit("not for it") == std::size_t{0});
    CHECK(r.w.server.to("nobody").emit("not for it") == std::size_t{0});
    CHECK(r.w.server.in("/a").emit("not for it") == std::size_t{0});
    CHECK(r.w.server.in("/").emit_volatile("not for it") == std::size_t{0});
    CHECK(r.w.server.to(sid).emit("missed", 3) == std::size_t{0});
    r.w.at(119'999);
    CHECK(r.come_back(2, r.w.pids[0], "1") ==
          lines{"1 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})", R"(2: 42["missed",1,"2"])",
                "2: 451-[\"missed\"," + std::string(placeholder) + ",\"3\"]", "2: <0102>", R"(2: 42["missed",3,"7"])"});
    auto const s = r.w.sockets[1];
    CHECK(r.w.server.sid(s) == sid);
    CHECK(r.w.server.find("/", sid) == s);
    CHECK(r.w.server.rooms_of(s) == std::vector<std::string_view>{"room", "other"});
    REQUIRE(r.w.server.data<std::string>(s) != nullptr);
    CHECK(*r.w.server.data<std::string>(s) == "mine");
    CHECK(r.w.after([&] { CHECK(r.w.server.to("room").emit("on") == std::size_t{1}); }) == lines{R"(2: 42["on","8"])"});
}

TEST_CASE("what is missed twice is replayed from the offset that the client has seen", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    for (int i = 2; i != 5; ++i) CHECK(r.w.server.in("/").emit("e", i));
    CHECK(r.come_back(2, r.w.pids[0], "1").size() == 2 + 3);
    r.w.cut(2);
    CHECK(r.w.server.in("/").emit("e", 5));
    // It has seen 2 and 3 of those three.
    CHECK(r.come_back(3, r.w.pids[0], "3") == lines{"2 connected / recovered", R"(3: 40{"sid":"sid0","pid":"pid0"})",
                                                    R"(3: 42["e",4,"4"])", R"(3: 42["e",5,"5"])"});
    r.w.cut(3);
    CHECK(r.come_back(4, r.w.pids[0], "5") == lines{"3 connected / recovered", R"(4: 40{"sid":"sid0","pid":"pid0"})"});
}

TEST_CASE("what comes while a client is back comes after what it missed", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    CHECK(r.w.server.in("/").emit("missed"));
    r.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) CHECK(r.w.server.emit(e.socket, "welcome"));
    };
    CHECK(r.come_back(2, r.w.pids[0], "1") == lines{"1 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})",
                                                    R"(2: 42["missed","2"])", R"(2: 42["welcome","3"])"});
}

TEST_CASE("events that were on their way when the connection broke are not lost", "[recovery]") {
    recoverable r;
    r.w.server.pause(1);
    CHECK(r.w.server.emit(r.w.sockets[0], "queued"));
    CHECK(r.w.server.in("/").emit("queued"));
    r.w.cut(1);
    CHECK(r.come_back(2, r.w.pids[0], "1") == recovered + lines{R"(2: 42["queued","2"])", R"(2: 42["queued","3"])"});
}

TEST_CASE("a secret is good once", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    CHECK(r.come_back(2, r.w.pids[0], "1") == recovered);
    CHECK(r.is_fresh(r.come_back(3, r.w.pids[0], "1"), 3, 2));
    CHECK(r.w.sid(1) != r.w.sid(2));
    CHECK(r.w.pids.size() == 2);
}

TEST_CASE("a secret that is guessed is worth nothing, and the right one still is", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    auto wrong = r.w.pids[0];
    wrong.back() = wrong.back() == 'A' ? 'B' : 'A';
    std::size_t n = 0;
    for (std::string const& pid : {wrong, std::string(), std::string("x"), r.w.sid(0), r.w.engine_sids[1]}) {
        ++n;
        CHECK(r.is_fresh(r.come_back(1 + n, pid, "1"), 1 + n, n));
        CHECK(r.w.pids.back() != pid);
    }
    ++n;
    CHECK(r.come_back(1 + n, r.w.pids[0], "1")[0] == std::to_string(n) + " connected / recovered");
}

TEST_CASE("a claim that is no claim makes a fresh socket", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    std::size_t n = 0;
    for (std::string const& auth :
         {std::string("{}"), "{\"pid\":\"" + r.w.pids[0] + "\"}", std::string(R"({"offset":"1"})"),
          "{\"pid\":[\"" + r.w.pids[0] + "\"],\"offset\":\"1\"}", "{\"pid\":\"" + r.w.pids[0] + "\",\"offset\":1}",
          std::string(R"({"pid":null,"offset":null})"), std::string(R"({"pid":"\ud800","offset":"\ud800"})")}) {
        ++n;
        r.w.open(1 + n);
        CHECK(r.is_fresh(r.w.receive(1 + n, "40" + auth), 1 + n, n));
    }
}

TEST_CASE("there is no way back after either side has left", "[recovery]") {
    SECTION("the client") {
        recoverable r;
        r.w.receive(1, "41");
        CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    }
    SECTION("the client, and then its connection breaks") {
        recoverable r;
        r.w.receive(1, "41");
        r.w.cut(1);
        CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    }
    SECTION("the server") {
        recoverable r;
        r.w.after([&] { r.w.server.disconnect(r.w.sockets[0]); });
        r.w.cut(1);
        CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    }
    SECTION("the server, and the connection breaks before that is told") {
        recoverable r;
        r.w.server.disconnect(r.w.sockets[0]);
        r.w.cut(1);
        CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    }
    SECTION("the server, all of the connection") {
        recoverable r;
        r.w.after([&] { r.w.server.disconnect_connection(r.w.sockets[0]); });
        CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    }
}

TEST_CASE("there is no way back when the time is over", "[recovery]") {
    recoverable r;
    r.w.at(1'000);
    r.w.cut(1);
    r.w.at(121'000);
    CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
}

TEST_CASE("there is no way back from an offset after which something was dropped", "[recovery]") {
    auto options = with_recovery();
    options.recovery->max_packets = 2;
    recoverable r(options);
    r.w.after([&] { CHECK(r.w.server.in("/").emit("e", 2)); });
    r.w.cut(1);
    for (int i = 3; i != 5; ++i) CHECK(r.w.server.in("/").emit("e", i));
    CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1)); // 2 is gone
    CHECK(r.come_back(3, r.w.pids[0], "2") == lines{"2 connected / recovered", R"(3: 40{"sid":"sid0","pid":"pid0"})",
                                                    R"(3: 42["e",3,"3"])", R"(3: 42["e",4,"4"])"});
}

TEST_CASE("there is no way back into another namespace", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1", "/a,"), 2, 1, "/a"));
    CHECK(r.come_back(3, r.w.pids[0], "1")[0] == "2 connected / recovered");
}

TEST_CASE("while the old socket is still connected its secret makes a fresh one", "[recovery]") {
    recoverable r;
    CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    CHECK(r.w.server.socket_count() == 2);
    r.w.cut(1);
    CHECK(r.come_back(3, r.w.pids[0], "1")[0] == "2 connected / recovered");
}

TEST_CASE("an offset that was never given is refused", "[recovery]") {
    recoverable r;
    r.w.cut(1);
    std::size_t n = 0;
    std::string const seen = r.w.offset("1");
    for (std::string const& offset :
         {std::string(), std::string("0"), std::string("1x"), std::string("1c"), std::string("bob"), r.w.offset("2"),
          r.w.offset("3"), seen + " ", " " + seen, seen.substr(1), seen.substr(0, 19), std::string(20, 'A'),
          seen.substr(0, 12) + "AAAAAAAA", seen.substr(0, 12) + "________", seen.substr(0, 12) + "AAAAAA=B",
          std::string(12, 'A') + seen.substr(12), std::string("\\u0031x")}) {
        ++n;
        CHECK(r.is_fresh(r.come_back(1 + n, r.w.pids[0], offset), 1 + n, n));
    }
    ++n;
    CHECK(r.come_back(1 + n, r.w.pids[0], "1")[0] == std::to_string(n) + " connected / recovered");
}

TEST_CASE("an application that wants to be asked again lets a client back in as any other", "[recovery]") {
    auto options = with_recovery();
    options.skip_middlewares = false;
    recoverable r(options);
    std::vector<bool> told;
    r.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connecting) told.push_back(e.recovered);
    };
    r.w.server.declare("/", admission::ask);
    r.w.cut(1);
    CHECK(r.w.server.in("/").emit("missed"));
    CHECK(r.come_back(2, r.w.pids[0], "1") == lines{"1 connecting / " + claim(r.w.pids[0], r.w.offset("1"))});
    CHECK(r.w.after([&] { CHECK(r.w.server.refuse(r.w.sockets[1], "not now")); }).size() == 1);
    CHECK(r.come_back(3, r.w.pids[0], "1") == lines{"2 connecting / " + claim(r.w.pids[0], r.w.offset("1"))});
    CHECK(r.w.server.in("/").emit("missed too"));
    CHECK(r.w.after([&] { CHECK(r.w.server.accept(r.w.sockets[2])); }) ==
          lines{"2 connected / recovered", R"(3: 40{"sid":"sid0","pid":"pid0"})", R"(3: 42["missed","2"])",
                R"(3: 42["missed too","3"])"});
    r.come_back(4, r.w.pids[0], r.w.offset("1"));
    CHECK(told == std::vector<bool>{true, true, false}); // whether the state will be recovered
}

TEST_CASE("an application that has accepted a client is not asked when it comes back", "[recovery]") {
    recoverable r;
    r.w.server.declare("/", admission::ask);
    r.w.cut(1);
    CHECK(r.w.server.in("/").emit("missed"));
    CHECK(r.come_back(2, r.w.pids[0], "1") == recovered + lines{R"(2: 42["missed","2"])"});
    // Whoever does not recover is asked about.
    CHECK(r.come_back(3, r.w.pids[0], "1") == lines{"2 connecting / " + claim(r.w.pids[0], r.w.offset("1"))});
}

TEST_CASE("a client that was said to be recovered, and cannot be when it is accepted, is not let in as another",
          "[recovery]") {
    auto options = with_recovery();
    options.skip_middlewares = false;
    recoverable r(options);
    bool told = false;
    r.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connecting) told = e.recovered;
    };
    r.w.server.declare("/", admission::ask);
    r.w.at(1'000);
    r.w.cut(1);
    r.w.at(120'500);
    r.come_back(2, r.w.pids[0], "1");
    CHECK(told);
    r.w.at(121'000); // the state has expired
    CHECK(r.w.after([&] { CHECK(r.w.server.accept(r.w.sockets[1]) == error{errc::not_connected}); }) ==
          lines{"1 disconnected /: forced server close", "close 2"});
    r.come_back(3, r.w.pids[0], "1");
    CHECK_FALSE(told);
    CHECK(r.w.after([&] { CHECK(r.w.server.accept(r.w.sockets[2])); })[0] == "2 connected /");
}

TEST_CASE("events emitted to a socket whose connection is lost are kept for it", "[recovery]") {
    recoverable r;
    auto const lost = r.w.sockets[0];
    r.w.server.channel_closed(1, r.w.now);
    CHECK(r.w.server.emit(lost, "before that is known"));
    std::vector<std::string> at_end;
    r.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::disconnected) CHECK(r.w.server.emit(e.socket, "while it is told"));
    };
    r.w.channels.erase(1);
    r.w.drain();
    CHECK(r.w.server.emit(lost, "later", byte_view(one_two)));
    CHECK(r.w.server.in("/").except(lost).emit("not for it") == std::size_t{0});
    CHECK(r.w.server.emit_volatile(lost, "v") == error{errc::not_connected});
    CHECK(r.w.server.emit_with_ack(lost, 1s, "q").error() == error{errc::not_connected});
    CHECK(r.come_back(2, r.w.pids[0], "1") ==
          recovered + lines{R"(2: 42["before that is known","2"])", R"(2: 42["while it is told","3"])",
                            "2: 451-[\"later\"," + std::string(placeholder) + ",\"4\"]", "2: <0102>"});
    CHECK(r.w.server.emit(lost, "x") == error{errc::not_connected}); // it is another socket now
}

TEST_CASE("events are not kept for a socket that cannot come back", "[recovery]") {
    recoverable r;
    auto const left = r.w.sockets[0];
    SECTION("because it has left") {
        r.w.receive(1, "41");
    }
    SECTION("because it was disconnected") {
        r.w.after([&] { r.w.server.disconnect(left); });
    }
    SECTION("because its connection broke the rules") {
        r.w.receive(1, "nonsense");
    }
    SECTION("because the time is over") {
        r.w.cut(1);
        r.w.at(120'000);
    }
    CHECK(r.w.server.emit(left, "x") == error{errc::not_connected});
    CHECK(r.w.server.emit({}, "x") == error{errc::not_connected});
}

TEST_CASE("a socket that is disconnected after its connection was lost does not recover", "[recovery]") {
    recoverable r;
    auto const lost = r.w.sockets[0];
    SECTION("by itself") {
        r.w.cut(1);
        r.w.server.disconnect(lost);
    }
    SECTION("with its connection") {
        r.w.cut(1);
        r.w.server.disconnect_connection(lost);
    }
    SECTION("while the loss is told") {
        r.w.on_event = [&](socketio::event& e) {
            if (e.type == event_type::disconnected) r.w.server.disconnect(e.socket);
        };
        r.w.cut(1);
    }
    CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
    CHECK(r.w.server.emit(lost, "x") == error{errc::not_connected});
}

TEST_CASE("a client that did not read does not recover", "[recovery]") {
    auto options = with_recovery();
    options.engine.max_queued = 1'000;
    recoverable r(options);
    r.w.server.pause(1);
    for (int i = 0; i != 4; ++i) r.w.server.emit(r.w.sockets[0], "e", std::string(300, 'x')).ignore();
    CHECK(r.w.drain() == lines{"0 disconnected /: queue overflow", "close 1"});
    CHECK(r.is_fresh(r.come_back(2, r.w.pids[0], "1"), 2, 1));
}

TEST_CASE("a client that missed more than its queue takes starts afresh", "[recovery]") {
    auto options = with_recovery();
    options.engine.max_queued = 1'000;
    recoverable r(options);
    r.w.cut(1);
    std::string const text(250, 'x');
    for (int i = 0; i != 3; ++i) CHECK(r.w.server.in("/").emit("e", text));
    bool const fits = GENERATE(true, false);
    if (!fits) CHECK(r.w.server.in("/").emit("e", text));
    auto const said = r.come_back(2, r.w.pids[0], "1");
    if (fits)
        CHECK(said.size() == 2 + 3);
    else
        CHECK(r.is_fresh(said, 2, 1));
    CHECK(r.w.server.is_connected(r.w.sockets[1]));
}

TEST_CASE("sockets of the old revision are not kept", "[recovery]") {
    wires w(with_recovery());
    w.open_v3(1);
    auto const lost = w.sockets[0];
    CHECK(w.after([&] { CHECK(w.server.emit(lost, "x")); }) == lines{R"(1: 42["x","1"])"});
    w.cut(1);
    CHECK(w.server.emit(lost, "x") == error{errc::not_connected});
    CHECK_FALSE(w.server.poll_timeout()); // nothing is kept
}

TEST_CASE("a client that goes before it is let back in may come again", "[recovery]") {
    auto options = with_recovery();
    options.skip_middlewares = false;
    recoverable r(options);
    r.w.server.declare("/", admission::ask);
    r.w.cut(1);
    r.come_back(2, r.w.pids[0], "1");
    SECTION("and its end has been told") {
        r.w.cut(2);
    }
    SECTION("and its end has not been told yet") {
        r.w.channels.erase(2);
        r.w.server.channel_closed(2, r.w.now);
        r.w.server.accept(r.w.sockets[1]).ignore();
        r.w.drain();
    }
    SECTION("and its connection was closed here, which has not been told yet") {
        r.w.server.disconnect_connection(r.w.sockets[1]);
        CHECK(r.w.server.accept(r.w.sockets[1]) == error{errc::not_connected});
        r.w.drain();
    }
    r.come_back(3, r.w.pids[0], "1");
    CHECK(r.w.after([&] { CHECK(r.w.server.accept(r.w.sockets[2])); })[0] == "2 connected / recovered");
}

TEST_CASE("a client may be let back in while the end of its old socket is handled", "[recovery]") {
    recoverable r;
    r.w.server.declare("/", admission::ask);
    auto const sid = r.w.sid(0);
    r.come_back(2, r.w.pids[0], "1");
    r.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::disconnected) CHECK(r.w.server.accept(r.w.sockets[1]));
    };
    CHECK(r.w.cut(1) ==
          lines{"0 disconnected /: transport close", "1 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})"});
    CHECK(r.w.server.find("/", sid) == r.w.sockets[1]);
    CHECK(r.w.after([&] { CHECK(r.w.server.to(sid).emit("x") == std::size_t{1}); }) == lines{R"(2: 42["x","2"])"});
}

TEST_CASE("a namespace that a predicate made is not taken for another by who comes back", "[recovery]") {
    wires w(with_recovery());
    w.server.declare_matching([](std::string_view, json::text) { return true; });
    auto const come_and_go = [&w](std::uint64_t channel, std::string_view nsp) {
        w.connect(channel, nsp);
        w.after([&] { CHECK(w.server.emit(w.sockets.back(), "e")); });
        w.cut(channel);
    };
    come_and_go(1, "/x");
    w.at(60'000);
    come_and_go(2, "/x"); // it has been empty since now, not since then
    w.at(130'000);
    w.open(3);
    CHECK(w.receive(3, "40/y," + claim(w.pids.at(1), w.offset("2")))[0] == "2 connected /y");
    CHECK(w.receive(3, "40/x," + claim(w.pids.at(1), w.offset("2")))[0] == "3 connected /x recovered");
}

TEST_CASE("the server shuts down, and the way back is open", "[recovery]") {
    // To another server, in the reference: here the state stays in this one, where nobody gets in any more.
    recoverable r;
    CHECK(r.w.after([&] { r.w.server.close(); }) == lines{"0 disconnected /: server shutting down", "close 1"});
    CHECK(r.w.open(2) == lines{"close 2"});
}

TEST_CASE("a socket enters no more rooms than it may", "[whole_server]") {
    server_options options;
    options.max_rooms = 2;
    wires w(options);
    w.connect(1);
    w.connect(2);
    auto const first = w.sockets[0];
    CHECK(w.server.join(first, "a"));
    CHECK(w.server.join(first, "b"));
    CHECK_FALSE(w.server.join(first, "c"));
    CHECK_FALSE(w.server.is_in(first, "c"));
    CHECK(w.server.rooms_of(first).size() == 2);
    w.server.in("/").join("c");
    CHECK(w.server.in("/").to("c").size() == 1); // the other one
    CHECK(w.server.leave(first, "a"));
    CHECK(w.server.join(first, "c"));
}

} // namespace stack_server_test
