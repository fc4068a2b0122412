// Returning what is made, without a copy.
#pragma once

#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Becomes what `make` returns, where that is to be: a result or an optional that is made of this holds it at once. To
// make a packet and to copy it costs more than to decode it: the copy waits for what has just been written.
template <class Make>
struct made_in_place {
    Make make;

    constexpr operator std::invoke_result_t<Make const&>() const noexcept { return make(); }
};
template <class Make>
made_in_place(Make) -> made_in_place<Make>;

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
