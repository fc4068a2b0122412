// The kernels of socketless as values, for the tests and the fuzzer that compare them, and what they must do, byte by
// byte.
#pragma once

#include <socketless/kernels/base64.hpp>
#include <socketless/kernels/bulk.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace support {

struct kernel_set {
    std::string_view name;
    bool is_here;              // whether the machine has it
    std::size_t shortest_utf8; // it judges what is as long as this or longer; 0 if it only knows ASCII
    std::size_t (*valid_utf8)(char const*, std::size_t) noexcept;
    char const* (*find_special)(char const*, char const*) noexcept;
    void (*mask)(char*, std::size_t, std::uint32_t) noexcept;
    std::size_t shortest_data; // it encodes what is as long as this or longer
    std::size_t shortest_text; // it decodes what is as long as this or longer
    std::size_t (*encode_base64)(char const*, std::size_t, char*) noexcept;
    std::size_t (*decode_base64)(char const*, std::size_t, char*) noexcept;
};

// For kernels that have none of their own.
inline std::size_t no_base64(char const*, std::size_t, char*) noexcept {
    return 0;
}

template <class Block>
kernel_set kernels_of_blocks(std::string_view name) {
    namespace blocks = socketless::kernels::blocks;
    return {name, true,      0,        blocks::ascii_prefix<Block>, blocks::find_special<Block>, blocks::mask<Block>, 0,
            0,    no_base64, no_base64};
}

inline std::vector<kernel_set> all_kernels() {
    namespace kernels = socketless::kernels;
    return {
        kernels_of_blocks<kernels::scalar::block>("scalar"),
        kernels_of_blocks<kernels::block>("block"),
#ifdef SOCKETLESS_AVX2
        {"AVX2", kernels::has_avx2(), kernels::avx2::shortest_utf8, kernels::avx2::valid_utf8,
         kernels::avx2::find_special, kernels::avx2::mask, kernels::avx2::shortest_data, kernels::avx2::shortest_text,
         kernels::avx2::encode_base64, kernels::avx2::decode_base64},
#endif
#ifdef SOCKETLESS_AVX512
        {"AVX-512", kernels::has_avx512(), 0, kernels::blocks::ascii_prefix<kernels::block>,
         kernels::blocks::find_special<kernels::block>, kernels::blocks::mask<kernels::block>,
         kernels::avx512::shortest_data, kernels::avx512::shortest_text, kernels::avx512::encode_base64,
         kernels::avx512::decode_base64},
#endif
#ifdef SOCKETLESS_NEON
        {"NEON", true, kernels::neon::shortest_utf8, kernels::neon::valid_utf8,
         kernels::blocks::find_special<kernels::block>, kernels::blocks::mask<kernels::block>, 0, 0,
         kernels::neon::encode_base64, kernels::neon::decode_base64},
#endif
        {"chosen", true, 0, kernels::valid_utf8, kernels::find_special, kernels::mask, 0, 0, kernels::encode_base64,
         kernels::decode_base64},
    };
}

inline bool is_special(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

inline std::size_t plain_prefix(std::string_view s) {
    return static_cast<std::size_t>(std::ranges::find_if(s, is_special) - s.begin());
}

// Whole sequences at the start of a text.
inline std::size_t utf8_prefix(std::string_view s) {
    std::size_t i = 0;
    while (std::size_t const length = socketless::utf8::sequence_length(s.substr(i))) i += length;
    return i;
}

inline std::string masked(std::string_view s, std::uint32_t key) {
    auto const bytes = std::bit_cast<std::array<char, 4>>(key);
    std::string result(s);
    for (std::size_t i = 0; i != s.size(); ++i) result[i] = static_cast<char>(s[i] ^ bytes[i % 4]);
    return result;
}

// What `k` says of a text is right. It lies where reading beyond it is seen.
inline bool judges_utf8(kernel_set const& k, std::string_view text) {
    if (text.size() < k.shortest_utf8) return true;
    std::size_t const expected = utf8_prefix(text);
    std::size_t const said = k.valid_utf8(text.data(), text.size());
    if (said > expected || utf8_prefix(text.substr(0, said)) != said) return false;
    // It may stop before the block of an error and the sequence that reaches into it, but not for nothing.
    return k.shortest_utf8 == 0 || said == expected || (expected != text.size() && expected - said <= 66);
}

inline bool finds_special(kernel_set const& k, std::string_view text) {
    char const* const end = text.data() + text.size();
    return k.find_special(text.data(), end) == text.data() + plain_prefix(text);
}

// Changes nothing: it masks twice.
inline bool masks(kernel_set const& k, char* text, std::size_t size, std::uint32_t key) {
    std::string const before(text, size);
    k.mask(text, size, key);
    bool const good = std::string_view(text, size) == masked(before, key);
    k.mask(text, size, key);
    return good && std::string_view(text, size) == before;
}

// The whole groups of `data`.
inline std::string base64_of(std::string_view data) {
    char const* const alphabet = socketless::kernels::base64_alphabet.data();
    std::string text(data.size() / 3 * 4, '?');
    char* out = text.data();
    for (char const* p = data.data(); out != text.data() + text.size(); p += 3) {
        auto const byte = [p](int i) { return static_cast<unsigned>(static_cast<unsigned char>(p[i])); };
        unsigned const group = byte(0) << 16u | byte(1) << 8u | byte(2);
        *out++ = alphabet[group >> 18u];
        *out++ = alphabet[group >> 12u & 63u];
        *out++ = alphabet[group >> 6u & 63u];
        *out++ = alphabet[group & 63u];
    }
    return text;
}

inline std::size_t digits_prefix(std::string_view text) {
    return std::min(text.find_first_not_of(socketless::kernels::base64_alphabet), text.size());
}

// `out` has just room for the whole groups, which are `expected`.
inline bool encodes_base64(kernel_set const& k, std::string_view data, std::string_view expected, char* out) {
    if (data.size() < k.shortest_data) return true;
    std::size_t const done = k.encode_base64(data.data(), data.size(), out);
    return done <= data.size() && done % 3 == 0 &&
           std::string_view(out, done / 3 * 4) == expected.substr(0, done / 3 * 4);
}

// `out` has just room for the whole groups; it may be where the text is. What is decoded is encoded again.
inline bool decodes_base64(kernel_set const& k, std::string_view text, char* out) {
    if (text.size() < k.shortest_text) return true;
    std::string const before(text);
    std::size_t const done = k.decode_base64(text.data(), text.size(), out);
    return done <= before.size() && done % 4 == 0 && done <= digits_prefix(before) &&
           base64_of({out, done / 4 * 3}) == before.substr(0, done) &&
           (out != text.data() || text.substr(done) == before.substr(done));
}

} // namespace support
