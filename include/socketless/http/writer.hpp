// Messages of HTTP/1.1 as bytes: heads and chunks.
#pragma once

#include <socketless/core/detail/output.hpp>
#include <socketless/core/output.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/status.hpp>
#include <socketless/text/token.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

namespace detail {

constexpr result<void> check(std::span<field const> fields) noexcept {
    for (std::size_t i = 0; i != fields.size(); ++i)
        if (!is_valid(fields[i])) return error{errc::invalid_field, i};
    return {};
}

constexpr void put_fields(core_detail::output& out, std::span<field const> fields) {
    for (field const& f : fields) {
        out.put(f.name);
        out.put(": ");
        out.put(f.value);
        out.put("\r\n");
    }
    out.put("\r\n");
}

} // namespace detail

/// Writes the head of a request, up to its empty line. The caller gives all fields, Host too.
/// Errors: errc::invalid_start_line unless the method is a token and the target has visible characters of ASCII only;
/// errc::invalid_field with the index of a field that would break the message; errc::buffer_too_small. Linear.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_request_head(Target&& target, std::string_view method,
                                                               std::string_view request_target,
                                                               std::span<field const> fields) {
    if (!token::is_valid(method) || request_target.empty()) return error{errc::invalid_start_line};
    for (char const c : request_target)
        if (c <= ' ' || c >= '\x7f') return error{errc::invalid_start_line};
    if (auto const good = detail::check(fields); !good) return good.error();
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        out.put(method);
        out.put(' ');
        out.put(request_target);
        out.put(" HTTP/1.1\r\n");
        detail::put_fields(out, fields);
        return {};
    });
}

/// Writes the head of an answer, up to its empty line. The caller gives all fields, Content-Length too.
/// Errors: errc::invalid_start_line for a status below 100 or above 999; the others as above. Linear.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_response_head(Target&& target, int status,
                                                                std::span<field const> fields) {
    if (status < 100 || status > 999) return error{errc::invalid_start_line};
    if (auto const good = detail::check(fields); !good) return good.error();
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        out.put("HTTP/1.1 ");
        for (int const unit : {100, 10, 1}) out.put(static_cast<char>('0' + status / unit % 10));
        out.put(' ');
        out.put(reason_phrase(status));
        out.put("\r\n");
        detail::put_fields(out, fields);
        return {};
    });
}

/// Writes a chunk of a body. Of no bytes it writes nothing: that would be the last one.
/// Errors: errc::buffer_too_small. Linear.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_chunk(Target&& target, std::string_view data) {
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        if (data.empty()) return {};
        std::array<char, 2 * sizeof(std::size_t)> digits{};
        std::size_t begin = digits.size();
        for (std::size_t rest = data.size(); rest != 0; rest /= 16) digits[--begin] = "0123456789abcdef"[rest % 16];
        out.put(std::string_view(digits.data() + begin, digits.size() - begin));
        out.put("\r\n");
        out.put(data);
        out.put("\r\n");
        return {};
    });
}

/// Writes the end of a body in chunks. Errors: errc::buffer_too_small.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_last_chunk(Target&& target) {
    return core_detail::write_to(target, [](core_detail::output& out) -> result<void> {
        out.put("0\r\n\r\n");
        return {};
    });
}

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
