// A connection of a wire client: its HTTP, and the WebSocket that it may become.
#pragma once

#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/time.hpp>
#include <socketless/http/response.hpp>
#include <socketless/http/whole_body.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/transmit.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// What a request is for.
enum class request_kind : std::uint8_t { get, post, websocket };

// What a connection is doing. It goes down this list, and may leave steps out.
enum class client_phase : std::uint8_t {
    // It is being made, to the server or to the proxy.
    connecting,
    // The proxy is asked for a tunnel.
    tunnelling,
    // TLS begins in the tunnel.
    securing,
    // It speaks HTTP, or is a WebSocket.
    open,
    // Its WebSocket has ended: it waits for the server to end it.
    lingering,
    // It is to be closed.
    closing,
};

struct client_connection : core_detail::slot {
    http::response_reader reader;
    http::whole_body body;
    std::optional<websocket::connection> websocket;
    std::optional<time_point> deadline; // of what it is doing
    std::string request;                // the last one, which may have to be sent again
    std::uint64_t exchange = 0;         // what the protocol calls the request or the WebSocket; 0 if it has neither
    int status = 0;                     // of the answer that is being read
    websocket::key_value key{};
    request_kind kind = request_kind::get;
    client_phase phase = client_phase::connecting;
    bool is_due = true;      // the caller has yet to hear what the phase begins with: to connect, a request
    bool is_known = false;   // the caller has heard of it
    bool is_paused = false;  // the caller writes
    bool is_gone = false;    // the caller knows no such connection any more
    bool has_ended = false;  // the server has ended its side
    bool is_reused = false;  // an answer has come on it before
    bool is_binary = false;  // the answer
    bool keep_alive = false; // after the answer
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
