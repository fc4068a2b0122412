// For calls that cannot fail because their caller has seen to it.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/result.hpp>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Asserts that the call has succeeded.
template <class T>
constexpr void must([[maybe_unused]] result<T> const& done) {
    SOCKETLESS_ASSERT(done.has_value());
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
