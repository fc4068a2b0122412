// What stands before the functions that a program may compile separately: see source.hpp.
#pragma once

#ifdef SOCKETLESS_SEPARATE_COMPILATION
#define SOCKETLESS_INLINE
#define SOCKETLESS_CONSTEXPR
#else
#define SOCKETLESS_INLINE inline
#define SOCKETLESS_CONSTEXPR constexpr
#endif
