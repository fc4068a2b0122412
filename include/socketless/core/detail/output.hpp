// Where encoders write: a window of memory, which grows where it belongs to a container.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/output.hpp>
#include <socketless/core/result.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Memory that is filled from its start. An output of fixed memory keeps what fits and counts the rest: from the first
// piece on that does not fit, it only counts. Others grow, and throw what the growth throws.
class output {
public:
    constexpr output(char* begin, std::size_t capacity) noexcept { move_to(begin, 0, capacity); }

    SOCKETLESS_ALWAYS_INLINE constexpr void put(char c) {
        if (position_ == end_ && !grow(1)) [[unlikely]]
            return lose(1);
        *position_++ = c;
    }

    constexpr void put(std::string_view s) {
        if (s.size() <= room()) [[likely]]
            position_ = std::copy_n(s.data(), s.size(), position_);
        else if (growth_ == growth::possible)
            grow_(*this, s.data(), s.size());
        else
            lose(s.size());
    }

    // Room for `n` bytes, which the caller fills; null if there is not enough.
    constexpr char* take(std::size_t n) {
        if (n > room() && !grow(n)) return lose(n), nullptr;
        return position_ += n, position_ - n;
    }

    // At most `Longest` bytes, which `write(char*)` writes; it returns their end.
    template <std::size_t Longest, class Write>
    SOCKETLESS_ALWAYS_INLINE constexpr void put_piece(Write write) {
        char elsewhere[Longest];
        bool const fits = has_room(Longest);
        char* const begin = fits ? position_ : elsewhere;
        char* const end = write(begin); // in one place, so that compilers inline it
        if (fits) [[likely]]
            return advance(end);
        put(std::string_view(begin, static_cast<std::size_t>(end - begin)));
    }

    // Whether there is room for `n` bytes at `position()` as it is: the caller writes up to as many, and then calls
    // `advance` with their end. Otherwise `put` may make room.
    [[nodiscard]] constexpr bool has_room(std::size_t n) const noexcept { return n <= room(); }
    [[nodiscard]] constexpr char* position() const noexcept { return position_; }
    constexpr void advance(char* position) noexcept { position_ = position; }

    // Moves all from `at` on by the size of `s`, and puts `s` there.
    constexpr void insert(std::size_t at, std::string_view s) {
        if (lost_ != 0 || (s.size() > room() && !grow(s.size()))) return lose(s.size());
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
    // Whether it has no memory at all, because what is written is not text.
    [[nodiscard]] constexpr bool is_elsewhere() const noexcept { return growth_ == growth::elsewhere; }
    // What was kept, from `at` on. Precondition: nothing was lost.
    [[nodiscard]] constexpr std::string_view kept(std::size_t at = 0) const noexcept {
        SOCKETLESS_ASSERT(at <= static_cast<std::size_t>(position_ - begin_));
        return {begin_ + at, static_cast<std::size_t>(position_ - begin_) - at};
    }

protected:
    using grow_function = void (*)(output&, char const*, std::size_t);

    // `f` makes room for some more bytes, by a call of `move_to`. It puts them there, unless their address is null.
    constexpr explicit output(grow_function f) noexcept : grow_(f), growth_(growth::possible) {}

    // What becomes of what does not fit. GCC does not compare the address of a function at compile time.
    enum class growth : std::uint8_t { impossible, possible, elsewhere };
    constexpr explicit output(growth g) noexcept : growth_(g) {}

    // From now on the memory is this, of which `used` bytes are filled.
    constexpr void move_to(char* begin, std::size_t used, std::size_t capacity) noexcept {
        begin_ = begin;
        position_ = begin + used;
        end_ = begin + capacity;
    }

private:
    [[nodiscard]] constexpr std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - position_); }

    constexpr bool grow(std::size_t n) {
        if (growth_ != growth::possible) return false;
        grow_(*this, nullptr, n);
        return true;
    }

    constexpr void lose(std::size_t n) noexcept {
        lost_ += n;
        end_ = position_;
    }

    char* begin_ = nullptr;
    char* position_ = nullptr;
    char* end_ = nullptr;
    std::size_t lost_ = 0;
    grow_function grow_ = nullptr;
    growth growth_ = growth::impossible;
};

// An integer of any type in decimal.
template <std::integral T>
constexpr void put_decimal(output& out, T n) {
    out.put_piece<longest_integer>([n](char* p) { return write_decimal(n, p); });
}

// Writes to the end of a container. What is short, as most packets are, is written beside it and appended when it is
// finished, so that the container grows at most once and clears no memory in vain. What gets longer moves into the
// container, whose capacity then doubles. A large piece is appended as it is.
template <character_container Container>
class appender : public output {
public:
    constexpr explicit appender(Container& target) noexcept
        : output(&grow), target_(&target), old_size_(target.size()) {
        move_to(beside_, 0, sizeof beside_);
    }
    appender(appender const&) = delete;
    appender& operator=(appender const&) = delete;

    // Appends what was put, and returns its size.
    constexpr std::size_t finish() {
        std::size_t const written = size();
        if (share_ != 0) {
            target_->resize(old_size_ + written);
        } else if constexpr (can_append) {
            target_->append(kept().data(), written);
        } else {
            target_->resize(old_size_ + written);
            std::copy_n(kept().data(), written, target_->data() + old_size_);
        }
        return written;
    }

    // Leaves the container as it was.
    constexpr void undo() {
        if (share_ != 0) target_->resize(old_size_);
    }

private:
    static constexpr bool can_append = requires(Container & c, char const* p, std::size_t n) { c.append(p, n); };

    // A container clears what it is resized by: as little at a time as is still worth the call, while it is about to be
    // written.
    static constexpr std::size_t piece = 2048;
    static constexpr std::size_t least_piece = 128;

    static constexpr void grow(output& self, char const* data, std::size_t n) {
        auto& a = static_cast<appender&>(self);
        if constexpr (can_append)
            if (data != nullptr && n >= least_piece) return a.append_whole(data, n);
        a.put_in_room(data, n);
    }

    SOCKETLESS_NEVER_INLINE constexpr void put_in_room(char const* data, std::size_t n) {
        make_room(n);
        if (data != nullptr) advance(std::copy_n(data, n, position()));
    }

    constexpr void make_room(std::size_t n) {
        std::string_view const old = kept();
        std::size_t const needed = old.size() + n;
        std::size_t const doubled = std::max(needed, 2 * old.size());
        std::size_t const capacity = target_->capacity() - old_size_;
        std::size_t const more = std::clamp(old.size() - whole_, least_piece, piece);
        std::size_t share = std::max(needed, std::min(old.size() + more, doubled));
        if (needed <= capacity) {
            share = std::min(share, capacity); // which is used up before the container grows
        } else if constexpr (requires { target_->reserve(n); }) {
            // A vector reserves no more than it is told: old contents count too, or each message would copy them all.
            target_->reserve(std::max(old_size_ + doubled, 2 * target_->capacity()));
        } else {
            share = doubled;
        }
        target_->resize(old_size_ + share);
        char* const begin = target_->data() + old_size_;
        if (share_ == 0) std::copy_n(old.data(), old.size(), begin);
        share_ = share;
        move_to(begin, old.size(), share);
    }

    // Nothing is cleared for what is appended, and little for what comes behind it.
    SOCKETLESS_NEVER_INLINE constexpr void append_whole(char const* data, std::size_t n) {
        std::string_view const old = kept();
        std::size_t fitting = 0;
        if (share_ == 0) {
            target_->append(old.data(), old.size());
            share_ = std::max<std::size_t>(old.size(), 1); // to be undone
        } else {
            fitting = share_ - old.size();
            std::copy_n(data, fitting, position());
        }
        target_->append(data + fitting, n - fitting);
        whole_ += n;
        std::size_t const used = old.size() + n;
        share_ = std::min(used + least_piece, target_->capacity() - old_size_);
        target_->resize(old_size_ + share_);
        move_to(target_->data() + old_size_, used, share_);
    }

    Container* target_;
    std::size_t old_size_;
    std::size_t share_ = 0;                            // bytes of the container that are written to
    std::size_t whole_ = 0;                            // those that were appended as they are
    char beside_[sizeof(std::size_t) < 8 ? 128 : 512]; // small machines have small stacks
};

// Runs `write(output&) -> result<void>` over `target` and returns how many bytes it wrote. On an error, or where
// something is thrown, a container has its old contents, and a span's bytes are unspecified.
template <output_target Target, class Write>
constexpr result<std::size_t> write_to(Target&& target, Write write) {
    if constexpr (std::same_as<std::remove_cvref_t<Target>, std::span<char>>) {
        output out(target.data(), target.size());
        if (auto done = write(out); !done) return done.error();
        if (out.overflowed()) return error{errc::buffer_too_small, out.size()};
        return out.size();
    } else {
        appender out(target);
        rollback as_it_was([&out] { out.undo(); });
        if (auto const done = write(static_cast<output&>(out)); !done) return done.error();
        std::size_t const written = out.finish();
        as_it_was.commit();
        return written;
    }
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
