#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_server_rooms_test {

using namespace socketless;
using namespace support::whole_server;
using namespace std::chrono_literals;
using support::lines;
using support::operator+;

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

// Four sockets of "/", on the channels 1 to 4: 1 is in a, 2 in b, 3 in both, 4 in no room.
struct rooms_of_four {
    rooms_of_four() {
        for (std::uint64_t channel = 1; channel != 5; ++channel) w.connect(channel);
        for (auto const& [n, room] : {std::pair(0u, "a"), std::pair(1u, "b"), std::pair(2u, "a"), std::pair(2u, "b")})
            w.server.join(w.sockets[n], room);
    }

    // The channels that get an event for the audience; checks `size` and `for_each` too.
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
    CHECK(r.heard_by(one) == heard{1, 2}); // a call on a named audience changes it
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
TEST_CASE("when a function throws in for_each, its earlier acts stand and no call follows", "[whole_server]") {
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
    REQUIRE(second); // socket 1 may owe no more
    auto const n = std::to_string(*second);
    CHECK(w.drain() == lines{"0 ack " + n + " disconnected", "acks_complete " + n + ": 0 of 1",
                             "0 disconnected /: queue overflow", "close 1"});
}

} // namespace stack_server_rooms_test
