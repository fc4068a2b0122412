// Functions that are a part of each of their callers: of a loop that must stay in registers, or of a function for other
// machines than the rest of the program.
#pragma once

#if (defined(__GNUC__) || defined(__clang__)) && !defined(__OPTIMIZE_SIZE__)
#define SOCKETLESS_ALWAYS_INLINE [[gnu::always_inline]] inline
#else
#define SOCKETLESS_ALWAYS_INLINE inline
#endif

// And such as would only be in the way of what is done more often.
#if defined(__GNUC__) || defined(__clang__)
#define SOCKETLESS_NEVER_INLINE [[gnu::noinline]]
#elif defined(_MSC_VER)
#define SOCKETLESS_NEVER_INLINE __declspec(noinline)
#else
#define SOCKETLESS_NEVER_INLINE
#endif
