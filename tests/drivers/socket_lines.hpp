// The events and transmits of Socket.IO sessions, as readable lines:
//
//     connecting /                        auth is asked for (on a server: a client asks to join)
//     connected / abc                     and the socket's id; "recovered" behind it
//     connect_error / "no" {"code":401}   message and data
//     event / ["hello",1] <0102> ack 5    the payload, attachments, the id if an acknowledgement is asked for
//     ack 1 answered ["x"]                or: timed out, disconnected
//     disconnected /: transport close
//     closed: transport close
//     opened, upgraded, open_failed: transport error, reconnecting 1, reconnect_failed
//     send 0/admin,                       a message to be sent; binary stands as <hex>
//     close
#pragma once

#include "drivers/lines.hpp"

#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace support {

namespace socketio = socketless::socketio;

inline std::string show(socketio::message const& m) {
    std::string line(m.packet.data.raw());
    for (socketless::byte_view const a : m.attachments) line += " <" + to_hex(socketless::as_characters(a)) + ">";
    return line;
}

inline std::string show(socketio::event const& e) {
    using enum socketio::event_type;
    constexpr std::string_view outcomes[] = {"answered ", "timed out", "disconnected"};
    std::string const nsp(e.nsp);
    std::string const reason(name(e.reason));
    auto const behind = [](std::string_view text) { return text.empty() ? std::string() : " " + std::string(text); };
    switch (e.type) {
    case connecting:
        return "connecting " + nsp + behind(e.data.raw()) + (e.query.empty() ? "" : "?") + std::string(e.query);
    case connected: return "connected " + nsp + behind(e.sid) + (e.recovered ? " recovered" : "");
    case connect_error: return "connect_error " + nsp + behind(e.message.raw()) + behind(e.data.raw());
    case event: return "event " + nsp + " " + show(e.packet) + (e.ack ? " ack " + std::to_string(e.ack.id()) : "");
    case ack:
        return "ack " + std::to_string(e.id) + " " + std::string(outcomes[static_cast<std::size_t>(e.outcome)]) +
               show(e.packet);
    case acks_complete:
        return "acks_complete " + std::to_string(e.id) + ": " + std::to_string(e.answers) + " of " +
               std::to_string(e.expected);
    case disconnected: return "disconnected " + nsp + ": " + reason;
    case closed: return "closed: " + reason;
    case opened: return "opened" + (e.attempt != 0 ? " after " + std::to_string(e.attempt) : "");
    case upgraded: return "upgraded";
    case open_failed: return "open_failed: " + reason;
    case reconnecting: return "reconnecting " + std::to_string(e.attempt);
    case reconnect_failed: return "reconnect_failed";
    }
    return "?";
}

inline std::string show(socketio::transmit const& t) {
    return t.type == socketio::transmit_type::close ? "close" : "send " + show(t.message);
}

} // namespace support
