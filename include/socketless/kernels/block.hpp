// kernels::block: the widest block of bytes that every machine of this kind has. It is chosen when the program is
// compiled and costs no call, so that short texts gain by it too.
#pragma once

#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/neon_block.hpp>
#include <socketless/kernels/scalar_block.hpp>
#include <socketless/kernels/sse2_block.hpp>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

#if defined(SOCKETLESS_SSE2)
using sse2::block;
#elif defined(SOCKETLESS_NEON)
using neon::block;
#else
using scalar::block;
#endif

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
