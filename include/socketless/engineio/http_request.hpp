// Requests, as the I/O layer hands them to a server.
#pragma once

#include <socketless/engineio/session.hpp>

#include <cstdint>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The method of a request: GET, POST, or another, which the protocol does not know.
enum class http_method : std::uint8_t { get, post, other };

/// A request, as the I/O layer hands it in. Views must stay valid until `poll_event` has returned nothing.
struct http_request {
    /// The name of the exchange, which the I/O layer chooses.
    exchange_id exchange = 0;
    /// The method of the request.
    http_method method = http_method::get;
    /// The target of the request: path and query.
    std::string_view target = {};
    /// Whether the Content-Type is application/octet-stream.
    bool is_binary = false;
    /// The body, whole; base64 in it is decoded in place.
    std::span<char> body = {};
    /// Whether the body is longer than `max_payload`: the I/O layer may stop reading there, and give none of it.
    bool is_too_large = false;
    /// See handshake_request: these three are kept if the request begins a session.
    std::uint64_t context = 0;
    std::string_view fields = {};
    std::string_view address = {};
};

/// An open WebSocket, as the I/O layer hands it in.
struct websocket_request {
    /// The name of the channel, which the I/O layer chooses.
    channel_id channel = 0;
    /// The target of its request: path and query.
    std::string_view target = {};
    /// As above.
    std::uint64_t context = 0;
    /// Whether `websocket_refusal` was called for this request: then the server does not ask `allow_request` again.
    bool is_checked = false;
    /// As above.
    std::string_view fields = {};
    std::string_view address = {};
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
