// The kernels of socketless as values, for the tests and the fuzzer that compare them, and what they must do, byte by
// byte.
#pragma once

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
    std::size_t (*copy_plain)(char const*, char const*, char*) noexcept;
    void (*mask)(char*, std::size_t, std::uint32_t) noexcept;
};

template <class Block>
kernel_set kernels_of_blocks(std::string_view name) {
    namespace blocks = socketless::kernels::blocks;
    return {name,
            true,
            0,
            blocks::ascii_prefix<Block>,
            blocks::find_special<Block>,
            blocks::copy_plain<Block>,
            blocks::mask<Block>};
}

inline std::vector<kernel_set> all_kernels() {
    namespace kernels = socketless::kernels;
    return {
        kernels_of_blocks<kernels::scalar::block>("scalar"),
        kernels_of_blocks<kernels::block>("block"),
#ifdef SOCKETLESS_AVX2
        {"AVX2", kernels::has_avx2(), kernels::avx2::shortest_utf8, kernels::avx2::valid_utf8,
         kernels::avx2::find_special, kernels::avx2::copy_plain, kernels::avx2::mask},
#endif
        {"chosen", true, 0, kernels::valid_utf8, kernels::find_special, kernels::copy_plain, kernels::mask},
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

// What `k` says of a text is right. It lies where reading beyond it is seen; `out` has just room for as much.
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

inline bool copies_plain(kernel_set const& k, std::string_view text, char* out) {
    std::fill_n(out, text.size(), '?');
    std::size_t const size = k.copy_plain(text.data(), text.data() + text.size(), out);
    return size == plain_prefix(text) && std::string_view(out, size) == text.substr(0, size);
}

// Changes nothing: it masks twice.
inline bool masks(kernel_set const& k, char* text, std::size_t size, std::uint32_t key) {
    std::string const before(text, size);
    k.mask(text, size, key);
    bool const good = std::string_view(text, size) == masked(before, key);
    k.mask(text, size, key);
    return good && std::string_view(text, size) == before;
}

} // namespace support
