// Chances to fail: the places where user code or an allocation may throw, and the place where it does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace support {

enum class chance : std::uint8_t { allocation, predicate, random, writing, reading, allowing, handling, parsing };

// Thrown by user code.
struct thrown {};

// While `is_armed`, the next `left` chances of this kind pass and the one behind them throws; no other does.
struct chances {
    chance kind = chance::allocation;
    std::size_t left = 0;
    bool is_armed = false;
    bool has_thrown = false;

    bool take(chance c) noexcept {
        if (!is_armed || has_thrown || c != kind) return false;
        if (left-- != 0) return false;
        return has_thrown = true;
    }
};

inline chances fate;

#if defined(__cpp_exceptions)

// Calls the library, where something may throw while `is_armed`. Returns false if it did.
template <class F>
bool guarded(bool is_armed, F f) {
    fate.is_armed = is_armed;
    bool is_good = true;
    try {
        f();
    } catch (std::bad_alloc const&) {
        is_good = false;
    } catch (thrown const&) {
        is_good = false;
    }
    fate.is_armed = false;
    return is_good;
}

#endif

} // namespace support
