// What Socket.IO sessions say, as lines to be read and compared:
//
//     connecting /a {"token":1} ?x=y            its auth and its query, where there are any
//     connected /a, recovered /a
//     event /a ["news",1] <0102> ack 7          the payload, its attachments, and the id if it asks for an acknowledgement
//     ack 3 answered /a [1], ack 3 timed out /a, acks 3 complete: 1 of 2
//     disconnected /a: transport close
//     closed: transport close
//     send 2["news"], send <0102>, close        what the channel is to do
#pragma once

#include "support/sessions.hpp"

#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <string>

namespace support {

namespace socketio = socketless::socketio;

inline std::string show_contents(socketio::message const& m) {
    std::string text(m.packet.data.raw());
    for (socketless::byte_view const a : m.attachments) text += " " + show(binary(socketless::as_characters(a)));
    return text;
}

inline std::string show_ack(socketio::event const& e) {
    constexpr std::string_view outcomes[] = {" answered ", " timed out ", " disconnected "};
    std::string line = "ack " + std::to_string(e.id);
    line += outcomes[static_cast<std::size_t>(e.outcome)];
    line += e.nsp;
    if (e.outcome == socketio::ack_outcome::answered) line += " " + show_contents(e.packet);
    return line;
}

inline std::string show(socketio::event const& e) {
    using enum socketio::event_type;
    std::string const nsp(e.nsp);
    switch (e.type) {
    case connecting: {
        std::string line = "connecting " + nsp;
        if (!e.data.empty()) line += " " + std::string(e.data.raw());
        if (!e.query.empty()) line += " ?" + std::string(e.query);
        return line;
    }
    case connected: return (e.recovered ? "recovered " : "connected ") + nsp;
    case event: {
        std::string line = "event " + nsp + " " + show_contents(e.packet);
        if (e.ack) line += " ack " + std::to_string(e.ack.id());
        return line;
    }
    case ack: return show_ack(e);
    case acks_complete:
        return "acks " + std::to_string(e.id) + " complete: " + std::to_string(e.answers) + " of " +
               std::to_string(e.expected);
    case disconnected: return "disconnected " + nsp + ": " + std::string(name(e.reason));
    case closed: return "closed: " + std::string(name(e.reason));
    default: return "?";
    }
}

inline std::string show(socketio::transmit const& t) {
    return t.type == socketio::transmit_type::close ? "close" : "send " + show(t.message);
}

} // namespace support
