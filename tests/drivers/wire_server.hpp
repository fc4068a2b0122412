// A wire server, and what it sends on each connection: a scene for tests.
#pragma once

#include "drivers/counting_random.hpp"

#include <socketless/core/frame.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/wire/server.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/// What opens a WebSocket.
inline std::string websocket_request(std::string_view target = "/engine.io/?EIO=4&transport=websocket",
                                     std::string_view fields = {}) {
    return std::string("GET ")
        .append(target)
        .append(" HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
        .append(fields)
        .append("\r\n");
}

/// A network that carries everything at once, unless a connection is paused.
struct wire_scene {
    using id = socketless::wire::connection_id;

    explicit wire_scene(socketless::wire::server_options wire = {}, socketless::engineio::server_options engine = {})
        : io(std::move(engine), std::move(wire), counting_random(), now) {}

    socketless::time_point now{std::chrono::hours(1)};
    socketless::wire::server<socketless::engineio::server> io;
    std::map<id, std::string> sent = {};
    std::vector<std::string> pieces = {}; // the writes, in order
    std::set<id> ended = {};              // whose write side the server has ended
    std::set<id> closed = {};             // that the server has closed
    std::vector<std::string> events = {};
    std::vector<socketless::wire::request> requests = {};
    std::optional<socketless::engineio::session_handle> session = {}; // that opened last
    std::string buffer = {};

    void accept(id connection, std::string_view address = "10.0.0.1") {
        io.accepted(connection, address, now);
        drain();
    }
    /// Bytes arrive, in memory of just their size, which is gone once the events have been polled.
    void receive(id connection, std::string_view bytes) {
        give(connection, bytes);
        drain();
    }
    /// The same in pieces of this size.
    void receive_in_pieces(id connection, std::string_view bytes, std::size_t size) {
        for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size())))
            receive(connection, bytes.substr(0, size));
    }
    /// What the server has sent since the last call.
    std::string take(id connection) { return std::exchange(sent[connection], {}); }
    std::string exchange(id connection, std::string_view bytes) {
        receive(connection, bytes);
        return take(connection);
    }

    void give(id connection, std::string_view bytes) {
        auto& copy = inputs_.emplace_back(new char[bytes.size()]);
        std::copy(bytes.begin(), bytes.end(), copy.get());
        io.received(connection, {copy.get(), bytes.size()}, now);
    }
    void pass(socketless::milliseconds time) {
        now += time;
        io.handle_timeout(now);
        drain();
    }
    /// Fires the timers up to this time, each when it is due.
    void wait(socketless::milliseconds time) {
        auto const end = now + time;
        while (auto const at = io.poll_timeout()) {
            if (*at > end) break;
            now = std::max(now, *at);
            io.handle_timeout(now);
            drain();
        }
        now = end;
        io.handle_timeout(now);
        drain();
    }

    void drain() {
        for (;;) {
            if (auto const e = io.poll_event()) {
                note(*e);
                continue;
            }
            inputs_.clear();
            if (auto r = io.poll_request()) {
                requests.push_back(std::move(*r));
                continue;
            }
            auto const t = io.poll_transmit(buffer);
            if (!t) return;
            perform(*t);
        }
    }

private:
    void note(socketless::engineio::server_event const& e) {
        using socketless::engineio::event_type;
        session = e.session;
        switch (e.event.type) {
        case event_type::opened: events.push_back("opened " + std::string(name(e.event.transport))); break;
        case event_type::message: events.push_back("message " + std::string(e.event.message.data)); break;
        case event_type::upgraded: events.push_back("upgraded"); break;
        case event_type::closed: events.push_back("closed " + std::string(name(e.event.reason))); break;
        default: break;
        }
    }
    void perform(socketless::wire::transmit const& t) {
        using socketless::wire::transmit_type;
        if (t.type == transmit_type::end) ended.insert(t.connection);
        if (t.type == transmit_type::close) closed.insert(t.connection);
        if (t.type != transmit_type::send) return;
        sent[t.connection] += t.data;
        pieces.emplace_back(t.data);
    }

    std::vector<std::unique_ptr<char[]>> inputs_;
};

} // namespace support
