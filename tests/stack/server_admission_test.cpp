#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stack_server_admission_test {

using namespace socketless;
using namespace support::whole_server;
using namespace std::chrono_literals;
using support::lines;
using support::operator+;

//=== namespaces ===//

TEST_CASE("the namespace / is there, others are declared", "[whole_server]") {
    wires w;
    w.server.declare("/chat");
    w.open(1);
    CHECK(w.receive(1, "40") == lines{"0 connected /", R"(1: 40{"sid":"sid0"})"});
    CHECK(w.receive(1, R"(40/chat,{"token":1})") == lines{"1 connected /chat", R"(1: 40/chat,{"sid":"sid1"})"});
    CHECK(w.sid(0) != w.sid(1));
    CHECK(w.server.connection_count() == 1);
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
    CHECK(w.server.connection_count() == 2);
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

TEST_CASE("an empty predicate declares nothing", "[whole_server]") {
    wires w;
    w.server.declare_matching(namespace_predicate());
    w.server.declare_matching(nullptr);
    w.open(1);
    CHECK(w.receive(1, "40/any,") == lines{R"(1: 44/any,{"message":"Invalid namespace"})"});
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
    CHECK(w.server.emit(w.sockets[0], "early")); // sent once the client is let in
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
    CHECK(w.receive(1, "40").size() == 2); // without the events that were kept for the others
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
    CHECK(w.server.connection_count() == 2);
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
    CHECK(w.server.connection_count() == 0);
}

TEST_CASE("an answer to a client that has gone, unnoticed by the application, ends the question", "[whole_server]") {
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
    CHECK(w.server.connection_count() == 0);
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
    CHECK(w.server.connection_count() == 4);
    CHECK(sorted(w.at(45'000)) == lines{"1 disconnected /: forced server close", "close 1", "close 3", "close 4"});
    CHECK(w.server.connection_count() == 1);
}

//=== revision 3 of Engine.IO ===//

TEST_CASE("a client of the old revision is in / unasked, and gets a bare answer", "[whole_server]") {
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

} // namespace stack_server_admission_test
