// callback: a function object of the caller's, of any type. The header of std::function is slow to include.
#pragma once

#include <socketless/core/assert.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

template <class Signature>
class callback;

/// Holds any function object that can be copied and called with these arguments, or nothing; no pointers to members. A
/// copy of it holds a copy of the object.
template <class Result, class... Args>
class callback<Result(Args...)> {
public:
    /// Holds nothing.
    callback() noexcept = default;
    callback(std::nullptr_t) noexcept {} // NOLINT(google-explicit-constructor): as std::function

    /// Holds `f`; nothing if `f` is a null pointer, or an empty std::function or callback.
    template <class F, class Object = std::decay_t<F>>
    requires(!std::same_as<Object, callback> && !std::is_member_pointer_v<Object> &&
             std::is_invocable_r_v<Result, Object&, Args...>)
        callback(F&& f) { // NOLINT(google-explicit-constructor): function objects are passed as they are
        static_assert(std::copy_constructible<Object>, "whoever copies options copies their function objects");
        Object object(std::forward<F>(f));
        if constexpr (can_be_empty<Object>)
            if (object == nullptr) return;
        object_ = static_cast<void*>(new Object(std::move(object)));
        actions_ = &actions_of<Object>;
    }

    /// Copies the object, or takes it over: `other` holds nothing then.
    callback(callback const& other)
        : object_(other ? other.actions_->copy(other.object_) : nullptr), actions_(other.actions_) {}
    callback(callback&& other) noexcept { swap(other); }
    callback& operator=(callback other) noexcept {
        swap(other);
        return *this;
    }
    ~callback() {
        if (*this) actions_->destroy(object_);
    }

    /// Exchanges what the two hold.
    void swap(callback& other) noexcept {
        std::swap(object_, other.object_);
        std::swap(actions_, other.actions_);
    }

    /// Whether it holds an object.
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    [[nodiscard]] friend bool operator==(callback const& c, std::nullptr_t) noexcept { return !c; }

    /// Calls the object. Precondition: there is one.
    Result operator()(Args... args) const {
        SOCKETLESS_ASSERT(object_ != nullptr);
        return actions_->call(object_, std::forward<Args>(args)...);
    }

private:
    // Pointers, and what says of itself whether it is empty.
    template <class Object>
    static constexpr bool can_be_empty = std::is_pointer_v<Object> || requires(Object const& o) {
        { o == nullptr } -> std::same_as<bool>;
        static_cast<bool>(o);
    };

    struct actions {
        Result (*call)(void*, Args...);
        void* (*copy)(void const*);
        void (*destroy)(void*) noexcept;
    };
    template <class Object>
    static constexpr actions actions_of{
        [](void* object, Args... args) -> Result {
            if constexpr (std::is_void_v<Result>)
                static_cast<void>((*static_cast<Object*>(object))(std::forward<Args>(args)...));
            else
                return (*static_cast<Object*>(object))(std::forward<Args>(args)...);
        },
        [](void const* object) -> void* { return static_cast<void*>(new Object(*static_cast<Object const*>(object))); },
        [](void* object) noexcept { delete static_cast<Object*>(object); }};

    void* object_ = nullptr;
    actions const* actions_ = nullptr;
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
