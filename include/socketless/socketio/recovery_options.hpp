// How much a server keeps for clients that lost their connection.
#pragma once

#include <socketless/core/time.hpp>

#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// How much is kept, and how long. Whatever goes beyond a limit pushes out the oldest.
struct recovery_options {
    /// How long sessions and packets are kept.
    milliseconds max_disconnection_duration{120'000};
    /// Packets of all namespaces together.
    std::size_t max_packets = 10'000;
    /// Bytes of all packets together. A name in an audience counts as its length and 32 for the string itself.
    std::size_t max_bytes = std::size_t{16} * 1024 * 1024;
    /// Sessions that may come back.
    std::size_t max_sessions = 10'000;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
