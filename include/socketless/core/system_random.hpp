// The randomness of the operating system, as the library wants it.
#pragma once

#include <socketless/core/random.hpp>

#include <cstddef>
#include <cstdlib>
#include <span>

#if defined(_WIN32)
#include <algorithm>
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) ||                     \
    defined(__DragonFly__) || defined(__ANDROID__) || defined(__CYGWIN__)
#define SOCKETLESS_HAS_ARC4RANDOM
#elif defined(__linux__) || defined(ESP_PLATFORM)
#define SOCKETLESS_HAS_GETRANDOM
#include <sys/random.h>

#include <cerrno>
#endif

#include <socketless/core/detail/prologue.hpp>

#if defined(_WIN32)
#if defined(_MSC_VER)
#pragma comment(lib, "bcrypt") // MinGW wants to be told: -lbcrypt
#endif
// As bcrypt.h declares it, without what that header brings along.
extern "C" long __stdcall BCryptGenRandom(void* algorithm, unsigned char* bytes, unsigned long size,
                                          unsigned long flags);
#endif

namespace socketless::inline v0 {
namespace detail {

#if defined(_WIN32)

inline void fill_from_system(std::span<std::byte> bytes) {
    constexpr std::size_t most = 0x40000000; // the size is of 32 bits
    constexpr unsigned long system_preferred = 2;
    while (!bytes.empty()) {
        auto const size = std::min(bytes.size(), most);
        if (::BCryptGenRandom(nullptr, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<unsigned long>(size),
                              system_preferred) < 0)
            std::abort();
        bytes = bytes.subspan(size);
    }
}

#elif defined(SOCKETLESS_HAS_ARC4RANDOM)

inline void fill_from_system(std::span<std::byte> bytes) {
    ::arc4random_buf(bytes.data(), bytes.size());
}

#elif defined(SOCKETLESS_HAS_GETRANDOM)

// A signal may interrupt a long read, before its first byte or after some of them.
inline void fill_from_system(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        auto const count = ::getrandom(bytes.data(), bytes.size(), 0);
        if (count > 0)
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        else if (count == 0 || errno != EINTR)
            std::abort();
    }
}

#endif

} // namespace detail

#if defined(_WIN32) || defined(SOCKETLESS_HAS_ARC4RANDOM) || defined(SOCKETLESS_HAS_GETRANDOM)

/// The source that a program on an operating system uses:
///
///     server io(options, system_random(), now);
///
/// It asks getrandom (Linux, ESP-IDF), arc4random_buf (macOS, the BSDs, Android) or BCryptGenRandom (Windows) each
/// time. Any thread may call it. Where the system refuses, as in a sandbox that forbids the call, the source ends the
/// program by std::abort: no id is made of bytes that can be guessed.
[[nodiscard]] inline random_source system_random() {
    return detail::fill_from_system;
}

#else

/// This system has no randomness that the library knows. Pass a function of your own that fills bytes: see
/// random_source.
random_source system_random() = delete;

#endif

} // namespace socketless::inline v0

#undef SOCKETLESS_HAS_ARC4RANDOM
#undef SOCKETLESS_HAS_GETRANDOM

#include <socketless/core/detail/epilogue.hpp>
