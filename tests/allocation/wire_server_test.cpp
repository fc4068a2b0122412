// What the connections of a wire server cost in memory: nothing for a message, little while they are idle, and never
// more than their limits. Linked with allocation_test.cpp, which counts.

#include "drivers/wire_server.hpp"
#include "tools/catch.hpp"
#include "tools/memory.hpp"

#include <socketless/server.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/wire/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace allocation_wire_server_test {

using namespace socketless;
using namespace std::chrono_literals;
using support::memory_in_use;
using support::wire_scene;

namespace {

constexpr std::string_view upgrade =
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

std::string masked(websocket::opcode code, std::string_view payload) {
    std::string frame;
    websocket::write_masked_frame(frame, code, payload, {1, 2, 3, 4}).ignore();
    return frame;
}

// A Socket.IO server that sends each event back.
struct echo {
    time_point now{1h};
    wire::server<> io{{}, {}, support::counting_source(), now};
    std::string buffer = {};
    std::size_t writes = 0;

    void receive(wire::connection_id id, std::string bytes) {
        io.received(id, bytes, now);
        drain();
    }
    void drain() {
        for (;;) {
            while (auto e = io.poll_event())
                if (e->type == socketio::event_type::event)
                    io->emit(e->socket, "back", socketio::spread(e->args())).ignore();
            auto const t = io.poll_transmit(buffer);
            if (!t) return;
            ++writes;
        }
    }
    void connect(wire::connection_id id) {
        io.accepted(id, "127.0.0.1", now);
        receive(id, std::string(upgrade));
        receive(id, masked(websocket::opcode::text, "40"));
    }
};

} // namespace

TEST_CASE("wire server memory: a message there and back allocates nothing", "[allocation]") {
    echo server;
    server.connect(1);
    auto const message =
        masked(websocket::opcode::text, R"(42["message",{"id":1234567,"text":"the quick brown fox"}])");
    auto const turn = [&] { // twenty messages are one write
        std::string all;
        for (int i = 0; i != 20; ++i) all += message;
        return all;
    }();
    for (int i = 0; i != 3; ++i) server.receive(1, turn);
    server.writes = 0;
    std::string input = turn;
    std::size_t const before = support::allocation_count();
    for (int i = 0; i != 100; ++i) {
        std::copy(turn.begin(), turn.end(), input.begin());
        server.io.received(1, input, server.now);
        server.drain();
    }
    CHECK(support::allocation_count() == before);
    CHECK(server.writes == 100);
}

TEST_CASE("wire server memory: a poll and a post over a connection that is kept cost little, and leave nothing",
          "[allocation]") {
    wire_scene s;
    s.accept(1);
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    auto const target = "/engine.io/?EIO=4&transport=polling&sid=" + std::string(s.io->find(*s.session)->id());
    auto const post =
        "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n4" + std::string(99'999, 'x');
    auto const round = [&] {
        s.receive_in_pieces(1, post, 5'000);
        s.take(1);
        s.events.clear();
        s.pieces.clear();
    };
    for (int i = 0; i != 3; ++i) round();
    std::size_t const before = memory_in_use();
    for (int i = 0; i != 10; ++i) round();
    CHECK(memory_in_use() <= before);
}

TEST_CASE("wire server memory: an idle connection takes little", "[allocation]") {
    echo server;
    constexpr std::size_t count = 2'000;
    for (wire::connection_id id = 0; id != 100; ++id) server.connect(id);
    std::size_t const before = memory_in_use();
    for (wire::connection_id id = 100; id != 100 + count; ++id) server.connect(id);
    auto const each = (memory_in_use() - before) / count;
    INFO(each << " bytes");
    CHECK(each <= 1'500);
}

TEST_CASE("wire server memory: whatever a client sends without end, a connection stays within its limits",
          "[allocation]") {
    struct attack {
        std::string_view name;
        std::string begin;
        std::function<std::string(int)> more;
    };
    auto const same = [](std::string text) { return [text = std::move(text)](int) { return text; }; };
    auto const get = std::string("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    auto fragment = masked(websocket::opcode::text, "4" + std::string(1'000, 'f'));
    fragment[0] = '\x01';
    auto continuation = masked(websocket::opcode::continuation, std::string(1'000, 'f'));
    continuation[0] = '\0';
    auto empty = masked(websocket::opcode::continuation, "");
    empty[0] = '\0';
    attack const attacks[] = {
        {"a line", "GET /", same(std::string(1'000, 'x'))},
        {"fields", "GET / HTTP/1.1\r\n", same("X: y\r\n")},
        {"empty lines", "", same("\r\n")},
        {"requests", "", same(get + get + get)},
        {"a body", "POST /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
         same("3e8\r\n" + std::string(1'000, 'x') + "\r\n")},
        {"an extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
         same(std::string(1'000, 'x'))},
        {"fragments", std::string(upgrade).replace(5, 6, "engine") + fragment, same(continuation)},
        {"empty fragments", std::string(upgrade).replace(5, 6, "engine") + fragment, same(empty)},
        {"pings", std::string(upgrade).replace(5, 6, "engine"),
         [](int i) { return masked(websocket::opcode::ping, std::to_string(i)); }},
    };
    for (attack const& a : attacks)
        for (bool const is_paused : {false, true}) {
            CAPTURE(a.name, is_paused);
            wire_scene s({}, {.max_payload = 100'000});
            s.accept(1);
            s.receive(1, a.begin);
            if (is_paused) s.io.pause(1);
            std::size_t const before = memory_in_use();
            std::size_t most = 0;
            for (int i = 0; i != 3'000; ++i) {
                s.receive(1, a.more(i));
                s.take(1);
                s.pieces.clear();
                most = std::max(most, memory_in_use() - std::min(before, memory_in_use()));
            }
            CHECK(most <= 250'000); // twice a message or what came early, and a little
            s.io.closed(1, s.now);
            s.drain();
            s.events.clear();
            CHECK(s.io.connection_count() == 0);
        }
}

} // namespace allocation_wire_server_test
