// What stands before the functions that a program may compile separately: see source.hpp.
#pragma once

#ifdef SOCKETLESS_SEPARATE_COMPILATION
#define SOCKETLESS_INLINE
#else
#define SOCKETLESS_INLINE inline
#endif
