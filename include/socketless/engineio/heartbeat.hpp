// The heartbeat of Engine.IO: one side pings, the other watches. Revision 4: the server pings; 3: the client.
#pragma once

#include <socketless/core/time.hpp>

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The deadlines of one side of a heartbeat.
///
///     pinging:   waiting --ping_interval--> ping, awaiting --pong--> waiting
///                                                 `--ping_timeout--> expired
///     watching:  waiting --ping--> waiting
///                   `--ping_interval + ping_timeout--> expired
class heartbeat {
public:
    /// The two times of the handshake.
    struct intervals {
        /// From one ping to the next.
        milliseconds ping_interval{25'000};
        /// How long the answer may take.
        milliseconds ping_timeout{20'000};
    };
    /// What `handle_timeout` asks for: nothing, a ping, the end of the session.
    enum class action : std::uint8_t { none, ping, expired };

    /// Watching, and expired: assign another before use.
    heartbeat() noexcept = default;

    /// The side that pings.
    static heartbeat pinging(time_point now, intervals const& i) noexcept {
        return {socketless::deadline(now, i.ping_interval), state::waiting_to_ping};
    }
    /// The side that expects pings.
    static heartbeat watching(time_point now, intervals const& i) noexcept {
        return {socketless::deadline(socketless::deadline(now, i.ping_interval), i.ping_timeout), state::watching};
    }

    /// When to call `handle_timeout`.
    [[nodiscard]] time_point deadline() const noexcept { return deadline_; }
    /// Whether this side pings.
    [[nodiscard]] bool is_pinging() const noexcept { return state_ != state::watching; }

    /// What is due at this time.
    [[nodiscard]] action handle_timeout(time_point now, intervals const& i) noexcept {
        if (now < deadline_) return action::none;
        if (state_ != state::waiting_to_ping) return action::expired;
        state_ = state::awaiting_pong;
        deadline_ = socketless::deadline(now, i.ping_timeout);
        return action::ping;
    }

    /// A pong. Ignored if no pong is awaited.
    void pong(time_point now, intervals const& i) noexcept {
        if (state_ == state::awaiting_pong) *this = pinging(now, i);
    }

    /// A ping from the other side.
    void ping(time_point now, intervals const& i) noexcept {
        if (state_ == state::watching) *this = watching(now, i);
    }

private:
    enum class state : std::uint8_t { waiting_to_ping, awaiting_pong, watching };

    heartbeat(time_point deadline, state s) noexcept : deadline_(deadline), state_(s) {}

    time_point deadline_{};
    state state_ = state::watching;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
