// What the fields of a head say about the body and the connection, and the version of a first line.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/text/token.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http::detail {

// What the fields say about the body and the connection.
struct framing {
    std::optional<std::uint64_t> content_length = {};
    bool is_chunked = false;
    bool has_coding = false;
    bool has_other_coding = false; // than chunked
    bool wants_close = false;
    bool wants_keep_alive = false;
    bool expects_continue = false;
    std::size_t hosts = 0;
    std::string_view host = {};
};

// The elements of a list that decides where a body ends. Others pass over empty elements; here they are told, so that
// they can be refused.
class strict_list {
public:
    constexpr explicit strict_list(std::string_view text) noexcept : rest_(text) {}

    constexpr std::optional<std::string_view> next() noexcept {
        if (is_done_) return std::nullopt;
        auto const comma = rest_.find(',');
        auto const element = token::trimmed(rest_.substr(0, comma));
        is_done_ = comma == std::string_view::npos;
        if (!is_done_) rest_.remove_prefix(comma + 1);
        return element;
    }

private:
    std::string_view rest_;
    bool is_done_ = false;
};

// Digits only. Several values, on one line or more, must agree.
constexpr result<void> read_length(std::string_view value, framing& f) noexcept {
    strict_list list(value);
    while (auto const element = list.next()) {
        auto const length = core_detail::read_digits(*element);
        bool const is_number = length.size == element->size() && length.size != 0;
        if (!is_number || length.size > core_detail::max_digits) return error{errc::invalid_content_length};
        if (f.content_length && *f.content_length != length.value) return error{errc::invalid_content_length};
        f.content_length = length.value;
    }
    return {};
}

// "chunked" ends the list of codings, on one line or more.
constexpr result<void> read_coding(std::string_view value, framing& f) noexcept {
    f.has_coding = true;
    strict_list list(value);
    while (auto const coding = list.next()) {
        if (f.is_chunked || coding->empty()) return error{errc::invalid_transfer_coding};
        f.is_chunked = token::equals(*coding, "chunked");
        f.has_other_coding = f.has_other_coding || !f.is_chunked;
    }
    return {};
}

constexpr result<void> read_field(field const& f, framing& all) noexcept {
    switch (f.name.size()) { // most names are none of these
    case 4:
        if (!token::equals(f.name, "Host")) break;
        ++all.hosts;
        all.host = f.value;
        break;
    case 6:
        if (token::equals(f.name, "Expect")) all.expects_continue = token::equals(f.value, "100-continue");
        break;
    case 10:
        if (!token::equals(f.name, "Connection")) break;
        all.wants_close = all.wants_close || token::list(f.value).contains("close");
        all.wants_keep_alive = all.wants_keep_alive || token::list(f.value).contains("keep-alive");
        break;
    case 14:
        if (token::equals(f.name, "Content-Length")) return read_length(f.value, all);
        break;
    case 17:
        if (token::equals(f.name, "Transfer-Encoding")) return read_coding(f.value, all);
        break;
    default: break;
    }
    return {};
}

// "HTTP/1.0" or "HTTP/1.1": its second number.
constexpr result<std::uint8_t> read_version(std::string_view version) noexcept {
    using core_detail::is_digit;
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7]))
        return error{errc::invalid_start_line};
    if (version[5] != '1' || version[7] > '1') return error{errc::unsupported_http_version};
    return static_cast<std::uint8_t>(version[7] - '0');
}

} // namespace socketless::inline v0::http::detail

#include <socketless/core/detail/epilogue.hpp>
