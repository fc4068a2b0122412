// All the instructions of the first processors with AVX2: those for bits and for products without carry too.
#pragma once

#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_AVX2

#define SOCKETLESS_HASWELL_KERNEL [[gnu::target("avx2,bmi,bmi2,popcnt,pclmul")]]
#define SOCKETLESS_HASWELL_INLINE [[gnu::always_inline, gnu::target("avx2,bmi,bmi2,popcnt,pclmul")]]

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

/// Whether the machine has them all. See has_avx2.
[[nodiscard]] inline bool has_haswell() noexcept {
#if defined(__AVX2__) && defined(__BMI__) && defined(__BMI2__) && defined(__POPCNT__) && defined(__PCLMUL__)
    return true;
#else
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("pclmul");
#endif
}

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>

#endif
