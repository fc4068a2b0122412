// Where encoders write: a window of memory that never overflows, and the algorithm that appends to a
// container with at most one growth.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/output.hpp>
#include <socketless/core/result.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Keeps what fits its window and counts the rest. From the first piece on that does not fit, it only counts.
class output {
public:
    constexpr output(char* begin, std::size_t capacity) noexcept
        : begin_(begin), position_(begin), end_(begin + capacity) {}

    constexpr void put(char c) noexcept {
        if (position_ != end_) [[likely]]
            *position_++ = c;
        else
            ++lost_;
    }

    constexpr void put(std::string_view s) noexcept {
        if (s.size() <= room()) [[likely]]
            position_ = std::copy_n(s.data(), s.size(), position_);
        else
            lose(s.size());
    }

    // Room for `n` bytes, which the caller fills; null if there is not enough.
    constexpr char* take(std::size_t n) noexcept {
        if (n > room()) return lose(n), nullptr;
        return position_ += n, position_ - n;
    }

    // Moves all from `at` on by the size of `s`, and puts `s` there.
    constexpr void insert(std::size_t at, std::string_view s) noexcept {
        if (lost_ != 0 || s.size() > room()) return lose(s.size());
        std::copy_backward(begin_ + at, position_, position_ + s.size());
        std::copy_n(s.data(), s.size(), begin_ + at);
        position_ += s.size();
    }

    constexpr void replace(std::size_t at, char c) noexcept {
        if (at < static_cast<std::size_t>(position_ - begin_)) begin_[at] = c;
    }

    // The size of all that was put, kept or not.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return static_cast<std::size_t>(position_ - begin_) + lost_;
    }
    [[nodiscard]] constexpr bool overflowed() const noexcept { return lost_ != 0; }
    // What was kept, from `at` on. Precondition: nothing was lost.
    [[nodiscard]] constexpr std::string_view kept(std::size_t at = 0) const noexcept {
        SOCKETLESS_ASSERT(at <= static_cast<std::size_t>(position_ - begin_));
        return {begin_ + at, static_cast<std::size_t>(position_ - begin_) - at};
    }

private:
    [[nodiscard]] constexpr std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - position_); }

    constexpr void lose(std::size_t n) noexcept {
        lost_ += n;
        end_ = position_;
    }

    char* begin_;
    char* position_;
    char* end_;
    std::size_t lost_ = 0;
};

// Runs `write(output&) -> result<void>` over `target` and returns how many bytes it wrote. On an error the
// target is as it was (a span's bytes are unspecified).
//
// In a container `write` first gets the free part of the capacity, up to a size that is cheap to clear: most packets
// fit there, in one pass. If one does not, that pass has measured it; the container grows once, to the exact size, and
// `write` runs again.
template <output_target Target, class Write>
constexpr result<std::size_t> write_to(Target&& target, Write write) {
    if constexpr (std::same_as<std::remove_cvref_t<Target>, std::span<char>>) {
        output out(target.data(), target.size());
        if (auto done = write(out); !done) return done.error();
        if (out.overflowed()) return error{errc::buffer_too_small, out.size()};
        return out.size();
    } else {
        constexpr std::size_t cheap = 512;
        std::size_t const old_size = target.size();
        std::size_t window = std::min<std::size_t>(target.capacity() - old_size, cheap);
        for (;;) {
            target.resize(old_size + window);
            output out(target.data() + old_size, window);
            auto const done = write(out);
            if (!done || !out.overflowed()) {
                target.resize(old_size + (done ? out.size() : 0));
                if (!done) return done.error();
                return out.size();
            }
            SOCKETLESS_ASSERT(out.size() > window);
            window = out.size();
        }
    }
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
