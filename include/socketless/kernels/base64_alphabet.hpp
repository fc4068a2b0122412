// The alphabet of base64 (RFC 4648, section 4).
#pragma once

#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
