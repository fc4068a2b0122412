// The key of a hash: names that collide with one key do not collide with another.
#pragma once

#include <socketless/core/random.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// The key of the tables that find names which peers choose. A peer that does not know the key cannot choose names that
/// collide. The default key is zero and known to all: good enough if you choose the names yourself.
struct hash_key {
    /// One half of the key.
    std::uint64_t first = 0;
    std::uint64_t second = 0;

    friend constexpr bool operator==(hash_key const&, hash_key const&) noexcept = default;
};

/// A new key. Throws what the source throws.
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
