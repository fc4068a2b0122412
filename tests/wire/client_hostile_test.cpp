#include "drivers/wire_client.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace wire_client_hostile_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace support::wire_client;
using strings = std::vector<std::string>;
using websocket::opcode;

namespace {

using scene = session_scene;

// A step of a scene: what the network, the server or the application does.
using step = std::function<void(scene&)>;

wire::client_options through_proxy() {
    wire::client_options wire;
    wire.proxy = "proxy:3128";
    return wire;
}

// The life of a session that opens by long-polling through a proxy with TLS, moves to a WebSocket and closes. After
// each step it is in another state.
std::vector<step> const& life() {
    static std::vector<step> const steps{
        [](scene& s) { s.io->open(s.now).ignore(); },
        [](scene& s) { s.drain(); },
        [](scene& s) { s.connected(0); },
        [](scene& s) { s.receive(0, "HTTP/1.1 200 "); },
        [](scene& s) { s.receive(0, "OK\r\n\r\n"); },
        [](scene& s) { s.connected(0); },
        [](scene& s) { s.receive(0, "HTTP/1.1 103 Early Hints\r\n\r\n"); },
        [](scene& s) { s.receive(0, answer(upgrading_handshake).substr(0, 20)); },
        [](scene& s) { s.receive(0, answer(upgrading_handshake).substr(20, 60)); },
        [](scene& s) { s.receive(0, answer(upgrading_handshake).substr(80)); },
        [](scene& s) { s.connected(1); },
        [](scene& s) { s.receive(1, "HTTP/1.1 200 OK\r\n\r\n"); },
        [](scene& s) { s.connected(1); },
        [](scene& s) {
            s.io->send({frame_kind::text, "hello"}, s.now).ignore();
        },
        [](scene& s) { s.drain(); },
        [](scene& s) { s.connected(2); },
        [](scene& s) { s.receive(2, "HTTP/1.1 200 OK\r\n\r\n"); },
        [](scene& s) { s.connected(2); },
        [](scene& s) { s.receive(1, agree(s.take(1))); },
        [](scene& s) { s.receive(2, answer("ok")); },
        [](scene& s) { s.receive(1, server_frame("3probe").substr(0, 3)); },
        [](scene& s) { s.receive(1, server_frame("3probe").substr(3)); },
        [](scene& s) { s.receive(0, answer("6")); },
        [](scene& s) { s.pause(1); },
        [](scene& s) {
            s.io->send({frame_kind::text, "more"}, s.now).ignore();
        },
        [](scene& s) { s.receive(1, server_frame("", opcode::ping)); },
        [](scene& s) { s.resume(1); },
        [](scene& s) { s.io->close(s.now); },
        [](scene& s) { s.drain(); },
        [](scene& s) { s.receive(1, server_frame("\x03\xe8", opcode::close)); },
        [](scene& s) { s.end(1); },
    };
    return steps;
}

// Nothing is left, whatever has happened before.
void check_end(scene& s) {
    for (wire_peer& p : s.peers) p.is_paused = false, s.io.resume(p.id);
    s.io->abort();
    s.drain();
    s.wait(120s);
    bool const is_done = s.io->is_done() && s.io->is_closed() && s.io.connection_count() == 0 && !s.io.poll_timeout();
    if (!is_done) CHECK(is_done);
    for (wire_peer const& p : s.peers)
        if (!p.is_closed) CHECK(p.is_closed);
    auto const ends =
        std::count_if(s.events.begin(), s.events.end(), [](std::string const& e) { return e.starts_with("closed"); });
    if (ends > 1) CHECK(ends <= 1);
}

} // namespace

TEST_CASE("wire client: a whole life through a proxy, with TLS, to a WebSocket") {
    scene s(by_both(), through_proxy(), "https://example.org");
    s.connects = false;
    for (step const& next : life()) next(s);
    CHECK(s.take_events() == strings{"opened polling", "upgraded", "closed forced close"});
    CHECK(s.frames(1) == strings{"text 2probe", "text 5", "text 4more", "pong ", "close 1000"});
    CHECK(s.io.connection_count() == 0);
    check_end(s);
}

TEST_CASE("wire client: whatever ends in whatever state, everything ends once") {
    std::vector<step> const ends{
        [](scene& s) { s.io->abort(); },
        [](scene& s) { s.io->close(s.now); },
        [](scene& s) { s.wait(90s); },
        [](scene& s) {
            for (wire_peer& p : s.peers)
                if (!p.is_closed) s.io.ended(p.id, s.now);
        },
        [](scene& s) {
            for (wire_peer& p : s.peers)
                if (!p.is_closed) p.is_closed = true, s.io.closed(p.id, s.now);
        },
        [](scene& s) {
            for (wire_peer& p : s.peers)
                if (!p.is_closed) s.io.ended(p.id, s.now), s.io.closed(p.id, s.now), p.is_closed = true;
        },
        [](scene& s) {
            for (std::size_t i = 0; i != s.peers.size(); ++i)
                if (!s.peers[i].is_closed) s.give(i, "garbage\n\n");
        },
        [](scene& s) {
            for (std::size_t i = 0; i != s.peers.size(); ++i)
                if (!s.peers[i].is_closed && s.peers[i].is_connected) s.pause(i);
            s.wait(90s);
        },
    };
    for (std::size_t length = 0; length <= life().size(); ++length) {
        for (std::size_t end = 0; end != ends.size(); ++end) {
            for (bool const goes_on : {false, true}) {
                CAPTURE(length, end, goes_on);
                scene s(by_both(), through_proxy(), "https://example.org");
                s.connects = false;
                for (std::size_t i = 0; i != length; ++i) life()[i](s);
                ends[end](s);
                s.drain();
                // Connections that are made afterwards work.
                for (std::size_t i = 0; goes_on && i != s.peers.size(); ++i)
                    if (!s.peers[i].is_closed && !s.peers[i].is_connected) s.connected(i);
                check_end(s);
            }
        }
    }
}

TEST_CASE("wire client: bytes that a server may not send harm nobody") {
    support::random_source random(1);
    std::string const good[] = {answer(engine_handshake),
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5;x\r\n4he\x1e"
                                "4\r\n0\r\nX: y\r\n\r\n",
                                agree("\r\nSec-WebSocket-Key: x\r\n")};
    for (auto const& bytes : good) {
        for (int i = 0; i != 400; ++i) {
            auto changed = bytes;
            for (int n = random.between(1, 3); n != 0; --n) changed[random.below(changed.size())] = random.byte();
            CAPTURE(i);
            scene s(random.one_in(2) ? by_polling() : by_websocket());
            s.io->open(s.now).ignore();
            s.drain();
            s.receive_in_pieces(0, changed, 1 + random.below(changed.size()));
            s.receive_in_pieces(0, random.bytes(20), 1 + random.below(20));
            check_end(s);
        }
    }
}

// The network and the application do what they like, in any order.
TEST_CASE("wire client: in any order of inputs, each exchange has one outcome and each channel one end") {
    std::uint64_t const runs = 300;
    for (std::uint64_t seed = 0; seed != runs; ++seed) {
        CAPTURE(seed);
        support::random_source random(seed);
        wire::client_options wire;
        if (random.one_in(3)) wire.proxy = "proxy";
        scene s(random.one_in(3) ? by_websocket() : by_both(), wire, random.one_in(2) ? "https://a" : "http://a");
        s.connects = random.one_in(2);
        std::vector<std::string> const replies{"HTTP/1.1 200 OK\r\n\r\n",
                                               answer(upgrading_handshake),
                                               answer(engine_handshake),
                                               answer("ok"),
                                               answer("4x"),
                                               answer("6"),
                                               answer("1"),
                                               answer("no", {}, "404 Not Found"),
                                               answer("4y", "Connection: close\r\n"),
                                               server_frame(engine_handshake),
                                               server_frame("3probe"),
                                               server_frame("4hi"),
                                               server_frame("\x03\xe8", opcode::close),
                                               server_frame("?", opcode::ping)};
        for (int i = 0; i != 60; ++i) {
            if (s.io->is_closed() && random.one_in(3)) s.events.clear(), s.io->open(s.now).ignore(), s.drain();
            if (s.peers.empty()) continue;
            std::size_t const number = s.peers.size() - 1 - random.below(std::min<std::size_t>(3, s.peers.size()));
            wire_peer& p = s.peers[number];
            if (p.is_closed) continue;
            switch (random.below(12)) {
            case 0: p.is_connected ? s.drain() : s.connected(number); break;
            case 1: s.io.ended(p.id, s.now); break;
            case 2: s.cut(number); break;
            case 3: s.pause(number); break;
            case 4: s.resume(number); break;
            case 5: s.wait(milliseconds(random.between(0, 5'000))); break;
            case 6: s.io->send({frame_kind::text, "x"}, s.now).ignore(); break;
            case 7:
                if (random.one_in(5)) s.io->close(s.now);
                break;
            case 8: {
                auto const request = s.take(number);
                if (request.find("Sec-WebSocket-Key") != std::string::npos) s.receive(number, agree(request));
                break;
            }
            default:
                auto const& reply = random.pick(replies);
                s.give(number,
                       std::string_view(reply).substr(0, random.one_in(8) ? random.below(reply.size()) : reply.npos));
                if (random.one_in(2)) s.drain();
            }
        }
        s.drain();
        s.events.clear();
        check_end(s);
    }
}

TEST_CASE("wire client: answers without end cost no more than their limits") {
    wire::client_options wire;
    wire.answer_timeout = 10s;
    auto options = by_websocket();
    options.open_timeout = 1h;
    scene s(options, wire);
    s.io->open(s.now).ignore();
    s.drain();
    for (int i = 0; i != 9'000 && !s.io->is_closed(); ++i) { // interim answers, for ever
        s.receive(0, "HTTP/1.1 102 Processing\r\n\r\n");
        s.wait(2ms);
    }
    CHECK(s.io->is_closed());
    check_end(s);
}

} // namespace wire_client_hostile_test
