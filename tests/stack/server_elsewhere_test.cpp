// A server whose sessions are kept elsewhere: what its clients see of it, and its application does not.

#include "drivers/memory_elsewhere.hpp"
#include "drivers/stacks.hpp"
#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/msgpack_parser.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_server_elsewhere_test {

using namespace socketless;
using namespace support::whole_server;
using namespace std::chrono_literals;
using socketio::event_type;
using support::common_memory;
using support::lines;
using support::memory_elsewhere;
using support::operator+;

namespace {

// A server, and what keeps its sessions.
struct world {
    explicit world(server_options options = with_recovery(), common_memory* memory = nullptr)
        : w(std::move(options)), node(w.server, memory == nullptr ? own : *memory) {}

    common_memory own;
    wires w;
    memory_elsewhere node;

    template <class... Args>
    lines broadcast(std::string_view room, std::string_view name, Args const&... args) {
        return w.after([&] {
            CHECK(node.broadcast("/", room, name, args...));
            node.deliver();
        });
    }
    lines deliver() {
        return w.after([&] { node.deliver(); });
    }
    lines answer() {
        return w.after([&] { node.answer(); });
    }
    lines noted() { return std::exchange(node.asked, {}); }

    // A client of channel 1 that has seen the event with the offset 1-0.
    void connect_first() {
        w.connect(1);
        CHECK(broadcast("", "first") == lines{R"(1: 42["first","1-0"])"});
    }
    // The first client is lost.
    void lose_first() {
        connect_first();
        w.cut(1);
        noted();
    }
    lines come_back(std::uint64_t channel, std::string_view pid, std::string_view offset = "1-0",
                    std::string_view nsp = "") {
        w.open(channel);
        return w.receive(channel, "40" + std::string(nsp) + R"({"pid":")" + std::string(pid) + R"(","offset":")" +
                                      std::string(offset) + "\"}");
    }
};

lines fresh(std::size_t n, std::uint64_t channel, std::size_t pid) {
    auto const who = std::to_string(n);
    return {who + " connected /",
            std::to_string(channel) + R"(: 40{"sid":"sid)" + who + R"(","pid":"pid)" + std::to_string(pid) + "\"}"};
}

lines const recovered = {"1 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})"};

} // namespace

//=== the form of offsets ===//

TEST_CASE("an offset of Redis is two numbers with a hyphen between them", "[recovery]") {
    for (auto const* const text : {"0-0", "1700000000000-12", "18446744073709551615-18446744073709551615"})
        CHECK(detail::is_offset(text));
    for (auto const* const text : {"", "-", "1", "1-", "-1", "1-1-1", "1--1", "+1-1", "1-1 ", " 1-1", "1-a", "a-1"})
        CHECK_FALSE(detail::is_offset(text));
}

TEST_CASE("an event misleads if the last of its array is a string like an offset of Redis", "[recovery]") {
    for (auto const* const text : {R"(2["1-1"])", R"(2["e","1-1"])", R"(2/nsp,["e",1,"0123-0"])", R"(2["e","1-1" ] )",
                                   R"(2["e","\u0031-1"])", R"(2["e","1\u002d\u0039"])", R"(2["e","1\u002D1"])"})
        CHECK(detail::misleads(text));
    for (auto const* const text :
         {"", "]", "\"]", "1-1\"]", R"(2["e"])", R"(2["e","x1-1"])", R"(2["e",["1-1"]])", R"(2["e",{"a":"1-1"}])",
          R"(2["e","1-1",1])", R"(2["e","a\"1-1"])", R"(2["e","\\1-1"])", R"(2["e","1-\u0061"])", R"(2["e","1-\u00"])",
          R"(2["e","1-\u003"])", R"(2["e","1-\n1"])", R"(2["e","u-d"])", R"(2["e",""])", R"(2["e","1\u012d1"])"})
        CHECK_FALSE(detail::misleads(text));
}

//=== clients that come back ===//

TEST_CASE("a client that comes back has the state that was kept elsewhere, and gets what it missed", "[recovery]") {
    world a;
    a.connect_first();
    auto const sid = a.w.sid(0);
    a.w.server.join(a.w.sockets[0], "room");
    a.w.server.join(a.w.sockets[0], "other");
    a.w.server.set_data(a.w.sockets[0], std::make_shared<std::string>("mine"));
    CHECK(a.w.cut(1) == lines{"0 disconnected /: transport close"});
    CHECK(a.noted() == lines{"persist / room,other"}); // once, while the socket can be read
    CHECK(a.broadcast("room", "missed", 1).empty());
    CHECK(a.broadcast(sid, "missed", byte_view(one_two)).empty());
    CHECK(a.broadcast("nobody", "not for it").empty());
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.noted() == lines{"restore / 1-0"});
    CHECK(a.w.server.socket_count() == 0);
    CHECK(a.answer() == recovered + lines{R"(2: 42["missed",1,"2-0"])",
                                          "2: 451-[\"missed\"," + std::string(placeholder) + ",\"3-0\"]", "2: <0102>"});
    auto const s = a.w.sockets[1];
    CHECK(a.w.server.sid(s) == sid);
    CHECK(a.w.server.find("/", sid) == s);
    CHECK(a.w.server.rooms_of(s) == std::vector<std::string_view>{"room", "other"}); // its id is none of them
    REQUIRE(a.w.server.data<std::string>(s) != nullptr);
    CHECK(*a.w.server.data<std::string>(s) == "mine");
    CHECK(a.broadcast("room", "on") == lines{R"(2: 42["on","5-0"])"});
    CHECK(a.w.cut(2) == lines{"1 disconnected /: transport close"});
    CHECK(a.noted() == lines{"persist / room,other"});
    CHECK(a.come_back(3, a.w.pids[0], "5-0").empty());
    CHECK(a.answer() == lines{"2 connected / recovered", R"(3: 40{"sid":"sid0","pid":"pid0"})"});
}

TEST_CASE("a client comes back to another server", "[recovery]") {
    common_memory memory;
    world a(with_recovery(), &memory);
    a.w.connect(1);
    CHECK(a.broadcast("", "first").size() == 1);
    auto const sid = a.w.sid(0);
    a.w.server.join(a.w.sockets[0], "room");
    a.w.cut(1);
    world b(with_recovery(), &memory);
    CHECK(a.broadcast("room", "missed").empty());
    CHECK(b.deliver().empty());
    CHECK(b.come_back(2, a.w.pids[0]).empty());
    CHECK(b.answer() ==
          lines{"0 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})", R"(2: 42["missed","2-0"])"});
    CHECK(b.w.sid(0) == sid);
    CHECK(b.w.pids[0] == a.w.pids[0]);
}

TEST_CASE("a real client recovers", "[recovery]") {
    support::stacks s(with_recovery());
    common_memory memory;
    memory_elsewhere node(s.server, memory);
    std::vector<std::string> got;
    bool is_recovered = false;
    s.on_client_event = [&](std::size_t, socketio::event& e) {
        if (e.type == event_type::event) got.push_back(support::show(e.packet));
        if (e.type == event_type::connected) is_recovered = e.recovered;
    };
    client_options options;
    SECTION("by long-polling first") {}
    SECTION("by WebSocket") {
        options.transports = {engineio::transport::websocket};
    }
    auto const c = s.add(options);
    REQUIRE(s.client(c).connect("/"));
    s.settle();
    CHECK(node.broadcast("/", "", "first"));
    node.deliver();
    s.settle();
    s.cut(c);
    s.mend(c);
    CHECK(node.broadcast("/", "", "missed"));
    node.deliver();
    s.pass(10s);
    REQUIRE(node.claims.size() == 1);
    node.answer();
    s.settle();
    CHECK(is_recovered);
    CHECK(got == std::vector<std::string>{R"(["first","1-0"])", R"(["missed","2-0"])"});
}

TEST_CASE("a client whose session is not found starts afresh", "[recovery]") {
    world a;
    a.lose_first();
    SECTION("because nobody has it") {
        a.own.sessions.clear();
    }
    SECTION("because its offset has gone") {
        CHECK(a.come_back(2, a.w.pids[0], "7-0").empty());
        CHECK(a.answer() == fresh(1, 2, 1));
        return;
    }
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.answer() == fresh(1, 2, 1));
    CHECK(a.w.sid(1) != "");
    CHECK(a.w.pids[1] != a.w.pids[0]);
}

TEST_CASE("whoever cannot look for sessions now says so, and the client starts afresh at once", "[recovery]") {
    world a;
    a.lose_first();
    a.node.is_down = true;
    CHECK(a.come_back(2, a.w.pids[0]) == fresh(1, 2, 1));
    CHECK(a.noted().empty());
}

TEST_CASE("a claim that cannot be good is not looked for", "[recovery]") {
    world a;
    a.lose_first();
    std::string const pid = a.w.pids[0];
    std::size_t n = 0;
    for (std::string const& auth :
         {std::string(), std::string("{}"), "{\"pid\":\"" + pid + "\"}", std::string(R"({"offset":"1-0"})"),
          "{\"pid\":\"" + pid + R"(","offset":1})", "{\"pid\":\"" + pid + R"(","offset":""})",
          "{\"pid\":\"" + pid + R"(","offset":"1"})", "{\"pid\":\"" + pid + R"(","offset":"1-0 "})",
          "{\"pid\":\"" + pid + R"(","offset":"+"})",
          "{\"pid\":\"" + pid + R"(","offset":"1-)" + std::string(40, '0') + "\"}",
          std::string(R"({"pid":"short","offset":"1-0"})"),
          std::string(R"({"pid":"*2345678901234567890","offset":"1-0"})"),
          std::string(R"({"pid":"123456789012345678\u0000\n","offset":"1-0"})"),
          "{\"pid\":[\"" + pid + R"("],"offset":"1-0"})"}) {
        ++n;
        a.w.open(1 + n);
        CHECK(a.w.receive(1 + n, "40" + auth) == fresh(n, 1 + n, n));
    }
    CHECK(a.noted().empty());
    CHECK(a.come_back(100, pid).empty());
    CHECK(a.noted() == lines{"restore / 1-0"});
}

TEST_CASE("of two clients that claim a session at once one gets it", "[recovery]") {
    world a;
    a.lose_first();
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.come_back(3, a.w.pids[0]).empty());
    CHECK(a.answer() == lines{"1 connected / recovered", "2 connected /", R"(2: 40{"sid":"sid0","pid":"pid0"})",
                              R"(3: 40{"sid":"sid2","pid":"pid1"})"});
}

TEST_CASE("a client claims a session for each of its namespaces", "[recovery]") {
    world a;
    a.w.server.declare("/a");
    a.connect_first();
    a.w.join(1, "/a");
    CHECK(a.w.after([&] {
        CHECK(a.node.broadcast("/a", "", "first"));
        a.node.deliver();
    }) == lines{R"(1: 42/a,["first","2-0"])"});
    a.w.cut(1);
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.w.receive(2, R"(40/a,{"pid":")" + a.w.pids[1] + R"(","offset":"2-0"})").empty());
    CHECK(a.answer() == lines{"2 connected / recovered", "3 connected /a recovered",
                              R"(2: 40{"sid":"sid0","pid":"pid0"})", R"(2: 40/a,{"sid":"sid1","pid":"pid1"})"});
}

//=== while a client waits ===//

TEST_CASE("the application hears nothing of a client that goes while its session is looked for", "[recovery]") {
    world a;
    a.w.server.declare_matching([](std::string_view, json::text) { return true; });
    a.lose_first();
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    auto const waiting = a.node.claims.at(0).socket;
    CHECK(a.node.emitter().is_restoring(waiting));
    CHECK(a.w.server.sid(waiting).empty());
    CHECK_FALSE(a.w.server.is_connected(waiting));
    CHECK(a.w.server.accept(waiting) == error{errc::not_connected});
    CHECK(a.w.server.refuse(waiting, "no") == error{errc::not_connected});
    CHECK(a.w.server.emit(waiting, "x") == error{errc::not_connected});
    CHECK(a.w.server.emit_volatile(waiting, "x") == error{errc::not_connected});
    CHECK(a.w.server.emit_with_ack(waiting, 1s, "x") == error{errc::not_connected});
    CHECK_FALSE(a.w.server.join(waiting, "x"));
    SECTION("because its connection breaks") {
        CHECK(a.w.cut(2).empty());
    }
    SECTION("because its connection breaks, which the server has yet to notice") {
        a.w.channels.erase(2);
        a.w.server.channel_closed(2, a.w.now);
        CHECK(a.answer().empty());
    }
    SECTION("because it breaks the rules") {
        CHECK(a.w.receive(2, R"(42["too early"])") == lines{"close 2"});
    }
    SECTION("because it asks twice") {
        CHECK(a.w.receive(2, "40") == lines{"close 2"});
    }
    SECTION("because it leaves") {
        CHECK(a.w.receive(2, "41") == lines{"close 2"});
    }
    SECTION("because the server closes") {
        CHECK(a.w.after([&] { a.w.server.close(); }) == lines{"close 2"});
    }
    SECTION("because its time is over") {
        CHECK(a.w.at(44'999).empty());
        CHECK(a.w.at(45'000) == lines{"close 2"}); // as one that the application does not answer
    }
    CHECK_FALSE(a.node.emitter().is_restoring(waiting));
    CHECK(a.answer().empty());
    a.node.emitter().end_restoring(waiting, nullptr); // too late, and harmless
    CHECK(a.w.drain().empty());
    CHECK(a.w.server.connection_count() == 0);
    CHECK(a.w.server.nsp(waiting).empty());
}

TEST_CASE("a client that waits for its session takes part in its other namespaces", "[recovery]") {
    world a;
    a.w.server.declare("/a");
    a.lose_first();
    a.w.open(2);
    CHECK(a.w.receive(2, "40/a,") == lines{"1 connected /a", R"(2: 40/a,{"sid":"sid1","pid":"pid1"})"});
    CHECK(a.w.receive(2, R"(40{"pid":")" + a.w.pids[0] + R"(","offset":"1-0"})").empty());
    CHECK(a.w.receive(2, R"(42/a,["x"])") == lines{R"(1 event /a ["x"])"});
    a.w.at(50'000);
    CHECK(a.answer() == lines{"2 connected / recovered", R"(2: 40{"sid":"sid0","pid":"pid0"})"});
}

//=== the application is asked ===//

TEST_CASE("an application is asked once it is known whether the state comes back", "[recovery]") {
    auto options = with_recovery();
    options.skip_middlewares = false;
    world a(options);
    a.w.server.declare("/", admission::automatic);
    a.connect_first();
    a.w.server.declare("/", admission::ask);
    a.w.cut(1);
    CHECK(a.broadcast("", "missed").empty());
    std::vector<bool> told;
    a.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connecting) told.push_back(e.recovered);
        if (e.type == event_type::connecting) CHECK(e.sid.empty());
    };
    std::string const claim = R"({"pid":")" + a.w.pids[0] + R"(","offset":"1-0"})";
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.answer() == lines{"1 connecting / " + claim});
    SECTION("and lets it in") {
        CHECK(a.w.after([&] {
                     CHECK(a.w.server.emit(a.w.sockets[1], "early"));
                     CHECK(a.w.server.join(a.w.sockets[1], "early"));
                 })
                  .empty());
        CHECK(a.w.after([&] { CHECK(a.w.server.accept(a.w.sockets[1])); }) ==
              recovered + lines{R"(2: 42["missed","2-0"])", R"(2: 42["early"])"});
        CHECK(a.w.server.rooms_of(a.w.sockets[1]) == std::vector<std::string_view>{"early"});
        CHECK(told == std::vector<bool>{true});
    }
    SECTION("and keeps it out") {
        CHECK(a.w.after([&] { CHECK(a.w.server.refuse(a.w.sockets[1], "no")); }) == lines{R"(2: 44{"message":"no"})"});
        CHECK(a.come_back(3, a.w.pids[0]).empty());
        CHECK(a.answer() == lines{"2 connecting / " + claim}); // the session is good once
        CHECK(told == std::vector<bool>{true, false});
    }
    SECTION("and the client goes meanwhile") {
        CHECK(a.w.cut(2) == lines{"1 disconnected /: transport close"});
    }
    SECTION("and the client has gone before it is told") {
        CHECK(a.come_back(3, a.w.pids[0]).empty());
        a.node.answer();
        a.w.channels.erase(3);
        a.w.server.channel_closed(3, a.w.now);
        CHECK(a.w.drain() == lines{"2 connecting / " + claim, "2 disconnected /: transport close"});
    }
    SECTION("and the socket is there again before it answers") {
        a.own.sessions[a.w.pids[0]] = {.pid = a.w.pids[0], .sid = a.own.sessions[a.w.pids[0]].sid};
    }
}

TEST_CASE("an application that has accepted a client is not asked when its session is found elsewhere", "[recovery]") {
    world a;
    a.lose_first();
    a.w.server.declare("/", admission::ask);
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.answer() == recovered);
    // But about one that is not found.
    CHECK(a.come_back(3, a.w.pids[0]).empty());
    CHECK(a.answer() == lines{R"(2 connecting / {"pid":")" + a.w.pids[0] + R"(","offset":"1-0"})"});
    CHECK(a.w.after([&] { CHECK(a.w.server.accept(a.w.sockets[2])); }) == fresh(2, 3, 1));
}

TEST_CASE("the auth of a client that has waited is there while it is told", "[recovery]") {
    world a;
    a.lose_first();
    a.own.sessions.clear();
    a.w.server.declare("/", admission::ask);
    std::string const secret(100, 's');
    a.w.open(2);
    CHECK(a.w.receive(2, R"(40{"pid":")" + a.w.pids[0] + R"(","offset":"1-0","secret":")" + secret + "\"}").empty());
    std::string seen;
    a.w.on_event = [&](socketio::event& e) {
        if (e.type != event_type::connecting) return;
        CHECK(a.w.server.accept(e.socket));
        seen = e.data.find("secret")->get<std::string>().value();
    };
    CHECK(a.answer().size() == 3);
    CHECK(seen == secret);
}

//=== sessions that cannot be given ===//

TEST_CASE("a session that does not fit is not given", "[recovery]") {
    auto options = with_recovery();
    options.max_rooms = 2;
    options.engine.max_queued = 1'000;
    world a(options);
    a.lose_first();
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    SECTION("but with as many of its rooms as a socket may have") {
        a.w.after([&] {
            a.node.answer([](auto& found) { found.session.rooms = {"a", found.session.sid, "b", "c"}; });
        });
        CHECK(a.w.server.rooms_of(a.w.sockets[1]) == std::vector<std::string_view>{"a", "b"});
        return;
    }
    lines told;
    auto const answer_with = [&](auto change) { told = a.w.after([&] { a.node.answer(change); }); };
    SECTION("because it has missed too much") {
        answer_with([](auto& found) {
            for (int i = 0; i != 4; ++i) found.missed.push_back({"2[\"" + std::string(250, 'x') + "\",\"2-0\"]", {}});
        });
    }
    SECTION("because its id is no id") {
        auto const id = GENERATE(as<std::string>(), "", "short", "12345678901234567890x", "123456789012345678\"}",
                                 "1234567890123456789\xff");
        answer_with([&](auto& found) { found.session.sid = id; });
    }
    CHECK(told == fresh(1, 2, 1));
}

TEST_CASE("a session whose socket is there is not given", "[recovery]") {
    world a;
    a.connect_first();
    auto const sid = a.w.sid(0);
    a.own.sessions[a.w.pids[0]] = {.pid = a.w.pids[0], .sid = sid}; // Redis has it all the same
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.answer() == fresh(1, 2, 1));
    CHECK(a.w.sid(0) == sid);
    CHECK(a.w.sid(1) != sid);
}

//=== what is kept ===//

TEST_CASE("a socket is kept if its client may come back", "[recovery]") {
    world a;
    a.connect_first();
    auto const s = a.w.sockets[0];
    lines kept;
    SECTION("the connection broke") {
        a.w.cut(1);
        kept = {"persist /"};
    }
    SECTION("the server shuts down") {
        a.w.after([&] { a.w.server.close(); });
        kept = {"persist /"};
    }
    SECTION("the client is silent") {
        a.w.server.pause(1);
        a.w.at(60'000);
        kept = {"persist /"};
    }
    SECTION("not if it has left") {
        a.w.receive(1, "41");
        a.w.cut(1);
    }
    SECTION("not if it was disconnected") {
        a.w.after([&] { a.w.server.disconnect(s); });
        a.w.cut(1);
    }
    SECTION("not if it was disconnected, and the connection breaks before that is told") {
        a.w.channels.erase(1);
        a.w.server.channel_closed(1, a.w.now);
        a.w.server.disconnect(s);
        a.w.drain();
    }
    SECTION("not if its connection was closed") {
        a.w.after([&] { a.w.server.disconnect_connection(s); });
    }
    SECTION("not if it broke the rules") {
        a.w.receive(1, "nonsense");
    }
    CHECK(a.noted() == kept);
}

TEST_CASE("sockets of the old revision have no secret, and are not kept", "[recovery]") {
    world a;
    CHECK(a.w.open_v3(1) == lines{"0 connected /", "1: 40"});
    CHECK(a.broadcast("", "x") == lines{R"(1: 42["x","1-0"])"});
    a.w.cut(1);
    CHECK(a.noted().empty());
}

#if defined(__cpp_exceptions)
TEST_CASE("a session that cannot be kept is lost, and its end is told all the same", "[recovery]") {
    world a;
    a.connect_first();
    a.node.persist_fails = true;
    CHECK(a.w.cut(1) == lines{"0 disconnected /: transport close"});
    CHECK(a.w.server.emit(a.w.sockets[0], "x") == error{errc::not_connected});
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.answer() == fresh(1, 2, 1));
}
#endif

//=== events ===//

TEST_CASE("an event for one socket goes elsewhere, and comes back with its offset", "[recovery]") {
    world a;
    a.connect_first();
    auto const s = a.w.sockets[0];
    CHECK(a.w.after([&] { CHECK(a.w.server.emit(s, "x", 1)); }).empty());
    CHECK(a.noted() == lines{"emit /"});
    CHECK(a.deliver() == lines{R"(1: 42["x",1,"2-0"])"});
    CHECK(a.w.server.emit(s, "disconnect") == error{errc::reserved_event_name});
    CHECK(a.w.server.emit(s, "x", "\xff") == error{errc::invalid_utf8});
    a.noted();
    CHECK(a.w.after([&] { CHECK(a.w.server.emit_volatile(s, "v")); }) == lines{R"(1: 42["v"])"});
    auto const id = a.w.server.emit_with_ack(s, 1s, "q");
    REQUIRE(id);
    CHECK(a.w.drain() == lines{"1: 42" + std::to_string(*id) + R"(["q"])"});
    CHECK(a.noted().empty());
    CHECK(a.w.after([&] { CHECK(a.w.server.in("/").emit("y") == std::size_t{1}); }) == lines{R"(1: 42["y"])"});
}

TEST_CASE("events for a socket that dies go elsewhere until it is gone", "[recovery]") {
    world a;
    a.connect_first();
    auto const s = a.w.sockets[0];
    a.w.channels.erase(1);
    a.w.server.channel_closed(1, a.w.now);
    CHECK(a.w.server.emit(s, "before that is known"));
    a.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::disconnected) CHECK(a.w.server.emit(e.socket, "while it is told"));
    };
    a.w.drain();
    CHECK(a.w.server.emit(s, "later") == error{errc::not_connected});
    CHECK(a.noted() == lines{"emit /", "persist /", "emit /"});
    a.node.deliver();
    CHECK(a.come_back(2, a.w.pids[0]).empty());
    CHECK(a.answer() ==
          recovered + lines{R"(2: 42["before that is known","2-0"])", R"(2: 42["while it is told","3-0"])"});
}

TEST_CASE("events for a socket that dies for good are refused", "[recovery]") {
    world a;
    a.connect_first();
    auto const s = a.w.sockets[0];
    a.w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::disconnected) CHECK(a.w.server.emit(s, "x") == error{errc::not_connected});
    };
    a.w.server.disconnect(s);
    CHECK(a.w.server.emit(s, "x") == error{errc::not_connected});
    a.w.drain();
    CHECK(a.w.server.emit(s, "x") == error{errc::not_connected});
    CHECK(a.w.server.emit({}, "x") == error{errc::not_connected});
    CHECK(a.noted().empty());
}

TEST_CASE("an event that was encoded elsewhere gets its offset whatever the parser", "[recovery]") {
    auto options = with_recovery();
    options.sockets.parser = &socketio::msgpack_parser;
    support::stacks s(options);
    common_memory memory;
    memory_elsewhere node(s.server, memory);
    std::vector<std::string> got;
    s.on_client_event = [&](std::size_t, socketio::event& e) {
        if (e.type == event_type::event) got.push_back(support::show(e.packet));
    };
    client_options with_parser;
    with_parser.parser = options.sockets.parser;
    auto const c = s.add(with_parser);
    REQUIRE(s.client(c).connect("/"));
    s.settle();
    CHECK(node.broadcast("/", "", "e", byte_view(one_two)));
    node.deliver();
    s.settle();
    s.cut(c);
    s.mend(c);
    CHECK(node.broadcast("/", "", "missed", byte_view(one_two)));
    node.deliver();
    s.pass(10s);
    node.answer();
    s.settle();
    CHECK(got == lines{"[\"e\"," + std::string(placeholder) + ",\"1-0\"] <0102>",
                       "[\"missed\"," + std::string(placeholder) + ",\"2-0\"] <0102>"});
}

TEST_CASE("an event that asks, or may be dropped, carries no offset even if it has one", "[recovery]") {
    world a;
    a.connect_first();
    attachment_list const attachments;
    detail::encoded_event const encoded{R"(2["e"])", 1, attachments, "5-0"};
    CHECK(a.w.after([&] { CHECK(a.node.emitter().broadcast(a.w.server.in("/"), encoded)); }) ==
          lines{R"(1: 42["e","5-0"])"});
    CHECK(a.w.after([&] { CHECK(a.node.emitter().broadcast_volatile(a.w.server.in("/"), encoded)); }) ==
          lines{R"(1: 42["e"])"});
    auto const id = a.node.emitter().broadcast_with_ack(a.w.server.in("/"), 1s, encoded);
    REQUIRE(id);
    CHECK(a.w.drain() == lines{"1: 42" + std::to_string(*id) + R"(["e"])"});
}

//=== clients that were misled ===//

TEST_CASE("a client that took a string for an offset does not recover", "[recovery]") {
    world a;
    a.connect_first();
    a.w.connect(2);
    auto const s = a.w.sockets[0];
    attachment_list const attachments;
    auto& out = a.node.emitter();
    auto const here = a.w.server.in("/").except(a.w.sockets[1]);
    bool is_misled = true;
    SECTION("of a volatile event for it") {
        CHECK(a.w.server.emit_volatile(s, "v", "1-0"));
    }
    SECTION("of a volatile event for all") {
        CHECK(here.emit_volatile("v", "1-0"));
    }
    SECTION("of an event of this server only") {
        CHECK(here.emit("v", "1-0"));
    }
    SECTION("of an event that comes without its offset") {
        CHECK(out.broadcast(here, {R"(2["v","1-0"])", 1, attachments}));
    }
    SECTION("of a volatile event from elsewhere") {
        CHECK(out.broadcast_volatile(here, {R"(2["v","\u0031-0"])", 1, attachments, "9-0"}));
    }
    SECTION("but not if nothing was sent") {
        a.w.server.pause(1);
        CHECK(here.emit("fills"));
        CHECK(here.emit_volatile("v", "1-0") == std::size_t{0});
        CHECK(a.w.server.emit_volatile(s, "v", "1-0") == error{errc::would_wait});
        is_misled = false;
    }
    SECTION("but by an event that asks it is not misled") {
        CHECK(a.w.server.emit_with_ack(s, 1s, "q", "1-0"));
        CHECK(here.emit_with_ack(1s, "q", "1-0"));
        is_misled = false;
    }
    SECTION("nor by one that has an offset, nor by another string") {
        CHECK(out.broadcast(here, {R"(2["v","1-0"])", 1, attachments, "1-0"}));
        a.w.drain();
        CHECK(a.w.server.emit_volatile(s, "v", "1-x"));
        CHECK(here.emit("v", "1-0", 1));
        is_misled = false;
    }
    a.w.drain();
    a.noted();
    a.w.cut(2); // the other one has seen nothing of it
    CHECK(a.noted() == lines{"persist /"});
    a.w.cut(1);
    CHECK(a.noted() == (is_misled ? lines{} : lines{"persist /"}));
}

TEST_CASE("a client that was misled while it was let in does not recover", "[recovery]") {
    world a;
    a.w.server.declare("/", admission::ask);
    bool const asks = GENERATE(false, true);
    a.w.open(1);
    a.w.receive(1, "40");
    auto const s = a.w.sockets[0];
    if (asks)
        CHECK(a.w.server.emit_with_ack(s, 1s, "early", "1-0"));
    else
        CHECK(a.w.server.emit(s, "early", "1-0"));
    CHECK(a.noted().empty());
    a.w.after([&] { CHECK(a.w.server.accept(s)); });
    a.w.cut(1);
    CHECK(a.noted() == (asks ? lines{"persist /"} : lines{}));
}

TEST_CASE("sockets can be kept from recovering", "[recovery]") {
    world a;
    for (std::uint64_t channel = 1; channel != 5; ++channel) a.w.connect(channel);
    for (std::size_t i : {0u, 1u}) a.w.server.join(a.w.sockets[i], "room");
    auto const sid = a.w.sid(2);
    SECTION("by their room and ids") {
        a.node.emitter().spoil(a.w.server.in("/").to("room").to(sid).except(a.w.sockets[1]));
        for (std::uint64_t channel = 1; channel != 5; ++channel) a.w.cut(channel);
        CHECK(a.noted() == lines{"persist / room", "persist /"});
    }
    SECTION("also if they are lost already") {
        for (std::uint64_t channel = 1; channel != 5; ++channel) {
            a.w.channels.erase(channel);
            a.w.server.channel_closed(channel, a.w.now);
        }
        a.node.emitter().spoil(a.w.server.in("/"));
        a.w.drain();
        CHECK(a.noted().empty());
    }
    SECTION("but not those of a namespace that is not there") {
        a.node.emitter().spoil(a.w.server.in("/none"));
        a.w.cut(1);
        CHECK(a.noted() == lines{"persist / room"});
    }
}

//=== whether sessions are kept at all ===//

TEST_CASE("a server that does not recover ignores whoever would keep its sessions", "[recovery]") {
    world a{server_options()};
    CHECK_FALSE(a.w.server.options().recovery);
    a.w.open(1);
    CHECK(a.w.receive(1, R"(40{"pid":"12345678901234567890","offset":"1-0"})") ==
          lines{"0 connected /", R"(1: 40{"sid":"sid0"})"});
    CHECK(a.w.after([&] { CHECK(a.w.server.emit(a.w.sockets[0], "x")); }) == lines{R"(1: 42["x"])"});
    a.w.cut(1);
    CHECK(a.noted().empty());
}

TEST_CASE("nobody recovers once whoever kept the sessions has gone", "[recovery]") {
    common_memory memory;
    wires w(with_recovery());
    auto node = std::make_unique<memory_elsewhere>(w.server, memory);
    w.connect(1);
    auto const s = w.sockets[0];
    w.server.declare("/asked", admission::ask);
    w.open(2);
    std::string const claim = R"({"pid":"12345678901234567890","offset":"1-0"})";
    CHECK(w.receive(2, "40" + claim).empty());
    w.open(3);
    CHECK(w.receive(3, "40/asked," + claim).empty());
    w.open(4);
    CHECK(w.receive(4, "40/asked,") == lines{"1 connecting /asked"});
    node.reset();
    CHECK(w.drain() == lines{"2 connected /", "3 connecting /asked " + claim, R"(2: 40{"sid":"sid2"})"});
    CHECK(w.after([&] { CHECK(w.server.accept(w.sockets[1])); }) ==
          lines{"1 connected /asked", R"(4: 40/asked,{"sid":"sid1"})"});
    CHECK(w.after([&] { CHECK(w.server.emit(s, "x", "1-0")); }) == lines{R"(1: 42["x","1-0"])"});
    CHECK(w.after([&] { CHECK(w.server.emit_volatile(s, "x", "1-0")); }) == lines{R"(1: 42["x","1-0"])"});
    CHECK(w.after([&] { CHECK(w.server.in("/").except(w.sockets[2]).emit("x", "1-0")); }) ==
          lines{R"(1: 42["x","1-0"])"});
    CHECK(w.cut(1) == lines{"0 disconnected /: transport close"});
    w.open(5);
    CHECK(w.receive(5, "40" + claim) == lines{"4 connected /", R"(5: 40{"sid":"sid4"})"});
    w.server.disconnect(s);
    CHECK_FALSE(w.server.emit(s, "x"));
}

} // namespace stack_server_elsewhere_test
