// A wire client before servers that a test plays byte by byte: a scene for tests.
#pragma once

#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/client.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/engineio/client_session.hpp>
#include <socketless/http/url.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/websocket/message_reader.hpp>
#include <socketless/wire/client.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support::wire_client {

/// An Engine.IO session that checks its carrier: each exchange has one outcome, each channel one end, in order.
class watched_session : public socketless::engineio::client_session {
public:
    using exchange_id = socketless::engineio::exchange_id;
    using channel_id = socketless::engineio::channel_id;
    using time_point = socketless::time_point;

    using client_session::client_session;

    void http_response(exchange_id id, int status, bool is_binary, std::span<char> body, time_point now) {
        REQUIRE(exchanges.erase(id) == 1);
        client_session::http_response(id, status, is_binary, body, now);
    }
    void http_failed(exchange_id id, time_point now) {
        REQUIRE(exchanges.erase(id) == 1);
        client_session::http_failed(id, now);
    }
    void channel_opened(channel_id id, time_point now) {
        REQUIRE(opening.erase(id) == 1);
        channels.insert(id);
        client_session::channel_opened(id, now);
    }
    void websocket_received(channel_id id, socketless::frame message, time_point now, socketless::text_check text) {
        REQUIRE(channels.count(id) == 1);
        client_session::websocket_received(id, message, now, text);
    }
    void channel_closed(channel_id id, time_point now) {
        REQUIRE(opening.erase(id) + channels.erase(id) == 1);
        client_session::channel_closed(id, now);
    }
    void channel_refused(channel_id id, int status, std::string_view body, time_point now) {
        REQUIRE(opening.erase(id) == 1);
        client_session::channel_refused(id, status, body, now);
    }
    std::optional<socketless::engineio::transmit> poll_transmit(std::string& buffer) {
        using socketless::engineio::transmit_type;
        auto const t = client_session::poll_transmit(buffer);
        if (!t) return t;
        if (t->type == transmit_type::get || t->type == transmit_type::post) exchanges.insert(t->id);
        if (t->type == transmit_type::open_websocket) opening.insert(t->id);
        if (t->type == transmit_type::abort) exchanges.erase(t->id);
        if (t->type == transmit_type::close) opening.erase(t->id), channels.erase(t->id);
        return t;
    }

    /// Whether nothing is under way.
    [[nodiscard]] bool is_done() const noexcept { return exchanges.empty() && opening.empty() && channels.empty(); }

    std::set<exchange_id> exchanges;
    std::set<channel_id> opening;
    std::set<channel_id> channels;
};

/// One connection, as the network sees it.
struct wire_peer {
    socketless::wire::connection_id id = 0;
    std::string to = {};  // "host:port", "tls" behind it
    std::string tls = {}; // the name with which TLS was begun in a tunnel
    std::string sent = {};
    std::vector<std::string> pieces = {};
    std::size_t read = 0; // of what was sent, by `take`
    bool is_connected = false;
    bool is_paused = false;
    bool is_closed = false; // by the client, or by the test
};

/// A client, and the connections that it has made, by their number: 0 is the first one.
template <class Protocol>
struct basic_client_scene {
    using client_type = socketless::wire::client<Protocol>;

    explicit basic_client_scene(typename client_type::protocol_options options = {},
                                socketless::wire::client_options wire = {},
                                std::string_view url = "http://example.org/")
        : io(
              *socketless::http::parse_url(url), std::move(options), std::move(wire),
              [n = std::uint8_t{0}](std::span<std::byte> bytes) mutable {
                  for (std::byte& b : bytes) b = static_cast<std::byte>(n++);
              },
              now) {}

    socketless::time_point now{std::chrono::hours(1)};
    client_type io;
    std::deque<wire_peer> peers = {};
    std::vector<std::string> events = {};
    bool connects = true; // each connection is made at once

    wire_peer& peer(std::size_t number) {
        REQUIRE(number < peers.size());
        return peers[number];
    }
    /// What the client has sent on a connection since the last call.
    std::string take(std::size_t number) {
        wire_peer& p = peer(number);
        auto const news = p.sent.substr(p.read);
        p.read = p.sent.size();
        return news;
    }
    /// The payloads of the frames in it: "text hello", "close 1000".
    std::vector<std::string> frames(std::size_t number) {
        using namespace socketless::websocket;
        std::vector<std::string> all;
        std::string bytes = take(number);
        message_reader reader(role::server, {.max_message = 1'000'000'000});
        for (std::span<char> input = bytes;;) {
            auto const e = reader.read(input);
            REQUIRE(e.has_value());
            if (!*e) return all;
            std::string const payload((*e)->text());
            switch ((*e)->type) {
            case message_event_type::message:
                all.push_back(((*e)->kind == socketless::frame_kind::text ? "text " : "binary ") + payload);
                break;
            case message_event_type::ping: all.push_back("ping " + payload); break;
            case message_event_type::pong: all.push_back("pong " + payload); break;
            case message_event_type::close:
                all.push_back("close " + std::to_string(static_cast<int>((*e)->code)));
                break;
            }
        }
    }
    std::vector<std::string> take_events() { return std::exchange(events, {}); }

    //=== the network ===//

    void connected(std::size_t number) {
        peer(number).is_connected = true;
        io.connected(peer(number).id, now);
        drain();
    }
    /// Bytes arrive, in memory of just their size, which is gone once the events have been polled.
    void receive(std::size_t number, std::string_view bytes) {
        give(number, bytes);
        drain();
    }
    void receive_in_pieces(std::size_t number, std::string_view bytes, std::size_t size) {
        for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size())))
            receive(number, bytes.substr(0, size));
    }
    void give(std::size_t number, std::string_view bytes) {
        io.received(peer(number).id, inputs_.emplace_back(bytes).span(), now);
    }
    void end(std::size_t number) {
        io.ended(peer(number).id, now);
        drain();
    }
    void cut(std::size_t number) {
        peer(number).is_closed = true;
        io.closed(peer(number).id, now);
        drain();
    }
    void pause(std::size_t number) {
        peer(number).is_paused = true;
        io.pause(peer(number).id);
    }
    void resume(std::size_t number) {
        peer(number).is_paused = false;
        io.resume(peer(number).id);
        drain();
    }
    /// Fires the timers up to this time, each when it is due.
    void wait(socketless::milliseconds time) {
        auto const until = now + time;
        while (auto const at = io.poll_timeout()) {
            if (*at > until) break;
            now = std::max(now, *at);
            io.handle_timeout(now);
            drain();
        }
        now = until;
        io.handle_timeout(now);
        drain();
    }

    void drain() {
        std::string buffer;
        bool has_waited = false;
        for (int i = 0;; ++i) {
            REQUIRE(i < 10'000);
            if (auto e = io.poll_event()) {
                note(*e);
                continue;
            }
            inputs_.clear();
            if (auto const t = io.poll_transmit(buffer)) {
                perform(*t);
                continue;
            }
            // Time passes in `wait`, but what is due at once comes at once.
            if (io.poll_timeout().value_or(socketless::time_point::max()) > now || std::exchange(has_waited, true))
                return;
            io.handle_timeout(now);
        }
    }

private:
    void note(socketless::engineio::event const& e) {
        using socketless::engineio::event_type;
        switch (e.type) {
        case event_type::opened: events.push_back("opened " + std::string(name(e.transport))); break;
        case event_type::message: events.push_back("message " + std::string(e.message.data)); break;
        case event_type::upgraded: events.push_back("upgraded"); break;
        case event_type::closed: events.push_back("closed " + std::string(name(e.reason))); break;
        default: break;
        }
    }
    void note(socketless::socketio::event const& e) {
        using socketless::socketio::event_type;
        switch (e.type) {
        case event_type::opened: events.push_back("opened"); break;
        case event_type::connected: events.push_back("connected " + std::string(e.nsp)); break;
        case event_type::event: events.push_back("event " + std::string(e.packet.packet.data.raw())); break;
        case event_type::open_failed: events.push_back("open_failed " + std::to_string(e.status)); break;
        case event_type::closed: events.push_back("closed " + std::string(name(e.reason))); break;
        case event_type::reconnecting: events.push_back("reconnecting"); break;
        default: break;
        }
    }

    wire_peer& find(socketless::wire::connection_id id) {
        auto const found = std::find_if(peers.begin(), peers.end(), [id](wire_peer const& p) { return p.id == id; });
        REQUIRE(found != peers.end());
        REQUIRE_FALSE(found->is_closed);
        return *found;
    }

    void perform(socketless::wire::transmit const& t) {
        using socketless::wire::transmit_type;
        if (t.type == transmit_type::connect) {
            for (wire_peer const& p : peers) REQUIRE(p.id != t.connection);
            peers.push_back(
                {.id = t.connection, .to = std::string(t.host) + ':' + std::to_string(t.port) + (t.tls ? " tls" : "")});
            if (connects) set_connected(peers.back());
            return;
        }
        wire_peer& p = find(t.connection);
        switch (t.type) {
        case transmit_type::start_tls:
            REQUIRE(p.is_connected);
            p.tls = t.host;
            if (connects) set_connected(p);
            break;
        case transmit_type::send:
            REQUIRE(p.is_connected);
            REQUIRE_FALSE(p.is_paused);
            REQUIRE_FALSE(t.data.empty());
            p.sent += t.data;
            p.pieces.emplace_back(t.data);
            break;
        case transmit_type::close: p.is_closed = true; break;
        default: FAIL("a client does not end its side");
        }
    }
    void set_connected(wire_peer& p) {
        p.is_connected = true;
        io.connected(p.id, now);
    }

    std::deque<exact_copy> inputs_;
};

using session_scene = basic_client_scene<watched_session>;
using client_scene = basic_client_scene<socketless::client>;

/// An answer with a Content-Length.
inline std::string answer(std::string_view body, std::string_view fields = {}, std::string_view status = "200 OK") {
    return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline constexpr std::string_view engine_handshake =
    R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";
inline constexpr std::string_view upgrading_handshake =
    R"(0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";

inline std::string first_line(std::string_view request) {
    return std::string(request.substr(0, request.find("\r\n")));
}
inline std::string body_of(std::string_view message) {
    return std::string(message.substr(message.find("\r\n\r\n") + 4));
}
inline bool has_line(std::string_view message, std::string_view line) {
    return message.find("\r\n" + std::string(line) + "\r\n") != std::string_view::npos;
}
/// The value of a field of a request.
inline std::string field_of(std::string_view message, std::string_view name) {
    auto const begin = message.find("\r\n" + std::string(name) + ": ");
    if (begin == std::string_view::npos) return "(none)";
    auto const value = message.substr(begin + name.size() + 4);
    return std::string(value.substr(0, value.find("\r\n")));
}

/// The answer that opens the WebSocket of this request.
inline std::string agree(std::string_view request, std::string_view fields = {}) {
    auto const accept = socketless::websocket::accept_of(field_of(request, "Sec-WebSocket-Key"));
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + std::string(fields) +
           "Sec-WebSocket-Accept: " + std::string(accept.data(), accept.size()) + "\r\n\r\n";
}
/// A frame of a server.
inline std::string server_frame(std::string_view payload,
                                socketless::websocket::opcode code = socketless::websocket::opcode::text) {
    std::string out;
    socketless::websocket::write_frame(out, code, payload).ignore();
    return out;
}

inline socketless::engineio::client_options over(std::vector<socketless::engineio::transport> transports) {
    socketless::engineio::client_options options;
    options.transports = std::move(transports);
    options.timestamp_param.clear();
    return options;
}
inline socketless::engineio::client_options by_polling() {
    return over({socketless::engineio::transport::polling});
}
inline socketless::engineio::client_options by_websocket() {
    return over({socketless::engineio::transport::websocket});
}
inline socketless::engineio::client_options by_both() {
    return over({socketless::engineio::transport::polling, socketless::engineio::transport::websocket});
}

} // namespace support::wire_client
