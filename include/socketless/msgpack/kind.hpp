// What MessagePack can be.
#pragma once

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

/// What a MessagePack value is. `none` is the kind of an empty `value`: no MessagePack at all.
enum class kind : std::uint8_t { none, null, boolean, integer, floating, string, binary, array, map, extension };

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
