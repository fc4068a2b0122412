// The arguments of an event, whatever their types, as one parameter: the functions that they pass through are no
// templates.
#pragma once

#include <socketless/core/detail/function_ref.hpp>
#include <socketless/json/writer.hpp>

#include <concepts>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// Any number of values. Borrowed: they live until the end of the call that it is passed to.
class values : private core_detail::function_ref<void(writer&)> {
public:
    using function_ref::function_ref;

    // Writes one after the other.
    friend void write_json(writer& out, std::same_as<values> auto const& v) { v(out); }
};

// What a call passes on as its `values`.
template <class... Args>
[[nodiscard]] constexpr auto values_of(Args const&... args) noexcept {
    return [&args...]([[maybe_unused]] writer& out) { (out.value(args), ...); };
}
[[nodiscard]] constexpr values const& values_of(values const& v) noexcept {
    return v;
}
values const& values_of(values&&) = delete;

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
