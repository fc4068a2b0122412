// The vocabulary that Engine.IO sessions share, client and server: what happened, what to do, why it ended.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// An HTTP exchange, or a channel: a WebSocket or a stream. On the server the caller names them, on the client
/// the session does. While a name is in use, it names nothing else.
using exchange_id = std::uint64_t;
using channel_id = std::uint64_t;

/// Why a session ended. `name` gives the reference's words.
enum class close_reason : std::uint8_t {
    /// The transport failed, or the peer broke its rules.
    transport_error,
    /// The peer closed.
    transport_close,
    /// `close` was called here.
    forced_close,
    /// The peer's ping or pong did not come in time.
    ping_timeout,
    /// A packet could not be decoded.
    parse_error,
    /// More was queued than `max_queued` allows: the peer does not read.
    queue_overflow,
    /// The client could not open in time.
    open_timeout,
};

/// The words of the reference.
[[nodiscard]] constexpr std::string_view name(close_reason reason) noexcept {
    constexpr std::string_view names[] = {"transport error", "transport close", "forced close", "ping timeout",
                                          "parse error",     "queue overflow",  "open timeout"};
    return names[static_cast<std::size_t>(reason)];
}

/// What an event of a session says.
enum class event_type : std::uint8_t {
    /// The handshake is done, over `transport`. A client's session shows it: client_session::handshake.
    opened,
    /// `message` arrived.
    message,
    /// A better transport answers: the move to `transport` has begun.
    upgrading,
    /// The session has moved to `transport`.
    upgraded,
    /// The move did not succeed; the session goes on as it was.
    upgrade_failed,
    /// All that was queued has been handed to the I/O layer.
    drained,
    /// The end, once, with its `reason`. Nothing follows.
    closed,
};

/// What happened, for the application. Views are valid until the next `poll_event`: see core/input.hpp.
struct event {
    /// What happened.
    event_type type = event_type::closed;
    /// opened, upgrading, upgraded: the transport.
    engineio::transport transport = transport::polling;
    /// closed: why.
    close_reason reason = close_reason::transport_error;
    /// message: what arrived.
    frame message = {};
};

/// What the I/O layer does.
enum class transmit_type : std::uint8_t {
    /// Server: answer the exchange `id` with `status`, `content` and `data`.
    respond,
    /// Client: request `target`, with `data` as the body of a POST; the exchange is called `id`. One GET and one POST
    /// run at the same time: the server answers the GET when it has something to say, which may take its ping interval.
    get,
    post,
    /// Client: open a WebSocket to `target`, or a stream; the channel is called `id`.
    open_websocket,
    open_stream,
    /// Send `data` as one message of the WebSocket `id`, or its bytes on the stream `id`.
    send,
    /// Close the channel `id` once all that was sent on it has gone.
    close,
    /// Client: give up the exchange `id`; no answer to it is wanted.
    abort,
};

/// The content of a body: nothing, text, HTML, bytes or JSON. `name` gives the header for it.
enum class content_type : std::uint8_t { none, text, html, binary, json };

/// The value of the Content-Type header.
[[nodiscard]] constexpr std::string_view name(content_type type) noexcept {
    constexpr std::string_view names[] = {"", "text/plain; charset=UTF-8", "text/html", "application/octet-stream",
                                          "application/json"};
    return names[static_cast<std::size_t>(type)];
}

/// The value of the Cache-Control header that every answer to an exchange carries.
inline constexpr std::string_view cache_control = "no-store";

/// What to do, for the I/O layer. Views are valid until the next non-const call other than `pause` and `resume`, or
/// until the buffer that you gave to `poll_transmit` is used again.
struct transmit {
    /// What to do.
    transmit_type type = transmit_type::send;
    /// The exchange or the channel.
    std::uint64_t id = 0;
    /// respond: the HTTP status.
    int status = 0;
    /// respond, post: what the body is.
    content_type content = content_type::none;
    /// get, post, open_websocket: the target of the request, path and query.
    std::string_view target = {};
    /// respond, post: the body; send: the message, or bytes of the stream.
    frame data = {};
    /// send: not null if `data` lies in bytes that the receivers of a broadcast share; a copy of this pointer keeps
    /// them. It lives as long as the views.
    std::shared_ptr<std::string const> const* shared = nullptr;
    /// respond: the id of the session that begins with this answer; empty with others.
    std::string_view sid = {};
};

namespace detail {

// Nothing to do yet. GCC zeroes one that is declared empty, with an instruction that is slow: transmits are large.
[[nodiscard]] inline std::optional<transmit> no_transmit() noexcept {
    return std::nullopt;
}

} // namespace detail

/// The answer to a client's request that has failed. The status is 0 if there was no answer.
struct failed_answer {
    /// The HTTP status.
    int status = 0;
    /// The body of the answer, borrowed.
    std::string_view body = {};
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
