#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/text/utf8.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace text_utf8_test {

using namespace socketless;
using namespace std::string_view_literals;
using support::to_hex;

namespace {

// One, two, three and four bytes a character: 15 characters, 24 bytes, 16 UTF-16 code units.
constexpr std::string_view mixed = "plain \u00e9\u00df \u20ac\uffff \U0001f600 z";

char to_char(unsigned byte) {
    return static_cast<char>(static_cast<unsigned char>(byte));
}

// By the definition and not by the table of RFC 3629: reads the bits, then asks whether this was the shortest
// way to write a Unicode scalar value.
std::size_t reference_length(std::string_view s) {
    if (s.empty()) return 0;
    auto const lead = static_cast<unsigned char>(s[0]);
    auto const ones = static_cast<std::size_t>(std::countl_one(lead));
    if (ones == 0) return 1;
    if (ones == 1 || ones > 4 || s.size() < ones) return 0;
    std::uint32_t code_point = lead & (0xffu >> (ones + 1));
    for (std::size_t i = 1; i != ones; ++i) {
        auto const byte = static_cast<unsigned char>(s[i]);
        if (byte >> 6u != 2) return 0;
        code_point = code_point * 64 + byte % 64u;
    }
    constexpr std::array<std::uint32_t, 5> lowest = {0, 0, 0x80, 0x800, 0x10000};
    bool const surrogate = code_point / 0x800 == 0xd800 / 0x800;
    return code_point < lowest[ones] || code_point > 0x10ffff || surrogate ? 0 : ones;
}

result<void> reference_validate(std::string_view s) {
    for (std::size_t i = 0; i != s.size();) {
        std::size_t const length = reference_length(s.substr(i));
        if (length == 0) return error{errc::invalid_utf8, i};
        i += length;
    }
    return {};
}

bool agrees(std::string_view s) {
    return utf8::sequence_length(s) == reference_length(s) && utf8::validate(s) == reference_validate(s);
}

constexpr std::size_t sequence_size(std::uint32_t code_point) {
    if (code_point < 0x80) return 1;
    if (code_point < 0x800) return 2;
    return code_point < 0x10000 ? 3 : 4;
}

std::string encoded(std::uint32_t code_point) {
    char sequence[utf8::longest_sequence];
    return {sequence, utf8::encode(code_point, sequence)};
}

constexpr bool encodes_at_compile_time() {
    char sequence[utf8::longest_sequence] = {};
    char const* const end = utf8::encode(0x1f600, sequence);
    return std::string_view(sequence, end) == "\U0001f600";
}

} // namespace

static_assert(utf8::validate(mixed));
static_assert(utf8::validate("ab\xffgh") == error{errc::invalid_utf8, 2});
static_assert(utf8::utf16_length(mixed) == 16);
static_assert(utf8::ascii_prefix(mixed) == 6);
static_assert(encodes_at_compile_time());

static_assert(utf8::sequence_length("") == 0);
static_assert(utf8::sequence_length("\0"sv) == 1);
static_assert(utf8::sequence_length("\x80") == 0, "a continuation byte alone");
static_assert(utf8::sequence_length("\xc0\x80") == 0, "NUL in two bytes");
static_assert(utf8::sequence_length("\xc1\xbf") == 0 && utf8::sequence_length("\xc2\x80") == 2);
static_assert(utf8::sequence_length("\xe0\x9f\xbf") == 0 && utf8::sequence_length("\xe0\xa0\x80") == 3);
static_assert(utf8::sequence_length("\xed\x9f\xbf") == 3 && utf8::sequence_length("\xee\x80\x80") == 3);
static_assert(utf8::sequence_length("\xed\xa0\x80") == 0 && utf8::sequence_length("\xed\xbf\xbf") == 0,
              "surrogates are for UTF-16 only");
static_assert(utf8::sequence_length("\xf0\x8f\xbf\xbf") == 0 && utf8::sequence_length("\xf0\x90\x80\x80") == 4);
static_assert(utf8::sequence_length("\xf4\x8f\xbf\xbf") == 4 && utf8::sequence_length("\xf4\x90\x80\x80") == 0);
static_assert(utf8::sequence_length("\xf5\x80\x80\x80") == 0 && utf8::sequence_length("\xff") == 0);
static_assert(utf8::sequence_length("\xef\xbb\xbf") == 3, "a byte order mark is a character like any other");

TEST_CASE("all texts of one and two bytes are judged by the definition of UTF-8", "[utf8]") {
    std::size_t wrong = 0;
    for (unsigned a = 0; a != 256; ++a) {
        std::array const one = {to_char(a)};
        wrong += !agrees({one.data(), 1});
        for (unsigned b = 0; b != 256; ++b) {
            std::array const two = {to_char(a), to_char(b)};
            wrong += !agrees({two.data(), 2});
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("all texts of three bytes whose lead announces three are judged by the definition of UTF-8", "[utf8]") {
    std::size_t wrong = 0;
    for (unsigned a = 0xe0; a != 0xf0; ++a) {
        for (unsigned b = 0; b != 256; ++b) {
            for (unsigned c = 0; c != 256; ++c) {
                std::array const three = {to_char(a), to_char(b), to_char(c)};
                wrong += !agrees({three.data(), 3});
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("texts of four bytes whose lead announces four or more are judged by the definition of UTF-8", "[utf8]") {
    constexpr std::array edges = {0x00u, 0x7fu, 0x80u, 0x8fu, 0x90u, 0xbfu, 0xc0u, 0xffu};
    std::size_t wrong = 0;
    for (unsigned a = 0xf0; a != 0x100; ++a) {
        for (unsigned b = 0; b != 256; ++b) {
            for (unsigned const c : edges) {
                for (unsigned const d : edges) {
                    std::array const four = {to_char(a), to_char(b), to_char(c), to_char(d)};
                    wrong += !agrees({four.data(), 4});
                }
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("every code point is encoded as one sequence of the right length", "[utf8]") {
    std::size_t wrong = 0;
    for (std::uint32_t code_point = 0; code_point != 0x110000; ++code_point) {
        if (code_point == 0xd800) code_point = 0xe000; // surrogates are no scalar values
        char sequence[utf8::longest_sequence];
        char const* const end = utf8::encode(code_point, sequence);
        std::string_view const s(sequence, end);
        std::size_t const length = sequence_size(code_point);
        std::size_t const units = length == 4 ? 2 : 1;
        wrong += s.size() != length || utf8::sequence_length(s) != length || reference_length(s) != length ||
                 utf8::utf16_units(length) != units || utf8::utf16_length(s) != units;
    }
    CHECK(wrong == 0);
    CHECK(encoded(0x7f) == "\x7f");
    CHECK(encoded(0xe9) == "\u00e9");
    CHECK(encoded(0x20ac) == "\u20ac");
    CHECK(encoded(0x10ffff) == "\U0010ffff");
}

TEST_CASE("code points keep their order as bytes", "[utf8]") {
    std::string last;
    std::size_t wrong = 0;
    for (std::uint32_t code_point = 1; code_point < 0x110000; code_point += 37) {
        if (code_point >= 0xd800 && code_point < 0xe000) continue;
        std::string const s = encoded(code_point);
        wrong += !(last < s);
        last = s;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a text is refused at the first byte that cannot be read, wherever that is", "[utf8]") {
    constexpr std::string_view bad[] = {"\x80",     "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\xe2\x82", "\xff"};
    for (std::string_view const good : {"\u00e9\u20ac"sv, "ab\U0001f600"sv, "abcdefgh"sv}) {
        for (std::size_t size = 0; size <= 40; ++size) {
            // The ASCII before it may end anywhere in a word, and so may the character.
            std::string const before = std::string(size, 'x') + std::string(good);
            for (std::string_view const wrong : bad) {
                for (std::string_view const behind : {""sv, "."sv, "longer than a word"sv, "\xff"sv}) {
                    support::exact_copy const copy(before + std::string(wrong) + std::string(behind));
                    if (utf8::validate(copy.view()) != error{errc::invalid_utf8, before.size()})
                        FAIL_CHECK(to_hex(copy.view()));
                }
            }
        }
    }
}

// Four bytes are looked at together, so that others stand behind short sequences, and before them.
bool is_judged_alike(std::string_view s) {
    return std::ranges::all_of(std::array{""sv, "x"sv, "ab\u00e9"sv, "\u20ac"sv, "\xe0\xa0"sv},
                               [s](std::string_view other) {
                                   std::string const before = std::string(other) + std::string(s);
                                   std::string const behind = std::string(s) + std::string(other);
                                   return utf8::detail::is_valid_short(before) == utf8::validate(before).has_value() &&
                                          utf8::detail::is_valid_short(behind) == utf8::validate(behind).has_value();
                               });
}

TEST_CASE("short texts are judged four bytes at a time as others are", "[utf8]") {
    constexpr std::array edges = {0x00u, 0x7fu, 0x80u, 0x8fu, 0x90u, 0x9fu, 0xa0u, 0xbfu, 0xc0u, 0xc2u, 0xffu};
    std::size_t wrong = 0;
    for (unsigned a = 0; a != 256; ++a) {
        for (unsigned b = 0; b != 256; ++b) {
            std::array const two = {to_char(a), to_char(b)};
            wrong += !is_judged_alike({two.data(), 2});
            for (unsigned const c : edges) {
                for (unsigned const d : edges) {
                    std::array const four = {to_char(a), to_char(b), to_char(c), to_char(d)};
                    std::string_view const s(four.data(), 4);
                    wrong += utf8::detail::is_valid_short(s) != utf8::validate(s).has_value();
                }
            }
        }
    }
    CHECK(wrong == 0);
    support::random_source random(2);
    for (int i = 0; i != 20'000; ++i) {
        std::string s;
        for (std::size_t const size = random.below(64); s.size() < size;)
            s += random.one_in(40) ? std::string(1, random.byte())
                                   : encoded(static_cast<std::uint32_t>(random.below(0xd800) >> random.below(12)));
        support::exact_copy const copy(s);
        if (utf8::detail::is_valid_short(copy.view()) != utf8::validate(s).has_value()) FAIL_CHECK(to_hex(s));
    }
}

TEST_CASE("a prefix is UTF-8 exactly if it does not end within a character", "[utf8]") {
    std::string const text = std::string(mixed) + std::string(mixed);
    std::size_t start = 0; // of the last character
    support::for_each_prefix(text, [&](std::string_view prefix) {
        if (start + reference_length(std::string_view(text).substr(start)) == prefix.size()) start = prefix.size();
        CHECK(utf8::validate(prefix) == (start == prefix.size() ? result<void>() : error{errc::invalid_utf8, start}));
    });
}

TEST_CASE("a text with any byte changed, added or removed is judged by the definition of UTF-8", "[utf8]") {
    auto const check = [](std::string_view s) {
        if (utf8::validate(s) != reference_validate(s)) FAIL_CHECK(to_hex(s));
    };
    support::for_each_changed_byte(mixed, check);
    support::for_each_removed_byte(mixed, check);
    support::for_each_added_byte(mixed, "a\x80\xc3\xe2\xf0\xff"sv, check);
}

TEST_CASE("random bytes and random characters are judged by the definition of UTF-8", "[utf8]") {
    support::random_source random(1);
    for (int i = 0; i != 20'000; ++i) {
        std::string s;
        for (std::size_t size = random.below(30); s.size() < size;) {
            if (random.one_in(20))
                s += random.byte();
            else
                s += encoded(static_cast<std::uint32_t>(random.below(0xd800) >> random.below(12)));
        }
        if (utf8::validate(s) != reference_validate(s)) FAIL_CHECK(to_hex(s));
    }
}

TEST_CASE("the ASCII at the start of a text is measured at every alignment", "[utf8]") {
    for (std::size_t alignment = 0; alignment != 8; ++alignment) {
        for (std::size_t size = 0; size <= 40; ++size) {
            for (std::size_t special = 0; special <= size; ++special) {
                std::string s(alignment + size, '\x7f');
                if (special != size) s[alignment + special] = '\x80';
                support::exact_copy const copy(s);
                std::size_t const prefix = utf8::ascii_prefix(copy.view().substr(alignment));
                if (prefix != special) FAIL_CHECK(alignment << ' ' << size << ' ' << special << ' ' << prefix);
            }
        }
    }
}

TEST_CASE("JavaScript counts a character beyond U+FFFF twice", "[utf8]") {
    CHECK(utf8::utf16_length("") == 0);
    CHECK(utf8::utf16_length("abc") == 3);
    CHECK(utf8::utf16_length("\u00e9\u20ac") == 2);
    CHECK(utf8::utf16_length("\U0001f600") == 2);
    CHECK(utf8::utf16_length("a\U0001f600b") == 4);
}

} // namespace text_utf8_test
