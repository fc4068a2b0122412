// The transports of Engine.IO, by the names that they have in requests and handshakes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The transports, from the one that works everywhere to the newest.
enum class transport : std::uint8_t { polling, websocket, webtransport };

/// Each transport, once.
inline constexpr transport all_transports[] = {transport::polling, transport::websocket, transport::webtransport};

/// The name in requests and handshakes.
[[nodiscard]] constexpr std::string_view name(transport t) noexcept {
    constexpr std::string_view names[] = {"polling", "websocket", "webtransport"};
    return names[static_cast<std::size_t>(t)];
}

/// The transport of that name, if there is one.
[[nodiscard]] constexpr std::optional<transport> transport_named(std::string_view wanted) noexcept {
    for (transport const t : all_transports)
        if (name(t) == wanted) return t;
    return std::nullopt;
}

/// Some of the transports.
class transport_set {
public:
    /// No transport, or those of the list.
    constexpr transport_set() noexcept = default;
    constexpr transport_set(std::initializer_list<transport> list) noexcept {
        for (transport const t : list) insert(t);
    }

    /// Adds a transport.
    constexpr void insert(transport t) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(t)); }
    /// Whether the transport is among them.
    [[nodiscard]] constexpr bool contains(transport t) const noexcept { return (bits_ & bit(t)) != 0; }
    /// Whether there is no transport.
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }

    friend constexpr bool operator==(transport_set, transport_set) noexcept = default;

private:
    static constexpr unsigned bit(transport t) noexcept { return 1u << static_cast<unsigned>(t); }

    std::uint8_t bits_ = 0;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
