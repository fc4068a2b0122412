// A socket as other nodes see it: what `fetch_sockets` brings.
#pragma once

#include <socketless/cluster/options.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/token.hpp>
#include <socketless/text/utf8.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// What a client has sent need not be text.
inline void write_text(json::writer& out, std::string_view key, std::string_view text) {
    if (utf8::validate(key) && utf8::validate(text)) out.key(key).string(text);
}

// As the reference writes socket.handshake, in as far as the server knows it.
inline void write_handshake(json::writer& out, engineio::handshake_request const& h) {
    out.begin_object().key("headers").begin_object();
    for (auto const [name, value] : http::field_view(h.fields)) {
        std::string lower(name);
        for (char& c : lower) c = token::lower(c);
        write_text(out, lower, value);
    }
    out.end_object();
    write_text(out, "address", h.address);
    std::string url(h.path);
    if (!h.query.raw().empty()) url.append("?").append(h.query.raw());
    write_text(out, "url", url);
    out.key("query").begin_object();
    for (auto const [name, value] : h.query) write_text(out, percent::decoded(name), percent::decoded(value));
    out.end_object().end_object();
}

// The member `rooms`: its id is the first.
inline void write_rooms(json::writer& out, server const& io, socketio::socket_handle socket) {
    out.key("rooms").begin_array().string(io.sid(socket));
    for (auto const room : io.rooms_of(socket))
        if (utf8::validate(room)) out.string(room); // others could not be named in a message
    out.end_array();
}

// The member `data`.
inline void write_data(json::writer& out, socketio::socket_handle socket, node_options const& options) {
    out.key("data");
    if (options.write_data)
        options.write_data(socket, out);
    else
        out.begin_object().end_object();
}

enum class handshakes : std::uint8_t { whole, empty };

inline void write_socket(json::writer& out, server const& io, socketio::socket_handle socket,
                         node_options const& options, handshakes with) {
    out.begin_object().member("id", io.sid(socket)).key("handshake");
    if (with == handshakes::empty)
        out.begin_object().end_object();
    else if (options.write_handshake)
        options.write_handshake(socket, out);
    else
        write_handshake(out, io.handshake(socket));
    write_rooms(out, io, socket);
    write_data(out, socket, options);
    out.end_object();
}

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
