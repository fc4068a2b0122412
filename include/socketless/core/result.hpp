// result<T>: a value or an error, in the shape of C++23's std::expected<T, error>.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/invoke.hpp>
#include <socketless/core/error.hpp>

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

template <class T>
class result;

namespace detail {

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

// What a result takes for a value, where it is made or compared.
template <class U>
concept plain_value = !is_result<std::remove_cvref_t<U>> && !std::same_as<std::remove_cvref_t<U>, error> &&
                      !std::same_as<std::remove_cvref_t<U>, errc>;

template <class U, class T>
concept value_for = plain_value<U> && std::constructible_from<T, U>;

} // namespace detail

/// Either a `T` or an `error`. The members are those of `std::expected`; asking for the one that is not
/// there violates a precondition and never throws. The compiler warns if you drop a result: check it, or call
/// `ignore()` if the failure does not matter.
template <class T>
class [[nodiscard]] result {
    static_assert(!std::is_reference_v<T> && !std::is_same_v<std::remove_cv_t<T>, socketless::error>);

public:
    /// The names of `std::expected`.
    using value_type = T;
    using error_type = socketless::error;

    /// A failure.
    constexpr result(socketless::error e) noexcept : error_(e) {}
    constexpr result(errc code, std::size_t offset = 0) noexcept : error_{code, offset} {}

    /// A success with this value; explicit where the conversion to `T` is.
    template <detail::value_for<T> U = T>
    constexpr explicit(!std::convertible_to<U, T>) result(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
        : value_(std::in_place, std::forward<U>(value)) {}

    /// Whether there is a value.
    [[nodiscard]] constexpr bool has_value() const noexcept { return value_.has_value(); }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return value_.has_value(); }

    /// The value. Precondition: there is one.
    [[nodiscard]] constexpr T& value() & noexcept { return checked(), *value_; }
    [[nodiscard]] constexpr T const& value() const& noexcept { return checked(), *value_; }
    [[nodiscard]] constexpr T&& value() && noexcept { return checked(), std::move(*value_); }

    /// The value. Precondition: there is one.
    [[nodiscard]] constexpr T& operator*() & noexcept { return checked(), *value_; }
    [[nodiscard]] constexpr T const& operator*() const& noexcept { return checked(), *value_; }
    [[nodiscard]] constexpr T&& operator*() && noexcept { return checked(), std::move(*value_); }
    /// A member of the value. Precondition: there is a value.
    [[nodiscard]] constexpr T* operator->() noexcept { return checked(), &*value_; }
    [[nodiscard]] constexpr T const* operator->() const noexcept { return checked(), &*value_; }

    /// The error. Precondition: there is no value.
    [[nodiscard]] constexpr socketless::error error() const noexcept {
        SOCKETLESS_ASSERT(!has_value());
        return error_;
    }

    /// The value, or `other` if there is an error.
    template <class U>
    [[nodiscard]] constexpr T value_or(U&& other) const& {
        return value_ ? *value_ : static_cast<T>(std::forward<U>(other));
    }
    template <class U>
    [[nodiscard]] constexpr T value_or(U&& other) && {
        return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
    }

    /// Calls `f` with the value and returns the result that it makes, or passes the error on.
    template <class F>
    constexpr auto and_then(F&& f) const& -> std::invoke_result_t<F, T const&> {
        if (!value_) return error_;
        return core_detail::invoke(std::forward<F>(f), *value_);
    }
    template <class F>
    constexpr auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
        if (!value_) return error_;
        return core_detail::invoke(std::forward<F>(f), std::move(*value_));
    }

    /// Calls `f` with the value and wraps what it returns, or passes the error on.
    template <class F>
    constexpr auto transform(F&& f) const& -> result<std::invoke_result_t<F, T const&>> {
        if (!value_) return error_;
        return core_detail::invoke(std::forward<F>(f), *value_);
    }
    template <class F>
    constexpr auto transform(F&& f) && -> result<std::invoke_result_t<F, T&&>> {
        if (!value_) return error_;
        return core_detail::invoke(std::forward<F>(f), std::move(*value_));
    }

    /// Returns the value, or what `f` makes of the error.
    template <class F>
    constexpr result or_else(F&& f) const& {
        return value_ ? *this : core_detail::invoke(std::forward<F>(f), error_);
    }
    template <class F>
    constexpr result or_else(F&& f) && {
        return value_ ? std::move(*this) : core_detail::invoke(std::forward<F>(f), error_);
    }

    /// Does nothing: says that this failure does not matter, e.g. that of an event to a socket that may just have gone:
    /// `io.emit(socket, "tick").ignore()`.
    constexpr void ignore() const noexcept {}

    friend constexpr bool operator==(result const& a, result const& b) {
        return a.value_ == b.value_ && (a.value_ || a.error_ == b.error_);
    }
    template <detail::plain_value U>
    friend constexpr bool operator==(result const& r, U const& value) {
        return r.value_ && *r.value_ == value;
    }
    friend constexpr bool operator==(result const& r, socketless::error const& e) noexcept {
        return !r.value_ && r.error_ == e;
    }

private:
    constexpr void checked() const noexcept { SOCKETLESS_ASSERT(has_value()); }

    std::optional<T> value_;
    socketless::error error_{};
};

/// Success without a value, or an `error`.
template <>
class [[nodiscard]] result<void> {
public:
    /// The names of `std::expected`.
    using value_type = void;
    using error_type = socketless::error;

    /// A success.
    constexpr result() noexcept = default;
    /// A failure.
    constexpr result(socketless::error e) noexcept : error_(e) {}
    constexpr result(errc code, std::size_t offset = 0) noexcept : error_{code, offset} {}

    /// Whether there is no error.
    [[nodiscard]] constexpr bool has_value() const noexcept { return error_.code == errc{}; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }
    /// Does nothing. Precondition: there is no error.
    constexpr void value() const noexcept { SOCKETLESS_ASSERT(has_value()); }

    /// The error. Precondition: there is one.
    [[nodiscard]] constexpr socketless::error error() const noexcept {
        SOCKETLESS_ASSERT(!has_value());
        return error_;
    }

    /// Does nothing: says that this failure does not matter.
    constexpr void ignore() const noexcept {}

    friend constexpr bool operator==(result const&, result const&) noexcept = default;
    friend constexpr bool operator==(result const& r, socketless::error const& e) noexcept { return r.error_ == e; }

private:
    socketless::error error_{};
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
