// Sixty-four bytes of JSON in two registers of x86-64 with AVX2.
#pragma once

#include <socketless/kernels/avx2_bytes.hpp>
#include <socketless/kernels/haswell.hpp>
#include <socketless/kernels/json_outline.hpp>

#ifdef SOCKETLESS_AVX2

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx2 {

// What bytes of JSON are compared with. It is read from memory, where it costs nothing: compilers that see what it is
// make it anew in each round of a loop.
struct json_constants {
    std::array<std::uint8_t, width> quote;
    std::array<std::uint8_t, width> opening;
    std::array<std::uint8_t, width> closing;
    std::array<std::uint8_t, width> comma;
    std::array<std::uint8_t, width> colon;
    std::array<std::uint8_t, width> backslash;
    std::array<std::uint8_t, width> space;
    std::array<std::uint8_t, width> control;
    std::array<std::uint8_t, width> zero;
    std::array<std::uint8_t, width> nine;
    std::array<std::uint8_t, width> minus;
    std::array<std::uint8_t, width> point;
};

constexpr std::array<std::uint8_t, width> filled(std::uint8_t byte) noexcept {
    std::array<std::uint8_t, width> all{};
    for (std::uint8_t& each : all) each = byte;
    return all;
}

alignas(width) inline constexpr json_constants json_characters{filled('"'), filled('{'),  filled('}'),  filled(','),
                                                               filled(':'), filled('\\'), filled(0x20), filled(0x1f),
                                                               filled('0'), filled(9),    filled('-'),  filled('.')};

inline json_constants const& json_constants_of() noexcept {
    json_constants const* constants = &json_characters;
    asm("" : "+r"(constants)); // hides what it points to
    return *constants;
}

SOCKETLESS_AVX2_INLINE inline bytes equal(bytes a, std::array<std::uint8_t, width> const& constant) noexcept {
    return reinterpret_cast<bytes>(a == load(constant));
}
SOCKETLESS_AVX2_INLINE inline bytes up_to(bytes a, std::array<std::uint8_t, width> const& highest) noexcept {
    return reinterpret_cast<bytes>(a <= load(highest));
}

// One register of a text.
class json_register {
public:
    SOCKETLESS_AVX2_INLINE explicit json_register(char const* p) noexcept : a_(load(p)) {}

    // Makes '[' a '{', and ']' a '}'.
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_register lower(json_constants const& like) const noexcept {
        return json_register(a_ | load(like.space));
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_register
    behind(std::array<std::uint8_t, width> const& constant) const noexcept {
        return json_register(a_ - load(constant));
    }
    // One bit for each byte that is like the constant, or not above it.
    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint64_t
    where(std::array<std::uint8_t, width> const& constant) const noexcept {
        return high_bits(equal(a_, constant));
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint64_t
    below(std::array<std::uint8_t, width> const& highest) const noexcept {
        return high_bits(up_to(a_, highest));
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint32_t non_ascii() const noexcept { return high_bits(a_); }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE bool has_rare(json_constants const& like) const noexcept {
        bytes const rare = equal(a_, like.backslash) | up_to(a_, like.control);
        return meet(rare, rare);
    }

private:
    SOCKETLESS_AVX2_INLINE explicit json_register(bytes a) noexcept : a_(a) {}

    bytes a_;
};

// Two of them whose bytes stand `distance` apart; those that are in both count once.
class json_registers {
public:
    SOCKETLESS_AVX2_INLINE json_registers(char const* p, std::size_t distance) noexcept
        : a_(load(p)), b_(load(p + distance)), distance_(distance) {}

    // As those of one register.
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_registers lower(json_constants const& like) const noexcept {
        bytes const space = load(like.space);
        return {a_ | space, b_ | space, distance_};
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_registers
    behind(std::array<std::uint8_t, width> const& constant) const noexcept {
        bytes const first = load(constant);
        return {a_ - first, b_ - first, distance_};
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint64_t
    where(std::array<std::uint8_t, width> const& constant) const noexcept {
        return join(equal(a_, constant), equal(b_, constant));
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint64_t
    below(std::array<std::uint8_t, width> const& highest) const noexcept {
        return join(up_to(a_, highest), up_to(b_, highest));
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint32_t non_ascii() const noexcept { return high_bits(a_ | b_); }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE bool has_rare(json_constants const& like) const noexcept {
        bytes const rare =
            equal(a_, like.backslash) | equal(b_, like.backslash) | up_to(a_, like.control) | up_to(b_, like.control);
        return meet(rare, rare);
    }

private:
    SOCKETLESS_AVX2_INLINE json_registers(bytes a, bytes b, std::size_t distance) noexcept
        : a_(a), b_(b), distance_(distance) {}

    [[nodiscard]] SOCKETLESS_AVX2_INLINE std::uint64_t join(bytes a, bytes b) const noexcept {
        return std::uint64_t{high_bits(b)} << distance_ | high_bits(a);
    }

    bytes a_;
    bytes b_;
    std::size_t distance_;
};

template <class Registers>
SOCKETLESS_AVX2_INLINE inline json_masks look(std::type_identity<json_masks> /*what for*/,
                                              Registers const& r) noexcept {
    json_constants const& like = json_constants_of();
    Registers const lower = r.lower(like);
    json_masks found{r.where(like.quote),
                     lower.where(like.opening),
                     lower.where(like.closing),
                     r.where(like.comma),
                     r.where(like.colon),
                     r.below(like.space),
                     0,
                     0,
                     r.non_ascii()};
    if (r.has_rare(like)) [[unlikely]] {
        found.backslashes = r.where(like.backslash);
        found.controls = r.below(like.control);
    }
    return found;
}

template <class Registers>
SOCKETLESS_AVX2_INLINE inline json_digits look(std::type_identity<json_digits> /*what for*/,
                                               Registers const& r) noexcept {
    json_constants const& like = json_constants_of();
    return {r.behind(like.zero).below(like.nine), r.where(like.zero)};
}

template <class Registers>
SOCKETLESS_AVX2_INLINE inline json_signs look(std::type_identity<json_signs> /*what for*/,
                                              Registers const& r) noexcept {
    json_constants const& like = json_constants_of();
    return {r.where(like.minus), r.where(like.point)};
}

template <class Registers>
SOCKETLESS_AVX2_INLINE inline json_nesting look(std::type_identity<json_nesting> /*what for*/,
                                                Registers const& r) noexcept {
    json_constants const& like = json_constants_of();
    Registers const lower = r.lower(like);
    return {r.where(like.quote), lower.where(like.opening), lower.where(like.closing), r.where(like.backslash)};
}

// Sixty-four bytes of a text, or what is left of it at its end: they are loaded together with what stands before.
// Precondition: at least 32 bytes in all.
class json_place {
public:
    json_place(char const* begin, char const* p, char const* end) noexcept : p_(p) {
        auto const left = static_cast<std::size_t>(end - p);
        if (left >= 2 * width) return;
        if (left <= width) {
            size_ = size::one;
            p_ = end - width;
            before_ = width - left;
        } else {
            size_ = size::part;
            auto const all = static_cast<std::size_t>(end - begin);
            distance_ = all < 2 * width ? all - width : width;
            before_ = width + distance_ - left;
            p_ = end - width - distance_;
        }
    }

    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_masks masks() const noexcept { return look_for<json_masks>(); }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_digits digits() const noexcept { return look_for<json_digits>(); }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_signs signs() const noexcept { return look_for<json_signs>(); }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_nesting nesting() const noexcept { return look_for<json_nesting>(); }

private:
    enum class size : std::uint8_t { whole, part, one };

    template <class Found>
    [[nodiscard]] SOCKETLESS_AVX2_INLINE Found look_for() const noexcept {
        constexpr std::type_identity<Found> what;
        if (size_ == size::whole) [[likely]]
            return look(what, json_registers(p_, width));
        if (size_ == size::one) return look(what, json_register(p_)).from(before_);
        return look(what, json_registers(p_, distance_)).from(before_);
    }

    char const* p_;
    std::size_t distance_ = width;
    std::size_t before_ = 0;
    size size_ = size::whole;
};

// The product with all ones, without carry.
SOCKETLESS_HASWELL_INLINE inline std::uint64_t parity_of(std::uint64_t bits) noexcept {
    using two_longs = long long __attribute__((vector_size(16)));
    two_longs const product =
        __builtin_ia32_pclmulqdq128(two_longs{static_cast<long long>(bits), 0}, two_longs{-1, 0}, 0);
    return static_cast<std::uint64_t>(product[0]);
}

// Follows brackets and braces to the one that closes the container.
class json_depth {
public:
    // Takes the brackets of the next 64 bytes that are not in strings. Returns the place of the bracket
    // that closes the container, or 64 if it is not among these.
    SOCKETLESS_HASWELL_INLINE std::size_t take(std::uint64_t opening, std::uint64_t closing) noexcept {
        auto const closed = static_cast<std::size_t>(std::popcount(closing));
        if (closed >= open_) {
            for (std::uint64_t left = closing; left != 0; left &= left - 1) {
                std::uint64_t const below = (left & (~left + 1)) - 1;
                auto const opened = static_cast<std::size_t>(std::popcount(opening & below));
                if (open_ + opened == static_cast<std::size_t>(std::popcount(closing & below)) + 1)
                    return static_cast<std::size_t>(std::countr_zero(left));
            }
        }
        open_ += static_cast<std::size_t>(std::popcount(opening)) - closed;
        return 64;
    }

private:
    std::size_t open_ = 0;
};

/// See kernels::skip_json_container. Precondition: at least 32 bytes.
[[nodiscard]] SOCKETLESS_HASWELL_KERNEL inline char const* skip_json_container(char const* p,
                                                                               char const* end) noexcept {
    constexpr std::size_t block = 2 * width;
    json_strings strings;
    json_depth depth;
    char const* const begin = p;
    while (p != end) {
        json_nesting found = json_place(begin, p, end).nesting();
        static_cast<void>(strings.unescape(found));
        std::uint64_t const inside = strings.strings(parity_of(found.quotes));
        std::size_t const place = depth.take(found.opening & ~inside, found.closing & ~inside);
        if (place != block) return p + place + 1;
        p += std::min(static_cast<std::size_t>(end - p), block);
    }
    return end;
}

} // namespace socketless::inline v0::kernels::avx2

#include <socketless/core/detail/epilogue.hpp>

#endif
