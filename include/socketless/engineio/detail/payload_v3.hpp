// The two forms of a long-polling body in Engine.IO revision 3: where each packet lies, and what goes before it.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

// The frame of one packet within a body, as offsets, and where the next one begins.
struct body_part {
    frame_kind kind = frame_kind::text;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t next = 0;
};

// The size in bytes of the first `units` UTF-16 code units of `s`. Errors, at the byte: errc::invalid_utf8,
// errc::truncated_packet where `s` is shorter, errc::invalid_length where a surrogate pair would be cut.
constexpr result<std::size_t> size_of_units(std::string_view s, std::uint64_t units) noexcept {
    std::size_t i = 0;
    while (units != 0) {
        auto const ascii =
            utf8::ascii_prefix(s.substr(i, static_cast<std::size_t>(std::min<std::uint64_t>(units, s.size()))));
        i += ascii;
        units -= ascii;
        if (units == 0) break;
        if (i == s.size()) return error{errc::truncated_packet, i};
        std::size_t const length = utf8::sequence_length(s.substr(i));
        if (length == 0) return error{errc::invalid_utf8, i};
        if (utf8::utf16_units(length) > units) return error{errc::invalid_length, i};
        i += length;
        units -= utf8::utf16_units(length);
    }
    return i;
}

// payload = *( length ":" packet ), the length in UTF-16 code units; "0:" holds no packet.
constexpr result<body_part> find_part_v3_text(std::string_view body, std::size_t position) noexcept {
    auto const rest = body.substr(position);
    auto const length = core_detail::read_digits(rest);
    if (length.size == 0 || length.size > core_detail::max_digits) return error{errc::invalid_length, position};
    std::size_t const begin = position + length.size + 1;
    if (begin > body.size()) return error{errc::truncated_packet, body.size()};
    if (body[begin - 1] != ':') return error{errc::invalid_length, begin - 1};
    auto const size = size_of_units(body.substr(begin), length.value);
    if (!size) return error{size.error().code, begin + size.error().offset};
    return body_part{frame_kind::text, begin, begin + *size, begin + *size};
}

// payload = 1*( ( %x00 / %x01 ) 1*( %x00-09 ) %xFF packet ), the length in bytes; 0 for text and 1 for binary.
constexpr result<body_part> find_part_v3_binary(std::string_view body, std::size_t position) noexcept {
    std::size_t p = position;
    auto const byte = [&] { return static_cast<unsigned char>(body[p]); };
    if (byte() > 1) return error{errc::unknown_packet_type, p};
    frame_kind const kind = byte() == 0 ? frame_kind::text : frame_kind::binary;
    std::uint64_t length = 0;
    for (++p; p != body.size() && byte() < 10; ++p) {
        if (p - position > core_detail::max_digits) return error{errc::invalid_length, p};
        length = length * 10 + byte();
    }
    if (p == body.size()) return error{errc::truncated_packet, p};
    if (byte() != 0xff || p == position + 1) return error{errc::invalid_length, p};
    ++p;
    if (length > body.size() - p) return error{errc::truncated_packet, body.size()};
    std::size_t const end = p + static_cast<std::size_t>(length);
    return body_part{kind, p, end, end};
}

constexpr void put_v3_text(core_detail::output& out, packet const& p) {
    std::size_t const units = p.kind == frame_kind::text ? 1 + utf8::utf16_length(p.data) : text_size(p, revision::v3);
    out.put(core_detail::decimal_text(units).view());
    out.put(':');
    put_text(out, p, revision::v3);
}

constexpr void put_v3_binary(core_detail::output& out, packet const& p) {
    bool const text = p.kind == frame_kind::text;
    out.put(text ? '\x00' : '\x01');
    core_detail::decimal_text const length(1 + p.data.size());
    for (char const digit : length.view()) out.put(static_cast<char>(digit - '0'));
    out.put('\xff');
    out.put(text ? digit_of(p.type) : static_cast<char>(p.type));
    out.put(p.data);
}

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
