// The offsets of connection state recovery: what a server writes behind an event, and a client returns.
#pragma once

#include <socketless/core/random.hpp>
#include <socketless/json/text.hpp>

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

namespace detail {
class offset_series;
} // namespace detail

/// The place of an event among all that a store was given. On the wire it is text: the last argument of the event.
/// Later offsets of a store are greater.
class recovery_offset {
public:
    /// Characters of its text.
    static constexpr std::size_t size = 20;

    constexpr recovery_offset() noexcept = default;

    /// Base64url: nothing that JSON would escape. It begins with random characters, the same for all offsets of a
    /// store, so that no other string is taken for one. Empty for an offset that no store has given. Valid as long as
    /// the offset.
    [[nodiscard]] constexpr std::string_view view() const noexcept {
        return {text_.data(), number_ == 0 ? 0 : text_.size()};
    }

    friend constexpr auto operator<=>(recovery_offset const&, recovery_offset const&) noexcept = default;

private:
    friend class detail::offset_series;

    std::uint64_t number_ = 0;
    std::array<char, size> text_{};
};

namespace detail {

// The offsets of one store: a random prefix, the same for all, and a number.
class offset_series {
public:
    explicit offset_series(random_source const& random) {
        random_id const id = make_random_id(random);
        std::copy_n(id.begin(), prefix_size, last_.text_.begin());
    }

    [[nodiscard]] recovery_offset next() noexcept {
        write(last_, last_.number_ + 1);
        return last_;
    }
    [[nodiscard]] recovery_offset const& last() const noexcept { return last_; }
    [[nodiscard]] static std::uint64_t number(recovery_offset const& offset) noexcept { return offset.number_; }

    // The number of an offset that was given out.
    [[nodiscard]] std::optional<std::uint64_t> find(std::string_view text) const noexcept {
        auto const number = read(text);
        return number && *number <= last_.number_ ? number : std::nullopt;
    }

    // See recovery_store::misleading. Clients take the last argument for an offset if it is a string.
    [[nodiscard]] std::optional<recovery_offset> misleading(std::string_view event) const {
        std::string_view const raw = last_string(event);
        if (raw.size() < recovery_offset::size) return std::nullopt;
        auto number = std::optional<std::uint64_t>();
        if (raw.find('\\') == std::string_view::npos)
            number = read(raw.substr(1, raw.size() - 2));
        else if (auto const text = json::text::trusted(raw).get<std::string>())
            number = read(*text);
        if (!number) return std::nullopt;
        recovery_offset offset = last_;
        if (*number > last_.number_) write(offset, *number); // nobody has it yet
        return offset;
    }

private:
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static constexpr std::size_t prefix_size = 12; // 72 bits
    static constexpr std::size_t longest_escape = std::string_view("\\u0041").size();

    static void write(recovery_offset& offset, std::uint64_t number) noexcept {
        offset.number_ = number;
        for (std::size_t i = recovery_offset::size; i-- != prefix_size; number >>= 6u)
            offset.text_[i] = alphabet[number & 0x3fu];
    }

    [[nodiscard]] std::optional<std::uint64_t> read(std::string_view text) const noexcept {
        std::string_view const prefix(last_.text_.data(), prefix_size);
        if (text.size() != recovery_offset::size || !text.starts_with(prefix)) return std::nullopt;
        std::uint64_t number = 0;
        for (char const c : text.substr(prefix_size)) {
            auto const digit = alphabet.find(c);
            if (digit == std::string_view::npos) return std::nullopt;
            number = number << 6u | digit;
        }
        return number == 0 ? std::nullopt : std::optional(number);
    }

    // The string that ends an array, with its quotes; empty if the last element is not a string, or is longer than any
    // offset can be.
    [[nodiscard]] static std::string_view last_string(std::string_view array) noexcept {
        constexpr std::string_view space = " \t\r\n";
        auto end = array.find_last_not_of(space);
        if (end == std::string_view::npos || end == 0 || array[end] != ']') return {};
        end = array.find_last_not_of(space, end - 1);
        if (end == std::string_view::npos || array[end] != '"') return {};
        std::size_t const furthest = end - std::min(end, recovery_offset::size * longest_escape + 1);
        for (std::size_t begin = end; begin-- != furthest;) {
            if (array[begin] != '"') continue;
            std::size_t escapes = 0; // if odd, the quote is a part of the string
            while (escapes != begin && array[begin - 1 - escapes] == '\\') ++escapes;
            if (escapes % 2 == 0) return array.substr(begin, end - begin + 1);
        }
        return {};
    }

    recovery_offset last_;
};

} // namespace detail
} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
