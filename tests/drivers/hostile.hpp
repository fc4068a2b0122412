// Messages that have broken other implementations, and the four places here that they can reach: a session of each side
// alone, and whole stacks. Each of them is joined first, takes the messages, and then its end is awaited.
#pragma once

#include "drivers/socket_lines.hpp"
#include "drivers/stacks.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/server_session.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

struct hostile_input {
    struct message {
        frame_kind kind;
        std::string data;
    };

    // Its source: see the comments of `malformed_inputs`.
    std::string name;
    std::vector<message> messages;
};

// A text and the attachments that follow it.
inline hostile_input hostile(std::string name, std::string text, std::size_t attachments = 0) {
    hostile_input input{std::move(name), {{frame_kind::text, std::move(text)}}};
    for (; attachments != 0; --attachments) input.messages.push_back({frame_kind::binary, "\1\2\3"});
    return input;
}

// Inputs that no side may take for packets.
inline std::vector<hostile_input> malformed_inputs() {
    std::size_t const many = 1'000'000;
    std::string const digits(many, '7');
    std::string const nested(many, '[');
    std::string const closed = nested + std::string(many, ']');
    std::string objects;
    for (std::size_t i = 0; i != many / 5; ++i) objects += R"({"a":)";
    std::vector<hostile_input> all = {
        // socket.io-parser read ack ids without end.
        hostile("CVE-2020-36049", "2" + digits),
        hostile("CVE-2020-36049", "2" + digits + R"(["a"])"),
        hostile("CVE-2020-36049", "3" + digits + "[]"),
        // Names of events are no objects.
        hostile("CVE-2023-32695", R"(2[{"toString":"foo"}])"),
        hostile("CVE-2023-32695", "2[[]]"),
        hostile("CVE-2023-32695", "2[null]"),
        hostile("CVE-2023-32695", R"(51-[{"_placeholder":true,"num":0}])", 1),
        // The number of attachments: huge, zero, or not a number.
        hostile("CVE-2026-33151", R"(5999999-["a"])", 3),
        hostile("CVE-2026-33151", R"(511-["a"])", 11),
        hostile("CVE-2026-69185", R"(50-["a"])"),
        hostile("CVE-2026-69185", R"(5-["a"])"),
        hostile("CVE-2026-69185", R"(60-1["a"])"),
        hostile("2015, without a dash", "5"),
        hostile("2015, without a dash", "51"),
        hostile("2015, without a dash", "5["),
        hostile("netty-socketio#945", "5999-"),
        // Digits wherever they are allowed.
        hostile("netty-socketio, digits", "5" + digits),
        hostile("netty-socketio, digits", "51-" + digits, 1),
        hostile("netty-socketio, digits", "5" + digits + R"(-["a"])"),
        hostile("netty-socketio, digits", R"(51-["a",{"_placeholder":true,"num":)" + digits + "}]", 1),
        // Numbers at which stoul and stoi throw.
        hostile("socket.io-client-cpp", R"(29007199254740992["a"])"),
        hostile("socket.io-client-cpp", R"(218446744073709551616["a"])"),
        hostile("socket.io-client-cpp", R"(51-[{"_placeholder":1}])", 1),
        hostile("socket.io-client-cpp", R"(51-["a",{"_placeholder":true}])", 1),
        hostile("socket.io-client-cpp", R"(5x-["a"])"),
        // Nesting that would exhaust the stack of a recursive parser.
        hostile("depth", R"(2["a",)" + nested),
        hostile("depth", R"(2["a",)" + closed + "]"),
        hostile("depth", R"(2["a",)" + objects),
        hostile("depth", R"(51-["a",{"_placeholder":true,"num":0},)" + closed + "]", 1),
        hostile("depth", "31[" + closed + "]"),
        hostile("depth", R"(0{"a":)" + closed + "}"),
        hostile("depth", R"(4{"message":)" + closed + "}"),
    };
    // The index of an attachment is no name of a property.
    for (char const* num :
         {R"("splice")", "0.5", "-1", "1e0", "1", "99999999999999999999", "null", "[0]", "true", R"("0")"})
        all.push_back(
            hostile("CVE-2022-2421", R"(51-["hello",{"_placeholder":true,"num":)" + std::string(num) + "}]", 1));
    return all;
}

//=== where they are sent to: each returns the events that came of them ===//

inline lines at_server_session(hostile_input const& input, socketio::revision r) {
    socketio::server_options const options;
    socketio::message_queue queue;
    socketio::server_session session(options, queue, r, start);
    lines all;
    auto const drain = [&] {
        while (auto const e = session.poll_event()) {
            if (e->type == socketio::event_type::connecting)
                session.accept(e->socket, "sid").ignore();
            else
                all.push_back(show(*e));
        }
        while (session.poll_transmit()) {
        }
    };
    drain();
    if (r == socketio::revision::v5) {
        session.message_received(text("0"), start);
        drain();
    }
    for (auto const& m : input.messages) {
        session.message_received({m.kind, m.data}, start);
        drain();
    }
    session.connection_closed(socketio::disconnect_reason::transport_close, start);
    drain();
    return all;
}

inline lines at_client_session(hostile_input const& input, socketio::revision r) {
    socketio::client_session session({.revision = r});
    lines all;
    auto const drain = [&] {
        while (auto const e = session.poll_event()) all.push_back(show(*e));
        while (session.poll_transmit()) {
        }
    };
    session.connect().ignore();
    session.opened(start);
    drain();
    session.message_received(text(r == socketio::revision::v5 ? R"(0{"sid":"sid"})" : "0"), start);
    drain();
    all.clear(); // connected
    for (auto const& m : input.messages) {
        session.message_received({m.kind, m.data}, start);
        drain();
    }
    session.closed(socketio::disconnect_reason::transport_close, start);
    drain();
    return all;
}

// A whole server that one hostile client after another connects to, over a WebSocket or by long-polling.
class hostile_server {
public:
    explicit hostile_server(socketless::server_options options = {})
        : server(adapted(std::move(options)), random(), start) {}

    socketless::server server;
    socketless::time_point now = start;

    lines over_websocket(hostile_input const& input, std::string_view eio = "4") {
        std::string const target = "/socket.io/?transport=websocket&EIO=" + std::string(eio);
        std::uint64_t const channel = ++last_name_;
        begin();
        server.websocket_opened(channel, target, now);
        drain();
        if (eio == "4") receive(channel, {frame_kind::text, "0"}, eio);
        all_.clear(); // connected
        for (auto const& m : input.messages) receive(channel, m, eio);
        server.channel_closed(channel, now);
        drain();
        return end();
    }

    // In bodies of one packet each.
    lines over_polling(hostile_input const& input) {
        begin();
        get();
        post("40");
        get();
        all_.clear(); // connected
        for (auto const& m : input.messages) post(m.kind == frame_kind::text ? "4" + m.data : std::string("bAQID"));
        get();
        auto const exchange = get();
        server.http_aborted(exchange, now);
        drain();
        return end();
    }

private:
    static socketless::random_source random() { return counting_random(); }
    static socketless::server_options adapted(socketless::server_options options) {
        options.engine.allow_v3 = true;
        options.engine.max_payload = 16'000'000; // large inputs reach Socket.IO, rather than being refused below it
        return options;
    }

    void begin() {
        all_.clear();
        sid_.clear();
    }

    // A timer of the server is due sooner or later; the memory in use then is its own.
    lines end() {
        server.handle_timeout(now);
        std::string().swap(buffer_);
        return std::exchange(all_, {});
    }

    void receive(std::uint64_t channel, hostile_input::message const& m, std::string_view eio) {
        bool const bare = m.kind == frame_kind::binary && eio == "4";
        char const type = m.kind == frame_kind::binary ? '\4' : '4';
        std::string const wire = bare ? m.data : type + m.data;
        server.websocket_received(channel, {m.kind, wire}, now);
        drain();
    }

    std::uint64_t get() { return request(engineio::http_method::get, {}); }
    void post(std::string body) { request(engineio::http_method::post, std::move(body)); }

    std::uint64_t request(engineio::http_method method, std::string body) {
        std::string target = "/socket.io/?EIO=4&transport=polling";
        if (!sid_.empty()) target += "&sid=" + sid_;
        std::uint64_t const exchange = ++last_name_;
        server.http_received({.exchange = exchange, .method = method, .target = target, .body = body}, now);
        drain();
        return exchange;
    }

    void drain() {
        for (;;) {
            if (auto const e = server.poll_event()) {
                all_.push_back(show(*e));
            } else if (auto const t = server.poll_transmit(buffer_)) {
                auto const h = t->data.data.starts_with("0{")
                                   ? engineio::decode_handshake(t->data.data.substr(1))
                                   : socketless::result<engineio::handshake>(socketless::errc::invalid_handshake);
                if (h) sid_ = h->sid;
            } else {
                return;
            }
        }
    }

    std::uint64_t last_name_ = 0;
    std::string sid_;
    std::string buffer_;
    lines all_;
};

// A whole client whose server is hostile.
inline lines at_client(hostile_input const& input) {
    socketless::client client({.transports = {engineio::transport::websocket}, .reconnection = false},
                              counting_random(), start);
    lines all;
    std::string buffer;
    std::uint64_t channel = 0;
    auto const drain = [&] {
        for (;;) {
            if (auto const e = client.poll_event()) {
                all.push_back(show(*e));
            } else if (auto const t = client.poll_transmit(buffer)) {
                if (t->type == engineio::transmit_type::open_websocket) channel = t->id;
            } else {
                return;
            }
        }
    };
    auto const receive = [&](frame f) {
        client.websocket_received(channel, f, start);
        drain();
    };
    client.connect().ignore();
    drain();
    client.channel_opened(channel, start);
    drain();
    receive(text(R"(0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})"));
    receive(text(R"(40{"sid":"sid"})"));
    all.clear(); // opened, connected
    for (auto const& m : input.messages)
        receive(m.kind == frame_kind::text ? text("4" + m.data) : frame{m.kind, m.data});
    client.channel_closed(channel, start);
    drain();
    return all;
}

} // namespace support
