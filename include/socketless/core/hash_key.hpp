// The key of a hash: what makes names that collide in one table not collide in another.
#pragma once

#include <socketless/core/random.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// The key of the tables in which names are found that peers choose. While a peer does not know it, it cannot choose
/// names that collide. Zero, and known to all, if none is given: good enough where the names are one's own.
struct hash_key {
    std::uint64_t first = 0;
    std::uint64_t second = 0;

    friend constexpr bool operator==(hash_key const&, hash_key const&) noexcept = default;
};

/// A new key. Errors of the source are the source's own.
[[nodiscard]] inline hash_key make_hash_key(random_source const& random) {
    std::array<std::byte, 2 * sizeof(std::uint64_t)> bytes{};
    random(bytes);
    hash_key key;
    std::memcpy(&key.first, bytes.data(), sizeof key.first);
    std::memcpy(&key.second, bytes.data() + sizeof key.first, sizeof key.second);
    return key;
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
