#include "tools/catch.hpp"
#include "tools/stringified.hpp"

#include <socketless/json/detail/quote.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/scalar_block.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace json_quote_test {

using namespace socketless;
using support::stringified;

namespace {

std::string letters(std::size_t size) {
    std::string s;
    for (std::size_t i = 0; i != size; ++i) s += static_cast<char>('A' + i % 26);
    return s;
}

result<std::string> written(std::string_view s) {
    std::string out;
    auto const size = json::write(out, s);
    if (!size) return size.error();
    return out;
}

// In memory of its own, so that a sanitizer sees what is read or written outside.
template <class Block>
void check_copies(std::string const& s) {
    auto const text = std::make_unique<char[]>(s.size());
    std::copy(s.begin(), s.end(), text.get());
    auto const copy = std::make_unique<char[]>(s.size());
    auto const holds = json::detail::copy_short<Block>(text.get(), s.size(), copy.get());
    bool special = false;
    bool beyond_ascii = false;
    for (char const c : s) {
        special = special || json::detail::needs_escape(c);
        beyond_ascii = beyond_ascii || static_cast<unsigned char>(c) >= 0x80;
    }
    CHECK(holds.specials.any() == special);
    CHECK(holds.beyond_ascii.any() == beyond_ascii);
    CHECK(std::string_view(copy.get(), s.size()) == s);

    auto const escaped = std::make_unique<char[]>(s.size() * json::detail::longest_escape);
    char const* p = text.get();
    char* out = json::detail::copy_escaped_blocks<Block>(p, text.get() + s.size(), escaped.get());
    out = json::detail::copy_escaped(p, text.get() + s.size(), out);
    CHECK('"' + std::string(escaped.get(), out) + '"' == stringified(s));
}

constexpr std::string_view special_characters{"\"\\\b\f\n\r\t\0\x01\x1f", 10};

} // namespace

TEST_CASE("a string of any length is quoted with each special character in each place", "[writer]") {
    for (std::size_t size = 0; size < 150; size += size < 70 ? 1 : 7) {
        std::string const plain = letters(size);
        CHECK(written(plain) == stringified(plain));
        for (std::size_t at = 0; at < size; ++at) {
            for (char const c : special_characters) {
                std::string s = plain;
                s[at] = c;
                CHECK(written(s) == stringified(s));
                s[size - 1] = '"';
                CHECK(written(s) == stringified(s));
            }
        }
    }
    CHECK(written(std::string(10'000, '\x02')) == stringified(std::string(10'000, '\x02')));
    std::string const mixed = letters(5'000) + "\n" + letters(63) + "\"" + letters(64) + "\\" + letters(65) + "\t";
    CHECK(written(mixed) == stringified(mixed));
}

TEST_CASE("each kind of block copies strings of any length, and tells what they hold", "[writer]") {
    for (std::size_t size = 0; size != 70; ++size) {
        check_copies<kernels::block>(letters(size));
        check_copies<kernels::scalar::block>(letters(size));
        for (std::size_t at = 0; at < size; ++at) {
            for (char const c : {'"', '\\', '\n', '\0', '\x1f', '\x7f', '\x80', '\xff', ' ', '!', '#', '[', ']'}) {
                std::string s = letters(size);
                s[at] = c;
                check_copies<kernels::block>(s);
                check_copies<kernels::scalar::block>(s);
            }
        }
    }
}

TEST_CASE("a string beyond ASCII is checked wherever the wrong byte stands", "[writer]") {
    for (std::size_t size = 0; size != 140; ++size) {
        for (std::size_t at = 0; at <= size; at += 1 + at / 20) {
            std::string const before = letters(at);
            std::string const behind = letters(size - at);
            std::string const good = before + "\u20ac" + behind;
            CHECK(written(good) == stringified(good));
            CHECK(written(before + "\xe2\x82" + behind) == error{errc::invalid_utf8});
            CHECK(written(before + "\n\xff" + behind) == error{errc::invalid_utf8});
        }
    }
}

TEST_CASE("a string and a key fill a span exactly, or the error says how large it should be", "[writer]") {
    for (std::string const& s :
         {letters(5), letters(20), letters(100), "a\n" + letters(20), letters(70) + "\u20ac\""}) {
        std::vector<std::string> const twice{s, s};
        std::string const expected = "[" + stringified(s) + "," + stringified(s) + "]";
        std::string const member = "{" + stringified(s) + ":" + stringified(s) + "}";
        for (std::size_t size = 0; size <= expected.size() + 3; ++size) {
            std::vector<char> memory(size);
            std::span<char> const span(memory);
            auto const good = size >= expected.size();
            auto const filled = json::write(span, twice);
            if (good)
                CHECK(filled == expected.size());
            else
                CHECK(filled == error{errc::buffer_too_small, expected.size()});
            if (good) CHECK(std::string_view(memory.data(), expected.size()) == expected);
            CHECK(json::write(span, json::object(s, s)).has_value() == good);
            if (good) CHECK(std::string_view(memory.data(), member.size()) == member);
        }
    }
}

namespace {

struct literal_keys {
    friend void write_json(json::writer& out, literal_keys const&) {
        out.begin_object().member("a", 1).member("", 2).member("a\"b", 3).member("caf\u00e9", 4);
        out.member("exactly sixteen!", 5).member("seventeen letters", 6).member("\n", 7).end_object();
    }
};

} // namespace

TEST_CASE("keys that are literals are quoted as others are", "[writer]") {
    std::string const expected = R"({"a":1,"":2,"a\"b":3,"caf)"
                                 "\u00e9"
                                 R"(":4,"exactly sixteen!":5,"seventeen letters":6,"\n":7})";
    std::string out;
    REQUIRE(json::write(out, literal_keys()));
    CHECK(out == expected);
    for (std::size_t size = 0; size <= expected.size() + 1; ++size) {
        std::vector<char> memory(size);
        CHECK(json::write(std::span<char>(memory), literal_keys()).has_value() == (size >= expected.size()));
        if (size >= expected.size()) CHECK(std::string_view(memory.data(), expected.size()) == expected);
    }
}

} // namespace json_quote_test
