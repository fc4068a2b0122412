// Randomness of the operating system, as the library asks for it.
#pragma once

#include <socketless/core/random.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>
#include <span>

namespace beast_driver {

inline socketless::random_source system_random() {
    return [](std::span<std::byte> bytes) {
        std::random_device device;
        while (!bytes.empty()) {
            auto const word = device();
            auto const count = std::min(bytes.size(), sizeof word);
            std::memcpy(bytes.data(), &word, count);
            bytes = bytes.subspan(count);
        }
    };
}

} // namespace beast_driver
