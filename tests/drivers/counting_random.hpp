// Random bytes for tests.
#pragma once

#include <socketless/core/random.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace support {

// A counter in place of randomness: it differs each time.
inline socketless::random_source counting_random(std::uint64_t first = 1) {
    return [n = first](std::span<std::byte> bytes) mutable {
        for (std::byte& b : bytes) {
            n = n * 6364136223846793005u + 1442695040888963407u;
            b = static_cast<std::byte>(n >> 56u);
        }
    };
}

} // namespace support
