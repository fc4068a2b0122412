// Percent-encoding of the components of a query (RFC 3986, 2.1; application/x-www-form-urlencoded).
#pragma once

#include <socketless/core/detail/output.hpp>
#include <socketless/core/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::percent {

namespace detail {

constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Whether encodeURIComponent leaves it as it is.
constexpr bool is_unreserved(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.!~*'()").find(c) != std::string_view::npos;
}

// Takes one character, escaped or not, from the start of `text`; nothing if the escape is invalid.
constexpr std::optional<char> take(std::string_view& text) noexcept {
    char const c = text.front();
    if (c != '%') {
        text.remove_prefix(1);
        return c == '+' ? ' ' : c;
    }
    if (text.size() < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) return std::nullopt;
    int const value = hex_value(text[1]) * 16 + hex_value(text[2]);
    text.remove_prefix(3);
    return static_cast<char>(static_cast<unsigned char>(value));
}

// As encodeURIComponent does.
constexpr void put(core_detail::output& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (char const c : text) {
        if (is_unreserved(c)) {
            out.put(c);
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        out.put('%');
        out.put(digits[byte / 16]);
        out.put(digits[byte % 16]);
    }
}

} // namespace detail

/// Decodes a component: %XX is a byte, + a space. A component without either is returned as it is; otherwise it
/// is decoded into `buffer`, for which `text.size()` bytes are always enough.
/// Errors: errc::invalid_request_target at an invalid escape; errc::buffer_too_small. Linear.
[[nodiscard]] constexpr result<std::string_view> decode(std::string_view text, std::span<char> buffer) noexcept {
    if (text.find_first_of("%+") == std::string_view::npos) return text;
    if (buffer.size() < text.size()) return error{errc::buffer_too_small, text.size()};
    std::size_t size = 0;
    for (auto rest = text; !rest.empty(); ++size) {
        auto const c = detail::take(rest);
        if (!c) return error{errc::invalid_request_target, text.size() - rest.size()};
        buffer[size] = *c;
    }
    return std::string_view(buffer.data(), size);
}

/// The same as a copy, and without errors: an invalid escape stays as it is, as in JavaScript's URLSearchParams.
[[nodiscard]] inline std::string decoded(std::string_view text) {
    std::string copy;
    copy.reserve(text.size());
    while (!text.empty()) {
        if (auto const c = detail::take(text)) {
            copy += *c;
        } else {
            copy += '%';
            text.remove_prefix(1);
        }
    }
    return copy;
}

/// Writes `text` as a component, escaping what encodeURIComponent escapes, to a character container or a
/// std::span<char>. Errors: errc::buffer_too_small (the offset is the size needed). Linear.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode(Target&& target, std::string_view text) {
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        detail::put(out, text);
        return {};
    });
}

/// Whether `text` decodes to `expected`. Needs no buffer.
[[nodiscard]] constexpr bool equals(std::string_view text, std::string_view expected) noexcept {
    for (; !text.empty(); expected.remove_prefix(1)) {
        if (expected.empty() || detail::take(text) != expected.front()) return false;
    }
    return expected.empty();
}

} // namespace socketless::inline v0::percent

#include <socketless/core/detail/epilogue.hpp>
