// The formats of MessagePack (github.com/msgpack/msgpack/blob/master/spec.md): what the first bytes of a value say.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/msgpack/kind.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack::detail {

// The first byte of a value, or the lowest one of a range.
namespace format {
inline constexpr std::uint8_t fixmap = 0x80;
inline constexpr std::uint8_t fixarray = 0x90;
inline constexpr std::uint8_t fixstr = 0xa0;
inline constexpr std::uint8_t nil = 0xc0;
inline constexpr std::uint8_t boolean_false = 0xc2;
inline constexpr std::uint8_t boolean_true = 0xc3;
inline constexpr std::uint8_t bin8 = 0xc4;
inline constexpr std::uint8_t bin16 = 0xc5;
inline constexpr std::uint8_t bin32 = 0xc6;
inline constexpr std::uint8_t ext8 = 0xc7;
inline constexpr std::uint8_t ext16 = 0xc8;
inline constexpr std::uint8_t ext32 = 0xc9;
inline constexpr std::uint8_t float32 = 0xca;
inline constexpr std::uint8_t float64 = 0xcb;
inline constexpr std::uint8_t uint8 = 0xcc;
inline constexpr std::uint8_t uint16 = 0xcd;
inline constexpr std::uint8_t uint32 = 0xce;
inline constexpr std::uint8_t uint64 = 0xcf;
inline constexpr std::uint8_t int8 = 0xd0;
inline constexpr std::uint8_t int16 = 0xd1;
inline constexpr std::uint8_t int32 = 0xd2;
inline constexpr std::uint8_t int64 = 0xd3;
inline constexpr std::uint8_t fixext1 = 0xd4;
inline constexpr std::uint8_t fixext2 = 0xd5;
inline constexpr std::uint8_t fixext4 = 0xd6;
inline constexpr std::uint8_t fixext8 = 0xd7;
inline constexpr std::uint8_t fixext16 = 0xd8;
inline constexpr std::uint8_t str8 = 0xd9;
inline constexpr std::uint8_t str16 = 0xda;
inline constexpr std::uint8_t str32 = 0xdb;
inline constexpr std::uint8_t array16 = 0xdc;
inline constexpr std::uint8_t array32 = 0xdd;
inline constexpr std::uint8_t map16 = 0xde;
inline constexpr std::uint8_t map32 = 0xdf;
} // namespace format

constexpr unsigned byte_at(char const* p) noexcept {
    return static_cast<unsigned char>(*p);
}

// The `Size` bytes at `p` as one number. Compilers make one load of it.
template <std::size_t Size>
SOCKETLESS_ALWAYS_INLINE constexpr std::uint64_t load(char const* p) noexcept {
    return [p]<std::size_t... I>(std::index_sequence<I...> /*which*/) {
        return (... | (std::uint64_t{byte_at(p + I)} << (Size - 1 - I) * 8));
    }
    (std::make_index_sequence<Size>());
}

constexpr std::uint64_t load(char const* p, std::size_t size) noexcept {
    switch (size) {
    case 1: return load<1>(p);
    case 2: return load<2>(p);
    case 4: return load<4>(p);
    default: return load<8>(p);
    }
}

// The lowest `Size` bytes of a number, the first of them first. Compilers make one store of it.
template <std::size_t Size>
SOCKETLESS_ALWAYS_INLINE constexpr void store(char* p, std::uint64_t n) noexcept {
    [=]<std::size_t... I>(std::index_sequence<I...> /*which*/) {
        ((p[I] = static_cast<char>(n >> (Size - 1 - I) * 8 & 0xffu)), ...);
    }
    (std::make_index_sequence<Size>());
}

// How a value with a format of 0xc0 to 0xdf goes on behind that byte.
struct layout {
    msgpack::kind kind;
    std::uint8_t width; // of the length, in bytes; 0 if the format fixes the length
    std::uint8_t size;  // the length that the format fixes
};

inline constexpr layout layouts[] = {
    {kind::null, 0, 0},       {kind::none, 0, 0},      {kind::boolean, 0, 0},   {kind::boolean, 0, 0},
    {kind::binary, 1, 0},     {kind::binary, 2, 0},    {kind::binary, 4, 0},    {kind::extension, 1, 0},
    {kind::extension, 2, 0},  {kind::extension, 4, 0}, {kind::floating, 0, 4},  {kind::floating, 0, 8},
    {kind::integer, 0, 1},    {kind::integer, 0, 2},   {kind::integer, 0, 4},   {kind::integer, 0, 8},
    {kind::integer, 0, 1},    {kind::integer, 0, 2},   {kind::integer, 0, 4},   {kind::integer, 0, 8},
    {kind::extension, 0, 1},  {kind::extension, 0, 2}, {kind::extension, 0, 4}, {kind::extension, 0, 8},
    {kind::extension, 0, 16}, {kind::string, 1, 0},    {kind::string, 2, 0},    {kind::string, 4, 0},
    {kind::array, 2, 0},      {kind::array, 4, 0},     {kind::map, 2, 0},       {kind::map, 4, 0},
};

// How long a value with a format of 0xc0 to 0xff is, if the format fixes that; otherwise 0.
inline constexpr auto fixed_sizes = [] {
    std::array<std::uint8_t, 64> sizes{};
    sizes.fill(1);
    for (std::size_t i = 0; i != std::size(layouts); ++i) {
        layout const l = layouts[i];
        bool const is_fixed = l.width == 0 && l.kind != kind::none;
        sizes[i] = static_cast<std::uint8_t>(is_fixed ? 1 + l.size + (l.kind == kind::extension ? 1 : 0) : 0);
    }
    return sizes;
}();

// What stands in front of the contents of a value: its format, its length and the type of an extension.
struct head {
    msgpack::kind kind = kind::none; // where bytes are missing, none
    std::uint8_t size = 0;           // of the head itself, in bytes
    std::uint32_t length = 0;        // bytes of contents, or elements, or members

    // How many values follow as the parts of this one.
    [[nodiscard]] constexpr std::uint64_t parts() const noexcept {
        if (kind == kind::array) return length;
        return kind == kind::map ? std::uint64_t{length} * 2 : 0;
    }
    // How many bytes follow that are no values.
    [[nodiscard]] constexpr std::uint32_t bytes() const noexcept {
        return kind == kind::array || kind == kind::map ? 0 : length;
    }
};

// The head of the value that begins at `p`.
constexpr head read_head(char const* p, char const* end) noexcept {
    if (p == end) return {};
    unsigned const first = byte_at(p);
    if (first < 0x80 || first >= 0xe0) return {kind::integer, 1, 0};
    if (first < 0x90) return {kind::map, 1, first & 0xfu};
    if (first < 0xa0) return {kind::array, 1, first & 0xfu};
    if (first < 0xc0) return {kind::string, 1, first & 0x1fu};
    layout const l = layouts[first - 0xc0];
    auto const size = static_cast<std::uint8_t>(1 + l.width + (l.kind == kind::extension ? 1 : 0));
    if (static_cast<std::size_t>(end - p) < size) return {};
    return {l.kind, size, l.width == 0 ? l.size : static_cast<std::uint32_t>(load(p + 1, l.width))};
}

// The first byte of a value. Precondition: not empty.
constexpr unsigned format_of(std::string_view raw) noexcept {
    return byte_at(raw.data());
}

// The bytes of a value that are behind its head, as far as they are there.
constexpr std::string_view contents_of(std::string_view raw, head h) noexcept {
    return raw.substr(h.size, h.bytes());
}

// Precondition: the head is that of an extension.
constexpr std::int8_t type_of(std::string_view raw, head h) noexcept {
    return static_cast<std::int8_t>(byte_at(raw.data() + h.size - 1));
}

// An ArrayBuffer as notepack.io before 3.0 writes it: an extension of type 0 whose length is written out.
constexpr bool is_array_buffer(std::string_view raw, head h) noexcept {
    return h.kind == kind::extension && format_of(raw) <= format::ext32 && type_of(raw, h) == 0;
}

// Whether the formats are those of a binary value or an ArrayBuffer: a quick look.
constexpr bool may_be_binary(std::string_view raw) noexcept {
    return !raw.empty() && format_of(raw) - format::bin8 <= unsigned{format::ext32 - format::bin8};
}

// JavaScript's undefined as notepack.io before 3.0 writes it.
constexpr bool is_undefined(std::string_view raw, head h) noexcept {
    return h.kind == kind::extension && format_of(raw) == format::fixext1 && type_of(raw, h) == 0;
}

// From the first byte of a value to behind its last one, at most to the end. Values may be nested in any depth: a count
// of the values that are due is all that is kept.
constexpr char const* skip_value(char const* p, char const* end) noexcept {
    std::uint64_t due = 1;
    while (due != 0 && p != end) {
        --due;
        unsigned const first = byte_at(p);
        std::size_t const size = first < 0x80   ? 1
                                 : first < 0xa0 ? 0
                                 : first < 0xc0 ? 1 + (first & 0x1fu)
                                                : fixed_sizes[first - 0xc0];
        if (size != 0) { // most
            p += std::min(size, static_cast<std::size_t>(end - p));
            continue;
        }
        head const h = read_head(p, end);
        if (h.size == 0) return end;
        p += h.size;
        due += h.parts();
        p += std::min<std::size_t>(h.bytes(), static_cast<std::size_t>(end - p));
    }
    return p;
}

} // namespace socketless::inline v0::msgpack::detail

#include <socketless/core/detail/epilogue.hpp>
