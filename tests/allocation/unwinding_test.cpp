// When an allocation fails, the server undoes or finishes its work for one client or for many. Linked with
// allocation_test.cpp, in which allocations fail.

#include "drivers/memory_elsewhere.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/chance.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server_session.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions)

namespace allocation_unwinding_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketio::event_type;
using socketio::socket_handle;
using support::chance;
using support::fate;

namespace {

// A server and clients over raw frames of WebSockets, by their channels.
class raw_server {
public:
    explicit raw_server(server_options options) : server(std::move(options), support::counting_random(), now) {}

    time_point now{1h};
    socketless::server server;
    std::map<std::uint64_t, std::vector<std::string>> sent; // the messages of each channel, but for the handshake
    std::set<std::uint64_t> closed;
    std::function<void(socketio::event&)> on_event = [](socketio::event&) {};
    bool is_careless = false; // allocations may fail

    // Calls the library. Returns false if an allocation failed.
    template <class F>
    bool guarded(F f) {
        return support::guarded(is_careless, std::move(f));
    }

    void open(std::uint64_t channel, std::string const& connect) {
        guarded([&] { server.websocket_opened(channel, "/socket.io/?EIO=4&transport=websocket", now); });
        drain();
        receive(channel, connect);
    }
    void receive(std::uint64_t channel, std::string const& message) {
        guarded([&] { server.websocket_received(channel, {frame_kind::text, message}, now); });
        drain();
    }
    void lose(std::uint64_t channel) {
        guarded([&] { server.channel_closed(channel, now); });
        drain();
    }

    void drain() {
        for (;;) {
            std::optional<socketio::event> e;
            if (!guarded([&] { e = server.poll_event(); })) continue;
            if (e) {
                on_event(*e);
                continue;
            }
            std::optional<engineio::transmit> t;
            if (!guarded([&] { t = server.poll_transmit(buffer_); })) continue;
            if (!t) return;
            if (t->type == engineio::transmit_type::close) closed.insert(t->id);
            if (t->type == engineio::transmit_type::send && !t->data.data.starts_with("0{"))
                sent[t->id].emplace_back(t->data.data);
        }
    }

private:
    std::string buffer_;
};

std::string member(std::string const& connect, std::string_view key) {
    auto const at = connect.find("\"" + std::string(key) + "\":\"") + key.size() + 4;
    return connect.substr(at, connect.find('"', at) - at);
}

// How many of the messages are an event of this name.
std::size_t count(std::vector<std::string> const& sent, std::string_view name) {
    return static_cast<std::size_t>(std::count_if(sent.begin(), sent.end(), [&](std::string const& message) {
        return message.starts_with("42[\"" + std::string(name) + "\"");
    }));
}

// A client is lost and comes back, while the nth allocation fails. If it is refused or cut off, it tries once more.
void come_back(bool skips) {
    server_options options;
    options.recovery.emplace();
    options.skip_middlewares = skips;
    raw_server w(options);
    w.server.declare("/", admission::ask);
    socket_handle socket;
    bool is_recovered = false;
    std::string const room = "a room with a name that is too long to be kept in place";
    bool is_first = true;
    std::size_t times_asked = 0;
    w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connecting) {
            if (!is_first) {
                ++times_asked;
                auto const early = [&] { w.server.emit(e.socket, "early").ignore(); };
                if (!w.guarded(early)) early();
            }
            result<void> accepted;
            if (!w.guarded([&] { accepted = w.server.accept(e.socket); })) accepted = w.server.accept(e.socket);
            CHECK(accepted);
        }
        if (e.type == event_type::connected) {
            socket = e.socket;
            is_recovered = e.recovered;
        }
    };
    w.open(1, "40");
    REQUIRE(w.sent[1].size() == 1);
    std::string const sid = member(w.sent[1][0], "sid");
    std::string const pid = member(w.sent[1][0], "pid");
    CHECK(w.server.join(socket, room));
    CHECK(w.server.join(socket, "another"));
    w.server.set_data(socket, std::make_shared<int>(42));
    w.server.emit(socket, "first").ignore();
    w.drain();
    std::string const& event = w.sent[1].back();
    std::string const offset = event.substr(event.rfind(",\"") + 2, socketio::recovery_offset::size);
    w.lose(1);
    w.server.to(room).emit("missed").ignore();
    is_first = false;

    std::string const again = R"(40{"pid":")" + pid + R"(","offset":")" + offset + "\"}";
    w.is_careless = true;
    w.open(2, again);
    w.is_careless = false;
    std::uint64_t last = 2;
    // The server cut its connection off, or answered that there is no such namespace.
    if (w.closed.contains(2) || w.server.socket_count() == 0) w.open(last = 3, again);
    CHECK(w.server.socket_count() == 1);
    CHECK(w.server.is_connected(socket));
    auto const& sent = w.sent[last];
    // Events that were emitted before the connection was cut off may be among those that it missed.
    std::size_t const early = count(sent, "early");
    CHECK((skips ? early == 0 : early >= 1 && early <= times_asked));
    if (!skips && !is_recovered) return; // what the application did early was lost on the way
    CHECK(is_recovered);
    CHECK(w.server.sid(socket) == sid);
    CHECK(w.server.rooms_of(socket) == std::vector<std::string_view>{room, "another"});
    REQUIRE(w.server.data<int>(socket) != nullptr);
    CHECK(*w.server.data<int>(socket) == 42);
    REQUIRE_FALSE(sent.empty());
    CHECK(member(sent[0], "sid") == sid);
    CHECK(count(sent, "missed") == 1);
}

// A client is lost and comes back, while the nth allocation fails, to a server whose sessions are kept elsewhere. If it
// is refused or cut off, it tries once more.
void come_back_from_elsewhere(bool skips) {
    server_options options;
    options.recovery.emplace();
    options.skip_middlewares = skips;
    raw_server w(options);
    support::common_memory memory;
    support::memory_elsewhere node(w.server, memory);
    w.server.declare("/", admission::ask);
    std::set<std::uint32_t> known; // sockets of which the application has heard
    socket_handle socket;
    bool is_recovered = false;
    w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connecting) {
            CHECK(known.insert(e.socket.index).second);
            result<void> accepted;
            if (!w.guarded([&] { accepted = w.server.accept(e.socket); })) accepted = w.server.accept(e.socket);
            CHECK(accepted);
        }
        if (e.type == event_type::connected) {
            known.insert(e.socket.index);
            socket = e.socket;
            is_recovered = e.recovered;
        }
        if (e.type == event_type::disconnected) CHECK(known.erase(e.socket.index) == 1);
    };
    w.open(1, "40");
    REQUIRE(w.sent[1].size() == 1);
    std::string const sid = member(w.sent[1][0], "sid");
    std::string const pid = member(w.sent[1][0], "pid");
    std::string const room = "a room with a name that is too long to be kept in place";
    CHECK(w.server.join(socket, room));
    CHECK(node.broadcast("/", "", "first"));
    node.deliver();
    w.drain();
    w.lose(1);
    CHECK(node.broadcast("/", room, "missed"));
    node.deliver();
    auto const kept = memory.sessions;

    std::uint64_t last = 2;
    for (bool is_careless : {true, false}) {
        if (!is_careless && !w.closed.contains(2) && w.server.socket_count() != 0) break;
        if (!is_careless) memory.sessions = kept;
        last = is_careless ? 2 : 3;
        w.is_careless = is_careless;
        w.open(last, R"(40{"pid":")" + pid + R"(","offset":"1-0"})");
        w.guarded([&] { node.answer(); });
        w.drain();
        w.is_careless = false;
        node.answer();
        w.drain();
        CHECK(node.claims.empty());
    }
    CHECK(w.server.socket_count() == 1);
    CHECK(w.server.is_connected(socket));
    if (!is_recovered) CHECK(fate.has_thrown); // the session was lost on the way
    if (!is_recovered) return;
    CHECK(w.server.sid(socket) == sid);
    CHECK(w.server.rooms_of(socket) == std::vector<std::string_view>{room});
    CHECK(count(w.sent[last], "missed") == 1);
}

// Four clients, one of which owes an acknowledgement already, are asked for another, while the nth allocation fails.
void ask_all() {
    raw_server w({});
    std::vector<socket_handle> sockets;
    std::map<std::uint64_t, std::size_t> told; // outcomes by their ids
    std::set<std::uint64_t> complete;
    w.on_event = [&](socketio::event& e) {
        if (e.type == event_type::connected) sockets.push_back(e.socket);
        if (e.type == event_type::ack) ++told[e.id];
        if (e.type == event_type::acks_complete) {
            CHECK(told[e.id] == 4);
            CHECK(complete.insert(e.id).second);
        }
    };
    for (std::uint64_t channel = 1; channel != 5; ++channel) w.open(channel, "40");
    REQUIRE(sockets.size() == 4);
    auto const single = w.server.emit_with_ack(sockets[2], 5s, "single");
    REQUIRE(single);
    w.drain();

    std::array<std::byte, 100> const picture{};
    std::optional<std::uint64_t> id;
    w.is_careless = true;
    w.guarded([&] {
        auto const asked = w.server.in("/").emit_with_ack(5s, "question", picture);
        id = asked.value();
    });
    w.is_careless = false;
    w.drain();
    std::size_t asked = 0;
    for (std::uint64_t channel = 1; channel != 5; ++channel)
        for (std::string const& message : w.sent[channel]) asked += message.find("question") != std::string::npos;
    // If it throws, nobody is asked; else all are, but for those whose connections have ended.
    CHECK(asked == (id ? 4 - w.closed.size() : 0));
    CHECK(w.closed.size() <= (id ? 1u : 0u));
    w.now += 5s;
    w.server.handle_timeout(w.now);
    w.drain();
    CHECK(told[*single] == 1);
    if (id) CHECK(complete.contains(*id));
    CHECK(told.size() == (id ? 2u : 1u)); // every id is known
}

// The same without acknowledgements.
void tell_all() {
    server_options options;
    options.recovery.emplace();
    raw_server w(options);
    for (std::uint64_t channel = 1; channel != 5; ++channel) w.open(channel, "40");
    std::array<std::byte, 100> const picture{};
    bool is_volatile = false;
    for (auto const* const name : {"news", "weather"}) {
        w.is_careless = true;
        bool const is_told = w.guarded([&] {
            auto const to = w.server.in("/").except("nobody");
            (is_volatile ? to.emit_volatile(name, picture) : to.emit(name, picture)).ignore();
        });
        w.is_careless = false;
        w.drain();
        is_volatile = true;
        std::size_t receivers = 0;
        for (std::uint64_t channel = 1; channel != 5; ++channel)
            for (std::string const& message : w.sent[channel]) receivers += message.find(name) != std::string::npos;
        CHECK(receivers == (is_told ? 4 - w.closed.size() : 0));
        CHECK(w.closed.size() <= 1);
    }
}

// Calls `f` while each allocation in turn fails.
template <class F>
void at_each_allocation(F f) {
    std::size_t nth = 0;
    for (bool has_thrown = true; has_thrown; ++nth) {
        CAPTURE(nth);
        fate = {chance::allocation, nth};
        f();
        has_thrown = fate.has_thrown;
    }
    CHECK(nth > 3);
}

} // namespace

TEST_CASE("a client that comes back while memory is short has its state again, then or on its next attempt",
          "[allocation][throwing]") {
    at_each_allocation([] { come_back(true); });
    at_each_allocation([] { come_back(false); });
    at_each_allocation([] { come_back_from_elsewhere(true); });
    at_each_allocation([] { come_back_from_elsewhere(false); });
}

TEST_CASE("a broadcast that fails half-way has asked nobody for an acknowledgement", "[allocation][throwing]") {
    at_each_allocation([] { ask_all(); });
}

TEST_CASE("a broadcast that runs out of memory reaches nobody, or all but those whose connections end",
          "[allocation][throwing]") {
    at_each_allocation([] { tell_all(); });
}

TEST_CASE("an input that has to wait but finds no memory can be given again", "[allocation][throwing]") {
    for (std::size_t n = 0;; ++n) {
        engineio::server_options const options;
        engineio::server_session s(options, {}, engineio::revision::v4);
        std::string buffer;
        s.open_websocket(7, time_point());
        while (s.poll_event()) continue;
        while (s.poll_transmit(buffer)) continue;
        s.websocket_received(7, {frame_kind::text, "4one"}, time_point());
        fate = {.kind = chance::allocation, .left = n};
        bool const is_given = support::guarded(true, [&] { s.channel_closed(7, time_point()); });
        fate = {};
        CAPTURE(n);
        if (!is_given) s.channel_closed(7, time_point()); // once more
        std::vector<engineio::event_type> types;
        while (auto const e = s.poll_event()) types.push_back(e->type);
        CHECK(types == std::vector{engineio::event_type::message, engineio::event_type::closed});
        CHECK_FALSE(s.poll_transmit(buffer).has_value());
        if (is_given) break;
    }
}

TEST_CASE("a client that has no memory for its next transport ends", "[allocation][throwing]") {
    for (std::size_t n = 0;; ++n) {
        engineio::client_options options;
        options.transports = {engineio::transport::polling, engineio::transport::webtransport};
        options.try_all_transports = true;
        engineio::client_session s(options);
        std::string buffer;
        REQUIRE(s.open(time_point()).has_value());
        auto const get = s.poll_transmit(buffer)->id;
        fate = {.kind = chance::allocation, .left = n};
        bool const is_good = support::guarded(true, [&] { s.http_response(get, 500, false, {}, time_point()); });
        fate = {};
        CAPTURE(n);
        auto const e = s.poll_event();
        CHECK((e && e->type == engineio::event_type::closed) == !is_good);
        auto const t = s.poll_transmit(buffer);
        CHECK((t && t->type == engineio::transmit_type::open_stream) == is_good);
        if (is_good) break;
    }
}

} // namespace allocation_unwinding_test

#endif
