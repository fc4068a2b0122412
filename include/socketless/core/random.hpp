// Randomness as the library knows it: bytes from the caller, and the ids that are made of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// Fills the bytes with randomness that cannot be guessed: ids are secrets. Precondition: not the same bytes each time,
/// or no second id could be told from the first.
using random_source = std::function<void(std::span<std::byte>)>;

/// 120 random bits as base64url: the id of a session or of a socket.
using random_id = std::array<char, 20>;

/// The same as text.
[[nodiscard]] inline std::string_view view(random_id const& id) noexcept {
    return {id.data(), id.size()};
}

/// A new id. Errors of the source are the source's own.
[[nodiscard]] inline random_id make_random_id(random_source const& random) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::array<std::byte, 15> bytes{};
    random(bytes);
    random_id id{};
    for (std::size_t i = 0; i != id.size(); ++i) {
        // Six bits, of two bytes where they do not lie in one.
        std::size_t const bit = i * 6;
        auto const high = std::to_integer<unsigned>(bytes[bit / 8]) << 8u;
        auto const low = bit % 8 > 2 ? std::to_integer<unsigned>(bytes[bit / 8 + 1]) : 0u;
        id[i] = alphabet[((high | low) >> (10 - bit % 8)) & 0x3fu];
    }
    return id;
}

namespace detail {

// What ids are found by: enough of their bits that two never agree by chance. Precondition: as long as an id.
inline std::uint64_t key_of(std::string_view id) noexcept {
    std::uint64_t key = 0;
    std::memcpy(&key, id.data(), sizeof key);
    return key;
}

} // namespace detail
} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
