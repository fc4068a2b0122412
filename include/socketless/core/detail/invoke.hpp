// What result<T> needs of std::invoke: <functional> is slow to include.
#pragma once

#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Calls `f(value)`; or, with a pointer to a member, that member of the value or of what it points to.
template <class F, class T>
constexpr std::invoke_result_t<F, T> invoke(F&& f, T&& value) {
    if constexpr (!std::is_member_pointer_v<std::remove_cvref_t<F>>)
        return std::forward<F>(f)(std::forward<T>(value));
    else if constexpr (std::is_member_object_pointer_v<std::remove_cvref_t<F>> && requires { value.*f; })
        return std::forward<T>(value).*f;
    else if constexpr (requires { (std::forward<T>(value).*f)(); })
        return (std::forward<T>(value).*f)();
    else
        return core_detail::invoke(f, *value);
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
