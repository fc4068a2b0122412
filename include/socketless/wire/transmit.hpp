// What a wire server or client has its I/O layer do with the connections of a network.
#pragma once

#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// A connection: TCP, or TLS over it. On the server the caller names them, on the client the library does. While a name
/// is in use, it names nothing else.
using connection_id = std::uint64_t;

/// What the I/O layer does.
enum class transmit_type : std::uint8_t {
    /// Client: connect to `host` and `port`, with TLS if `tls` says so. Say `connected` once that is done, or `closed`.
    connect,
    /// Client: begin TLS with `host` on a connection that is open, to a server behind a proxy. Say `connected` once
    /// more.
    start_tls,
    /// Write `data`. If not all of it can be written at once, keep the rest, `pause` the connection, and `resume` it
    /// when the rest has been written.
    send,
    /// Server: end the write side (shutdown); all that was sent has been written. What comes is still to be given in.
    end,
    /// Close the connection now; its name is free. `closed` is not called for it.
    close,
};

/// What to do, for the I/O layer. Views are valid until the next call that is not const, other than `pause` and
/// `resume`, or until the buffer that you gave to `poll_transmit` is used again.
struct transmit {
    /// What to do.
    transmit_type type = transmit_type::send;
    /// With which connection.
    connection_id connection = 0;
    /// send: the bytes.
    std::string_view data = {};
    /// connect: the name or the address to connect to. With TLS, here and for start_tls, also the name that the
    /// certificate must have.
    std::string_view host = {};
    /// connect: the port.
    std::uint16_t port = 0;
    /// connect: whether bytes go over TLS.
    bool tls = false;
};

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>
