// What the compiler and the machine let the kernels use.
//
// Define for all files of a program, if at all:
//     SOCKETLESS_NO_SIMD            no vectors: the scalar kernels, which are portable C++, do all the work
//     SOCKETLESS_NO_CPU_DETECTION   only what the flags of the compiler allow (-mavx2): nothing is chosen at run time
#pragma once

// Code for x86-64, where SSE2 is always there.
#if !defined(SOCKETLESS_NO_SIMD) && (defined(__SSE2__) || defined(_M_X64))
#define SOCKETLESS_SSE2
#endif

// AVX2 in the vectors of GCC and clang, which are part of the language there: <immintrin.h> would take longer to
// compile than the rest of a program's smaller headers. Without -mavx2 the machine is asked.
#if defined(SOCKETLESS_SSE2) && defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#if defined(__AVX2__) || !(defined(SOCKETLESS_NO_CPU_DETECTION) || defined(_MSC_VER))
#define SOCKETLESS_AVX2
#define SOCKETLESS_AVX2_KERNEL [[gnu::target("avx2")]]
// What a kernel is made of. Vectors are passed only between these, so that no calling convention for them is needed.
#define SOCKETLESS_AVX2_INLINE [[gnu::always_inline, gnu::target("avx2")]]
#endif
#endif

// AVX-512 with the instructions that look up bytes, where AVX2 is not nearly as fast.
#if defined(SOCKETLESS_AVX2)
#if (defined(__AVX512BW__) && defined(__AVX512VBMI__)) || !(defined(SOCKETLESS_NO_CPU_DETECTION) || defined(_MSC_VER))
#define SOCKETLESS_AVX512
#define SOCKETLESS_AVX512_KERNEL [[gnu::target("avx512bw,avx512vbmi")]]
#define SOCKETLESS_AVX512_INLINE [[gnu::always_inline, gnu::target("avx512bw,avx512vbmi")]]
#endif
#endif

// Code for ARM of 64 bits, where NEON is always there.
#if !defined(SOCKETLESS_NO_SIMD) && (defined(__aarch64__) || defined(_M_ARM64)) && !defined(__ARM_BIG_ENDIAN)
#define SOCKETLESS_NEON
#endif

// Tables of 12 KB for base64, where there are no vectors for it, and such tables are no burden.
#include <cstdint>
#if !defined(SOCKETLESS_AVX2) && !defined(SOCKETLESS_NEON) && !defined(__OPTIMIZE_SIZE__) && UINTPTR_MAX > 0xffffffffu
#define SOCKETLESS_BASE64_TABLES
#endif

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

#ifdef SOCKETLESS_AVX2
/// Whether the machine has AVX2: a test of a variable that the compiler's library sets before the constructors of
/// static objects run. Before that it is false.
[[nodiscard]] inline bool has_avx2() noexcept {
#ifdef __AVX2__
    return true;
#else
    return __builtin_cpu_supports("avx2");
#endif
}
#endif

#ifdef SOCKETLESS_AVX512
/// Whether the machine has AVX-512 with VBMI.
[[nodiscard]] inline bool has_avx512() noexcept {
#if defined(__AVX512BW__) && defined(__AVX512VBMI__)
    return true;
#else
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
#endif
}
#endif

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
