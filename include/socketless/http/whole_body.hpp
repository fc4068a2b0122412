// The body of a message in one piece: borrowed if it came so, put together otherwise.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// Gathers the pieces of a body. The reader's `max_body` bounds it.
class whole_body {
public:
    /// Adds a piece. The first one is borrowed until the second comes.
    void add(std::span<char> piece) {
        if (piece.empty()) return;
        if (borrowed_.empty() && kept_.empty()) {
            borrowed_ = piece;
            return;
        }
        keep();
        kept_.append(piece.data(), piece.size());
    }

    /// Copies a piece that is borrowed: call it before the input that brought it goes away.
    void keep() {
        if (borrowed_.empty()) return;
        kept_.assign(borrowed_.data(), borrowed_.size());
        borrowed_ = {};
    }

    /// The body so far, which may be changed in place. Valid until the next call, and as long as the input.
    [[nodiscard]] std::span<char> get() noexcept { return borrowed_.empty() ? std::span<char>(kept_) : borrowed_; }

    /// Forgets the body and its memory.
    void clear() noexcept {
        borrowed_ = {};
        std::string().swap(kept_);
    }

private:
    std::span<char> borrowed_;
    std::string kept_;
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
