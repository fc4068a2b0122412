#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_server_recovery_test {

using namespace socketless;
using namespace support::whole_server;
using namespace std::chrono_literals;
using socketio::event_type;
using support::lines;
using support::operator+;

namespace {

// The auth of a client that wants its state back.
std::string claim(std::string_view pid, std::string_view offset) {
    return R"({"pid":")" + std::string(pid) + R"(","offset":")" + std::string(offset) + R"("})";
}

} // namespace

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

    // Claims a state on a new connection.
    lines come_back(std::uint64_t channel, std::string_view pid, std::string_view offset, std::string_view nsp = "") {
        w.open(channel);
        return w.receive(channel, "40" + std::string(nsp) + claim(pid, w.offset(offset)));
    }
    // Whether the claim led to a new socket; `n` is its number.
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

TEST_CASE("an invalid claim makes a fresh socket", "[recovery]") {
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
    // The application is asked about a client that does not recover.
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

TEST_CASE("a client that comes back does not take another namespace for the one that a predicate made", "[recovery]") {
    wires w(with_recovery());
    w.server.declare_matching([](std::string_view, json::text) { return true; });
    auto const come_and_go = [&w](std::uint64_t channel, std::string_view nsp) {
        w.connect(channel, nsp);
        w.after([&] { CHECK(w.server.emit(w.sockets.back(), "e")); });
        w.cut(channel);
    };
    come_and_go(1, "/x");
    w.at(60'000);
    come_and_go(2, "/x"); // empty since now, not since the first time
    w.at(130'000);
    w.open(3);
    CHECK(w.receive(3, "40/y," + claim(w.pids.at(1), w.offset("2")))[0] == "2 connected /y");
    CHECK(w.receive(3, "40/x," + claim(w.pids.at(1), w.offset("2")))[0] == "3 connected /x recovered");
}

TEST_CASE("the server shuts down, and the way back is open", "[recovery]") {
    // In the reference, to another server: here the state stays in this server, which lets nobody in any more.
    recoverable r;
    CHECK(r.w.after([&] { r.w.server.close(); }) == lines{"0 disconnected /: server shutting down", "close 1"});
    CHECK(r.w.open(2) == lines{"close 2"});
}

} // namespace stack_server_recovery_test
