// Which connection, in a way that a later one at the same place is not taken for it.
#pragma once

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// It is also a number: the name of a client's connection, and of a server's WebSocket for the protocol.
struct connection_handle {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;

    [[nodiscard]] static connection_handle of(std::uint64_t number) noexcept {
        return {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32u)};
    }
    [[nodiscard]] std::uint64_t number() const noexcept { return std::uint64_t{generation} << 32u | index; }
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
