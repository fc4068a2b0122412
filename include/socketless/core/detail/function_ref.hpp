// A reference to a function object of any type: a function that takes it is no template, and is compiled once.
#pragma once

#include <concepts>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

template <class Signature>
class function_ref;

// Borrows the object: a temporary lives until the end of the call that it is passed to.
template <class Result, class... Args>
class function_ref<Result(Args...)> {
public:
    template <class F>
    requires(!std::derived_from<F, function_ref> &&
             requires(F const& f, Args... args) {
                 f(std::forward<Args>(args)...);
             }) constexpr function_ref(F const& f) noexcept // NOLINT(google-explicit-constructor): as std::function_ref
        : object_(&f), call_([](void const* object, Args... args) -> Result {
              return (*static_cast<F const*>(object))(std::forward<Args>(args)...);
          }) {}

    Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

private:
    void const* object_;
    Result (*call_)(void const*, Args...);
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
