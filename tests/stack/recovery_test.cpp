// Recovery must not give events from before a socket was there, the state of another, or a state that was taken away.

#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stack_recovery_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketio::event_type;

namespace {

server_options with_recovery() {
    server_options options;
    options.recovery.emplace();
    return options;
}

// One client over raw frames of a WebSocket: it can claim whatever it likes.
class raw_client {
public:
    raw_client(support::stacks& world, std::uint64_t channel) : world_(&world), channel_(channel) {
        world_->server.websocket_opened(channel_, "/socket.io/?EIO=4&transport=websocket", world_->now);
        drain();
    }

    // What the server sends in answer.
    std::vector<std::string> send(std::string const& message) {
        world_->server.websocket_received(channel_, {frame_kind::text, message}, world_->now);
        return drain();
    }
    void lose() {
        world_->server.channel_closed(channel_, world_->now);
        drain();
    }
    std::vector<std::string> drain() {
        std::vector<std::string> sent;
        std::string buffer;
        for (;;) {
            if (auto e = world_->server.poll_event()) {
                world_->on_server_event(*e);
            } else if (auto const t = world_->server.poll_transmit(buffer)) {
                if (t->type == engineio::transmit_type::send && t->id == channel_) sent.emplace_back(t->data.data);
            } else {
                return sent;
            }
        }
    }

private:
    support::stacks* world_;
    std::uint64_t channel_;
};

std::string member(std::string const& connect, std::string_view key) {
    auto const at = connect.find("\"" + std::string(key) + "\":\"") + key.size() + 4;
    return connect.substr(at, connect.find('"', at) - at);
}

// The last argument of the last event.
std::string offset_in(std::vector<std::string> const& sent) {
    REQUIRE_FALSE(sent.empty());
    std::string const& event = sent.back();
    auto const end = event.rfind('"');
    auto const begin = event.rfind('"', end - 1) + 1;
    return event.substr(begin, end - begin);
}

std::string claim(std::string const& pid, std::string const& offset) {
    return "{\"pid\":\"" + pid + "\",\"offset\":\"" + offset + "\"}";
}

} // namespace

TEST_CASE("the number of a namespace to which a client may come back is never given to another", "[server][recovery]") {
    support::stacks world(with_recovery());
    std::map<std::string, socketio::socket_handle> sockets;
    std::map<std::string, bool> recovered;
    world.server.declare_matching([](std::string_view, json::text) { return true; });
    world.on_server_event = [&](socketio::event& e) {
        if (e.type != event_type::connected) return;
        recovered[std::string(e.nsp)] = e.recovered;
        sockets[std::string(e.nsp)] = e.socket;
        if (!e.recovered) CHECK(world.server.emit(e.socket, "hello"));
    };
    // A client in its own namespace is lost. Another is lost and comes back, more often than the store has room for
    // sessions.
    raw_client kept(world, 1);
    auto const own = kept.send("40/own,");
    world.server.join(sockets["/own"], "board");
    kept.lose();
    auto busy = std::make_unique<raw_client>(world, 2);
    auto const other = busy->send("40/busy,");
    std::uint64_t channel = 2;
    for (int i = 0; i != 10'050; ++i) {
        busy->lose();
        busy = std::make_unique<raw_client>(world, ++channel);
        auto const back = busy->send("40/busy," + claim(member(other[0], "pid"), offset_in(other)));
        if (!recovered["/busy"] || back.empty()) FAIL("a legitimate recovery has ended");
    }
    // The secret of one namespace is worth nothing in a namespace that is made now.
    raw_client spy(world, ++channel);
    auto const told = spy.send("40/spy," + claim(member(own[0], "pid"), offset_in(own)));
    CHECK_FALSE(recovered["/spy"]);
    CHECK(member(told.at(0), "pid") != member(own[0], "pid"));
    CHECK(world.server.rooms_of(sockets["/spy"]).empty());
    // Its owner can still use it.
    raw_client back(world, ++channel);
    back.send("40/own," + claim(member(own[0], "pid"), offset_in(own)));
    CHECK(recovered["/own"]);
    CHECK(world.server.is_in(sockets["/own"], "board"));
}

TEST_CASE("namespaces that predicates made go when nobody can come back to them", "[server][recovery]") {
    support::stacks world(with_recovery());
    std::size_t asked = 0;
    bool wanted = true;
    world.server.declare_matching([&](std::string_view, json::text) { return ++asked, wanted; });
    for (std::uint64_t channel = 1; channel != 50; ++channel) {
        raw_client client(world, channel);
        client.send("40/room" + std::to_string(channel) + ",");
        CHECK(world.server.in("/room" + std::to_string(channel)).emit("news"));
        client.drain();
        client.lose();
    }
    CHECK(asked == 49);
    CHECK(world.server.in("/room1").emit("is kept")); // the namespace is there while somebody may come back
    world.now += 120s;
    REQUIRE(world.server.poll_timeout() <= world.now);
    world.server.handle_timeout(world.now);
    CHECK(world.server.in("/room1").emit("is not kept"));
    world.server.handle_timeout(world.now += 1s);
    CHECK_FALSE(world.server.poll_timeout());
}

TEST_CASE("an offset from before a socket was connected recovers nothing", "[server][recovery]") {
    support::stacks world(with_recovery());
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) world.server.join(e.socket, "board");
    };
    raw_client first(world, 1);
    first.send("40");
    CHECK(world.server.to("board").emit("secret", "1"));
    std::vector<std::string> const seen = {offset_in(first.drain()), [&] {
                                               CHECK(world.server.to("board").emit("secret", "2"));
                                               return offset_in(first.drain());
                                           }()};

    raw_client late(world, 2);
    auto const pid = member(late.send("40").at(0), "pid");
    late.lose();
    for (std::string const& offset : seen) {
        raw_client again(world, 3);
        auto const answer = again.send("40" + claim(pid, offset));
        REQUIRE(answer.size() == 1);
        CHECK(member(answer[0], "pid") != pid);
        again.lose();
    }
}

TEST_CASE("what was kept for a namespace that is gone is not replayed in one that has its number",
          "[server][recovery]") {
    support::stacks world(with_recovery());
    world.server.declare_matching([](std::string_view, json::text) { return true; });
    raw_client secret(world, 1);
    secret.send("40/secret,");
    CHECK(world.server.in("/secret").emit("hello"));
    auto const before = offset_in(secret.drain());
    secret.lose();
    world.now += 100s;
    world.server.handle_timeout(world.now);
    CHECK(world.server.in("/secret").emit("payroll", "alice 100"));
    world.now += 21s; // the session has expired, the event has not
    world.server.handle_timeout(world.now);

    raw_client pub(world, 2);
    auto const pid = member(pub.send("40/pub,").at(0), "pid");
    CHECK(world.server.in("/pub").emit("hello"));
    auto const seen = offset_in(pub.drain());
    pub.lose();
    for (std::string const& offset : {before, seen}) {
        raw_client again(world, 3);
        for (auto const& sent : again.send("40/pub," + claim(pid, offset)))
            CHECK(sent.find("payroll") == std::string::npos);
        again.lose();
    }
}

TEST_CASE("data that was set before a socket is accepted is not replaced by recovered data", "[server][recovery]") {
    auto options = with_recovery();
    options.skip_middlewares = false;
    support::stacks world(options);
    world.server.declare("/", admission::ask);
    std::string user = "alice";
    std::vector<std::string> users;
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connecting) {
            world.server.set_data(e.socket, std::make_shared<std::string>(user));
            CHECK(world.server.accept(e.socket));
        }
        if (e.type == event_type::connected) {
            users.push_back(*world.server.data<std::string>(e.socket));
            CHECK(world.server.emit(e.socket, "hello"));
        }
    };
    raw_client alice(world, 1);
    auto const answer = alice.send("40");
    auto const pid = member(answer.at(0), "pid");
    alice.lose();
    user = "bob";
    raw_client again(world, 2);
    CHECK(member(again.send("40" + claim(pid, offset_in(answer))).at(0), "pid") == pid); // recovered
    CHECK(users == std::vector<std::string>{"alice", "bob"});
}

TEST_CASE("a socket that is disconnected while the loss of its connection is handled does not recover",
          "[server][recovery]") {
    support::stacks world(with_recovery());
    world.server.declare("/chat");
    socketio::socket_handle chat;
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected && e.nsp == "/chat") chat = e.socket;
        if (e.type == event_type::connected) CHECK(world.server.emit(e.socket, "hello"));
        if (e.type == event_type::disconnected && e.nsp == "/") world.server.disconnect(chat); // a ban
    };
    raw_client client(world, 1);
    client.send("40");
    auto const answer = client.send("40/chat,");
    auto const pid = member(answer.at(0), "pid");
    client.lose();
    raw_client again(world, 2);
    CHECK(member(again.send("40/chat," + claim(pid, offset_in(answer))).at(0), "pid") != pid);
}

TEST_CASE("a predicate may declare the namespace that it is asked for, and other predicates", "[server]") {
    support::stacks world;
    world.server.declare_matching([&](std::string_view name, json::text) {
        for (int i = 0; i != 20; ++i) world.server.declare_matching([](std::string_view, json::text) { return false; });
        world.server.declare(name);
        return true;
    });
    raw_client first(world, 1);
    first.send("40/room,");
    raw_client second(world, 2);
    second.send("40/room,");
    CHECK(world.server.in("/room").size() == 2);
    first.lose();
    CHECK(world.server.in("/room").size() == 1);
}

TEST_CASE("a claim to an earlier connection may be written with escapes", "[server][recovery]") {
    support::stacks world(with_recovery());
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) CHECK(world.server.emit(e.socket, "hello"));
    };
    raw_client client(world, 1);
    auto const answer = client.send("40");
    auto const pid = member(answer.at(0), "pid");
    std::string offset = answer.at(1).substr(0, answer.at(1).rfind('"'));
    offset.erase(0, offset.rfind('"') + 1);
    auto const escaped = [](std::string_view s) {
        std::string all;
        for (char const c : s) {
            auto const code = static_cast<unsigned>(c);
            all += "\\u00";
            all += "0123456789abcdef"[code >> 4U];
            all += "0123456789abcdef"[code & 0xfU];
        }
        return all;
    };
    client.lose();
    raw_client again(world, 2);
    auto const connect = "40" + claim(escaped(pid), escaped(offset));
    CHECK(member(again.send(connect).at(0), "pid") == pid); // recovered
}

//=== strings that clients take for offsets ===//

namespace {

// A socket of "/" whose client takes the last string of any event for its offset, as npm's and ours do.
struct honest_client {
    explicit honest_client(support::stacks& in) : world(in) { connect(); }

    void connect() {
        wire = std::make_unique<raw_client>(world, ++last_channel);
        received.clear();
        auto const answer = wire->send("40" + (pid.empty() ? std::string() : claim(pid, offset)));
        recovered = member(answer.at(0), "pid") == pid;
        pid = member(answer.at(0), "pid");
        if (!recovered) offset.clear();
        take(answer);
    }
    void take(std::vector<std::string> const& sent) {
        for (std::string const& packet : sent) {
            if (!packet.starts_with("42[")) continue;
            received.push_back(packet.substr(4, packet.find('"', 4) - 4));
            if (packet.ends_with("\"]")) offset = offset_in({packet});
        }
    }
    support::stacks& world;
    std::uint64_t last_channel = 100;
    std::unique_ptr<raw_client> wire;
    std::string pid;
    std::string offset;
    bool recovered = false;
    std::vector<std::string> received; // by this connection
};

} // namespace

TEST_CASE("a volatile event that ends with a string never makes a client miss events, or get them twice",
          "[server][recovery]") {
    support::stacks world(with_recovery());
    socketio::socket_handle socket;
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) socket = e.socket;
    };
    honest_client client(world);
    auto const emit = [&](std::string_view name) {
        REQUIRE(world.server.emit(socket, name));
        client.take(client.wire->drain());
        return client.offset;
    };
    auto const emit_volatile = [&](std::string_view last, bool to_all) {
        if (to_all)
            REQUIRE(world.server.in("/").emit_volatile("where", last).value() == 1);
        else
            REQUIRE(world.server.emit_volatile(socket, "where", last));
        client.take(client.wire->drain());
        REQUIRE(client.offset == last);
    };
    auto const first = emit("one");
    auto const second = emit("two");
    auto const third = emit("three");
    std::string const future = first.substr(0, first.size() - 1) + "K";
    for (std::string const& last : {std::string("1"), std::string("1c"), std::string("bob"), first, second, third,
                                    future, std::string(20, 'A')}) {
        for (bool const to_all : {false, true}) {
            INFO(last);
            emit("before");
            emit_volatile(last, to_all);
            client.wire->lose();
            for (int i = 0; i != 8; ++i) CHECK(world.server.in("/").emit("missed", i));
            client.connect();
            CHECK_FALSE(client.recovered);
            CHECK(client.received.empty());
            // The offset of a later event is good again.
            auto const fresh = emit("next");
            emit_volatile(last, to_all);
            emit("after");
            client.wire->lose();
            CHECK(world.server.in("/").emit("missed"));
            client.connect();
            CHECK(client.recovered);
            CHECK(client.received == std::vector<std::string>{"missed"});
            CHECK(client.offset != fresh);
        }
    }
}

TEST_CASE("an offset that a peer has foreseen makes nobody miss events", "[server][recovery]") {
    support::stacks world(with_recovery());
    socketio::socket_handle socket;
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) socket = e.socket;
    };
    honest_client client(world);
    CHECK(world.server.emit(socket, "one"));
    client.take(client.wire->drain());
    std::string foreseen = client.offset;
    foreseen.back() = static_cast<char>(foreseen.back() + 3);
    CHECK(world.server.emit_volatile(socket, "chat", foreseen));
    client.take(client.wire->drain());
    CHECK(client.offset == foreseen);
    for (int i = 0; i != 5; ++i) CHECK(world.server.in("/").emit("on its way", i)); // it never sees them
    client.wire->lose();
    client.connect();
    CHECK_FALSE(client.recovered);
    CHECK(client.received.empty());
}

TEST_CASE("the offset of another socket in the namespace recovers nothing", "[server][recovery]") {
    support::stacks world(with_recovery());
    std::vector<socketio::socket_handle> sockets;
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) sockets.push_back(e.socket);
    };
    honest_client alice(world);
    raw_client bob(world, 1);
    bob.send("40");
    CHECK(world.server.emit(sockets[0], "one"));
    alice.take(alice.wire->drain());
    auto const seen = alice.offset;
    CHECK(world.server.emit(sockets[0], "two")); // which she never sees
    CHECK(world.server.emit(sockets[1], "to bob alone"));
    auto const of_bob = offset_in(bob.drain());
    alice.wire->lose();
    CHECK(world.server.in("/").emit("to all"));
    auto const after = offset_in(bob.drain());

    auto const pid = alice.pid;
    std::uint64_t channel = 500;
    for (std::string const& offset : {of_bob, after}) {
        raw_client liar(world, ++channel);
        auto const answer = liar.send("40" + claim(pid, offset));
        REQUIRE(answer.size() == 1);
        CHECK(member(answer[0], "pid") != pid);
    }
    alice.offset = seen;
    alice.connect();
    CHECK(alice.recovered);
    CHECK(alice.received == std::vector<std::string>{"two", "to all"});
}

TEST_CASE("a socket that has left a room after its last event still recovers", "[server][recovery]") {
    support::stacks world(with_recovery());
    socketio::socket_handle socket;
    world.on_server_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) socket = e.socket;
    };
    honest_client client(world);
    for (int n = 0; n != 3; ++n) {
        world.server.join(socket, "room");
        CHECK(world.server.to("room").emit("news"));
        client.take(client.wire->drain());
        CHECK(world.server.leave(socket, "room"));
        CHECK_FALSE(world.server.leave(socket, "room"));
        for (int more = 0; more != 2; ++more) {
            client.wire->lose();
            CHECK(world.server.to("room").emit("not for it"));
            CHECK(world.server.in("/").emit("missed"));
            client.connect();
            CHECK(client.recovered);
            CHECK(client.received == std::vector<std::string>{"missed"});
        }
    }
}

} // namespace stack_recovery_test
