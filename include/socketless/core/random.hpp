// Randomness as the library knows it: bytes from the caller, and the ids that are made of them.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/callback.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

namespace core_detail {

// The alphabet of base64url.
inline constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

} // namespace core_detail

/// Fills bytes with randomness that cannot be guessed: ids are secrets. A program on an operating system passes
/// system_random(), of core/system_random.hpp. Any function object will do that can be copied and
/// called with a std::span<std::byte>:
///
///     client io(options, [](std::span<std::byte> bytes) { fill_from_the_board(bytes); }, now);
///
/// Preconditions: it fills all bytes, and with others each time, so that ids differ. It may throw: see "What you can
/// rely on" in README.md.
///
/// A source is never empty. Nothing and nullptr do not compile. Making a source of an empty std::function, a null
/// pointer to a function or a source that was moved from ends the program: by SOCKETLESS_ASSERT, or without assertions
/// by std::abort. A server that makes no random ids must not start.
class random_source {
public:
    /// The form in which the source keeps any function object.
    using function = callback<void(std::span<std::byte>)>;

    /// Takes any such function object. See above for those that are empty.
    template <class F>
    requires(!std::same_as<F, random_source> && std::constructible_from<function, F>)
        random_source(F fill) // NOLINT(google-explicit-constructor): function objects are passed as they are
        : fill_(std::move(fill)) {
        check();
    }
    random_source(std::nullptr_t) = delete;

    /// Copies the function object, or moves it and leaves `other` unusable. Precondition: `other` was not moved from.
    random_source(random_source const& other) : fill_(other.fill_) { check(); }
    random_source(random_source&& other) noexcept : fill_(std::move(other.fill_)) { check(); }
    random_source& operator=(random_source other) noexcept {
        fill_.swap(other.fill_);
        return *this;
    }
    ~random_source() = default;

    /// Fills the bytes. Throws what the function object throws.
    void operator()(std::span<std::byte> bytes) const { fill_(bytes); }

private:
    void check() const noexcept {
        SOCKETLESS_ASSERT(static_cast<bool>(fill_)); // a source that is empty
        if (!fill_) std::abort();
    }

    function fill_;
};

/// 120 random bits as base64url: the id of a session or of a socket.
using random_id = std::array<char, 20>;

/// The same as text.
[[nodiscard]] inline std::string_view view(random_id const& id) noexcept {
    return {id.data(), id.size()};
}

/// A new id. Throws what the source throws.
[[nodiscard]] inline random_id make_random_id(random_source const& random) {
    std::array<std::byte, 15> bytes{};
    random(bytes);
    random_id id{};
    for (std::size_t i = 0; i != id.size(); ++i) {
        // Six bits, of two bytes where they do not lie in one.
        std::size_t const bit = i * 6;
        auto const high = std::to_integer<unsigned>(bytes[bit / 8]) << 8u;
        auto const low = bit % 8 > 2 ? std::to_integer<unsigned>(bytes[bit / 8 + 1]) : 0u;
        id[i] = core_detail::url_alphabet[((high | low) >> (10 - bit % 8)) & 0x3fu];
    }
    return id;
}

namespace core_detail {

// The key under which a table keeps an id: so many of its bits that two never agree by chance. Precondition: `id` is as
// long as a random_id.
inline std::uint64_t key_of(std::string_view id) noexcept {
    std::uint64_t key = 0;
    std::memcpy(&key, id.data(), sizeof key);
    return key;
}

} // namespace core_detail
} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
