// What JSON can be.
#pragma once

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

/// What a JSON text is. `none` is the kind of an empty `text`: no JSON at all.
enum class kind : std::uint8_t { none, null, boolean, number, string, array, object };

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
