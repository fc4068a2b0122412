// Where the values of a JSON text end, found for 64 bytes at once, whatever the values are.
#pragma once

#include <socketless/json/detail/escape.hpp>
#include <socketless/kernels/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

#ifdef SOCKETLESS_JSON_OUTLINE

namespace socketless::inline v0::json::detail {

// How much of a text a word stands for.
inline constexpr std::size_t outline_block = 64;

// Whether escapes stand behind these backslashes.
inline bool are_escapes(std::uint64_t backslashes, char const* block, char const* end) noexcept {
    for (; backslashes != 0; backslashes &= backslashes - 1)
        if (read_escape(block + std::countr_zero(backslashes) + 1, end).code_point == no_code_point) return false;
    return true;
}

// The kernel that finds the outline, which is chosen once a text: see kernels::outline_json.
struct common_kernel {
    static std::size_t outline(kernels::json_strings& strings, char const* p, char const* end,
                               kernels::json_words* words, std::size_t room) noexcept {
        return kernels::outline_json<kernels::json_kernel>(strings, p, end, words, room);
    }
};
#ifdef SOCKETLESS_AVX2
struct haswell_kernel {
    static std::size_t outline(kernels::json_strings& strings, char const* p, char const* end,
                               kernels::json_words* words, std::size_t room) noexcept {
        return kernels::avx2::outline_json(strings, p, end, words, room);
    }
};
#endif

// The outline of a text, a part of it at a time, and whether its strings are right, but for UTF-8.
struct outline_part {
    kernels::json_words const* begin;
    kernels::json_words const* end;
};
template <class Kernel>
class outline {
public:
    outline(char const* begin, char const* end) noexcept : end_(end), unread_(begin) {}

    // The next part: 64 bytes a word. Empty at the end, or where a string is wrong.
    outline_part next() noexcept {
        auto const size = Kernel::outline(strings_, unread_, end_, words_.data(), words_.size());
        if (strings_.escapes() && !check_escapes(size)) return {nullptr, nullptr};
        unread_ += std::min(size * outline_block, static_cast<std::size_t>(end_ - unread_));
        if (strings_.wrong()) return {nullptr, nullptr};
        return {words_.data(), words_.data() + size};
    }

private:
    bool check_escapes(std::size_t size) noexcept {
        strings_.forget_escapes();
        for (std::size_t i = 0; i != size; ++i)
            if (!are_escapes(words_[i].escapes, unread_ + i * outline_block, end_)) return false;
        return true;
    }

    char const* end_;
    char const* unread_;
    kernels::json_strings strings_;
    std::array<kernels::json_words, 32> words_; // written before they are read
};

// The marks of a text (see kernels::json_words), from the first to the last.
template <class Kernel>
class marks {
public:
    marks(outline<Kernel>& whole, char const* begin) noexcept : whole_(&whole), begin_(begin) {}

    // Moves `p` to the next mark. False if there are none.
    SOCKETLESS_ALWAYS_INLINE bool next(char const*& p) noexcept {
        while (word_ == 0) [[unlikely]] {
                if (part_.begin == part_.end) {
                    part_ = whole_->next();
                    if (part_.begin == part_.end) return false;
                }
                word_ = part_.begin++->marks;
                offset_ += outline_block;
            }
        p = begin_ + (offset_ + static_cast<std::size_t>(std::countr_zero(word_)));
        word_ &= word_ - 1;
        return true;
    }

private:
    outline<Kernel>* whole_;
    std::uint64_t word_ = 0;
    char const* begin_;
    std::size_t offset_ = std::size_t{0} - outline_block; // of what the word stands for
    outline_part part_{nullptr, nullptr};
};

// Those of a text of less than a block.
class few_marks {
public:
    few_marks(char const* begin, std::size_t size) noexcept : begin_(begin) {
        kernels::json_strings strings;
        auto found = kernels::json_kernel::load_short(begin, size);
        std::uint64_t const escapes = strings.unescape(found);
        word_ = strings.take(found, escapes, kernels::parity_of(found.quotes)).marks;
        if (strings.wrong() || (escapes != 0 && !are_escapes(escapes, begin, begin + size))) word_ = 0;
    }

    SOCKETLESS_ALWAYS_INLINE bool next(char const*& p) noexcept {
        if (word_ == 0) return false;
        p = begin_ + std::countr_zero(word_);
        word_ &= word_ - 1;
        return true;
    }

private:
    char const* begin_;
    std::uint64_t word_;
};

} // namespace socketless::inline v0::json::detail

#endif

#include <socketless/core/detail/epilogue.hpp>
