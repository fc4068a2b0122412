// What happens to connections and requests, for logs and for applications that keep data with a connection.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// A session of a `server`: a cheap value that never dangles. Once the session has ended it names nothing.
struct session_handle {
    /// Where the server keeps it.
    std::uint32_t index = 0;
    /// Distinguishes the sessions that the server has kept there.
    std::uint32_t generation = 0;

    friend constexpr bool operator==(session_handle, session_handle) noexcept = default;
};

/// What an event of a connection says.
enum class connection_event_type : std::uint8_t {
    /// A request, or the channel that came of it, was refused: `id`, `code`, `status`.
    refused,
    /// A session has begun, over `transport`.
    opened,
    /// It has moved to `transport`.
    upgraded,
    /// It has ended: `reason`, `error`.
    closed,
};

/// The name in this library.
[[nodiscard]] constexpr std::string_view name(connection_event_type type) noexcept {
    constexpr std::string_view names[] = {"refused", "opened", "upgraded", "closed"};
    return names[static_cast<std::size_t>(type)];
}

/// Something that happened to a connection, of either layer's server: `poll_connection_event` tells it where
/// `server_options::max_connection_events` asks for it. A plain value.
struct connection_event {
    /// What happened.
    connection_event_type type = connection_event_type::closed;
    /// opened, upgraded, closed.
    session_handle session = {};
    /// The I/O layer's number: of the request that was refused, or of that with which the session began.
    std::uint64_t context = 0;
    /// opened, upgraded: the transport in use from now on.
    engineio::transport transport = transport::polling;
    /// refused: the exchange, or the channel; 0 if `websocket_refusal` has refused.
    std::uint64_t id = 0;
    /// refused: the code and the HTTP status of the answer.
    request_error code = request_error::bad_request;
    int status = 0;
    /// closed: why.
    close_reason reason = close_reason::transport_error;
    /// closed: the error in what the client sent, if it could not be read. With close_reason::forced_close it was the
    /// layer above that could not read it.
    std::optional<errc> error = std::nullopt;
    /// How many events before this one were dropped, because as many as allowed were waiting.
    std::size_t dropped = 0;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
