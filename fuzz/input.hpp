// Shared by the fuzz targets: the input, a check that stops the fuzzer, and how much memory is in use.
#pragma once

#include <socketless/core/result.hpp>

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace fuzz {

// Stops the fuzzer if a promise is broken.
inline void check(bool holds) {
    if (!holds) __builtin_trap();
}

// As the address sanitizer counts it.
inline std::size_t memory_in_use() noexcept {
    return __sanitizer_get_current_allocated_bytes();
}

// Bytes that steer a target are taken from the front; the target decodes the rest.
class input {
public:
    input(std::uint8_t const* data, std::size_t size) noexcept : rest_(reinterpret_cast<char const*>(data), size) {}

    [[nodiscard]] std::uint8_t take() noexcept {
        if (rest_.empty()) return 0;
        auto const byte = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return byte;
    }

    [[nodiscard]] std::string_view take(std::size_t size) noexcept {
        auto const taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }

    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

private:
    std::string_view rest_;
};

// Whether `part` lies within `whole`. An empty part lies anywhere.
inline bool is_within(std::string_view part, std::string_view whole) {
    std::less_equal<> const before;
    return part.empty() ||
           (before(whole.data(), part.data()) && before(part.data() + part.size(), whole.data() + whole.size()));
}

// An error is at a byte of the input or at its end.
inline void check_offset(socketless::error e, std::string_view whole) {
    check(e.offset <= whole.size() || e.code == socketless::errc::buffer_too_small);
}

} // namespace fuzz
