// A function object of any type behind one pointer: std::function for what can only be moved.
#pragma once

#include <memory>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

template <class Signature>
class unique_function;

// Moving it does not move the object, which may be running.
template <class Result, class... Args>
class unique_function<Result(Args...)> {
public:
    template <class F>
    explicit unique_function(F f)
        : object_(new F(std::move(f)), [](void* object) noexcept { delete static_cast<F*>(object); }),
          call_([](void* object, Args... args) -> Result {
              return (*static_cast<F*>(object))(std::forward<Args>(args)...);
          }) {}

    Result operator()(Args... args) const { return call_(object_.get(), std::forward<Args>(args)...); }

private:
    std::unique_ptr<void, void (*)(void*) noexcept> object_;
    Result (*call_)(void*, Args...);
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
