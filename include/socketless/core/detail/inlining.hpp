// For small functions on hot paths that compilers would rather call. Where a program is optimized for size, they may.
#pragma once

#if defined(__OPTIMIZE_SIZE__)
#define SOCKETLESS_ALWAYS_INLINE inline
#elif defined(__GNUC__)
#define SOCKETLESS_ALWAYS_INLINE [[gnu::always_inline]] inline
#elif defined(_MSC_VER)
#define SOCKETLESS_ALWAYS_INLINE __forceinline
#else
#define SOCKETLESS_ALWAYS_INLINE inline
#endif

// For the rare parts of hot functions: where a compiler puts these into them, the common parts get slower.
#if defined(__OPTIMIZE_SIZE__)
#define SOCKETLESS_NEVER_INLINE
#elif defined(__GNUC__)
#define SOCKETLESS_NEVER_INLINE [[gnu::noinline]]
#elif defined(_MSC_VER)
#define SOCKETLESS_NEVER_INLINE __declspec(noinline)
#else
#define SOCKETLESS_NEVER_INLINE
#endif
