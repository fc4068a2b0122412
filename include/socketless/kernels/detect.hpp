// What the compiler lets the kernels use. Define SOCKETLESS_NO_SIMD for all files of a program to leave all of it out:
// then the scalar kernel, which is portable C++, does all the work.
#pragma once

// Code for x86-64, where SSE2 is always there.
#if !defined(SOCKETLESS_NO_SIMD) && (defined(__SSE2__) || defined(_M_X64))
#define SOCKETLESS_SSE2
#endif

// Code for ARM of 64 bits, where NEON is always there.
#if !defined(SOCKETLESS_NO_SIMD) && (defined(__aarch64__) || defined(_M_ARM64)) && !defined(__ARM_BIG_ENDIAN)
#define SOCKETLESS_NEON
#endif
