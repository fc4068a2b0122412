// What a redis_node and its caller pass each other: commands for Redis, and replies.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

/// The connections to Redis that a node wants: one that subscribes, or waits for entries, can do nothing else.
enum class redis_connection : std::uint8_t {
    /// Carries commands, each of which is answered by one reply.
    commands,
    /// Carries subscriptions: SUBSCRIBE, PSUBSCRIBE and their opposites, and what Redis pushes.
    subscriptions,
    /// Streams only: reads the stream. A command waits for entries for some seconds before it is answered.
    reader,
};

/// A command for Redis: a list of byte strings, as redisCommandArgv of hiredis takes it. Valid until the next call that
/// is not const.
struct redis_command {
    /// The connection that it is for.
    redis_connection connection = redis_connection::commands;
    /// What the reply is told with. 0 for a command of `subscriptions`, which has no reply.
    std::uint64_t token = 0;
    /// The words: {"PUBLISH", "socket.io#/#", "..."}.
    std::span<std::string_view const> words;
};

/// A reply of Redis, or a part of one. Borrowed.
struct redis_reply {
    /// The types of RESP 2; others count as `nil`.
    enum class kind : std::uint8_t { nil, error, text, integer, array };

    /// What it is.
    kind type = kind::nil;
    /// text, error: what it says.
    std::string_view text = {};
    /// integer: the number.
    std::int64_t integer = 0;
    /// array: the elements.
    std::span<redis_reply const> elements = {};
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
