// Undoing what was half done when user code or an allocator throws, or an error is returned; and trying what may throw.
#pragma once

#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Calls `undo()`, which does not throw, at the end of its scope, unless `commit` was called. A destructor rather than a
// catch: it works, and costs as little, without exceptions.
template <class Undo>
class [[nodiscard]] rollback {
public:
    constexpr explicit rollback(Undo undo) noexcept : undo_(std::move(undo)) {}
    rollback(rollback const&) = delete;
    rollback& operator=(rollback const&) = delete;
    constexpr ~rollback() {
        if (is_armed_) undo_();
    }

    constexpr void commit() noexcept { is_armed_ = false; }

private:
    Undo undo_;
    bool is_armed_ = true;
};

// Calls `f()`. False if it throws: the caller has a remedy.
template <class F>
bool attempt(F f) noexcept {
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
    try {
        f();
    } catch (...) {
        return false;
    }
#else
    f();
#endif
    return true;
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
