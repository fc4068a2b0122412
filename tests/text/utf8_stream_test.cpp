#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/text/utf8.hpp>
#include <socketless/text/utf8_stream.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace text_utf8_stream_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view mixed = "plain \u00e9\u00df \u20ac\uffff \U0001f600 z";

// What the validator says of pieces: where in all of them it refuses, and whether they are complete.
struct verdict {
    std::optional<std::size_t> refused_at;
    bool is_complete = false;

    friend bool operator==(verdict const&, verdict const&) = default;
};

constexpr verdict judge(std::initializer_list<std::string_view> pieces) {
    utf8::stream_validator validator;
    std::size_t before = 0;
    for (std::string_view const piece : pieces) {
        if (auto const good = validator.push(piece); !good) return {before + good.error().offset, false};
        before += piece.size();
    }
    return {std::nullopt, validator.is_complete()};
}

bool is_valid(std::string_view s) {
    return utf8::validate(s).has_value();
}

// Each byte that the grammar of RFC 3629 tells apart, and its neighbours.
constexpr std::string_view telling_bytes =
    "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff";

// Whether some text begins with `s`. By trying.
bool can_become_valid(std::string const& s, int more = 3) {
    if (is_valid(s)) return true;
    if (more == 0) return false;
    return std::ranges::any_of("\x80\x90\xa0"sv, [&](char c) { return can_become_valid(s + c, more - 1); });
}

} // namespace

static_assert(judge({mixed}) == verdict{std::nullopt, true});
static_assert(judge({"\xe2\x82", "\xac"}) == verdict{std::nullopt, true});
static_assert(judge({"\xe2\x82"}) == verdict{std::nullopt, false});
static_assert(judge({"\xed", "\xa0"}) == verdict{1, false});

TEST_CASE("utf8 stream: a text is refused at the first byte with which it cannot become valid") {
    bool all_good = true;
    auto const check = [&](std::string const& s) {
        verdict expected{std::nullopt, is_valid(s)};
        for (std::size_t size = 1; size <= s.size() && !expected.refused_at; ++size)
            if (!can_become_valid(s.substr(0, size))) expected.refused_at = size - 1;
        all_good = all_good && judge({s}) == expected;
    };
    for (char const a : telling_bytes)
        for (char const b : telling_bytes) {
            check({a, b});
            for (char const c : telling_bytes) check({a, b, c});
        }
    for (char const a : "\xf0\xf1\xf4"sv)
        for (char const b : "\x80\x8f\x90\xbf"sv)
            for (char const c : telling_bytes)
                for (char const d : telling_bytes) check({a, b, c, d});
    CHECK(all_good);
}

TEST_CASE("utf8 stream: every cut of a text gives the same verdict") {
    std::string const texts[] = {std::string(mixed), "ab\xc3", "\xf0\x9f\x98\x80\x80", "ok \xed\xa0\x80 ok",
                                 std::string(40, 'x') + "\u20ac" + std::string(40, 'y') + "\xff"};
    for (std::string_view const text : texts) {
        CAPTURE(text);
        verdict const whole = judge({text});
        bool all_same = true;
        for (std::size_t first = 0; first <= text.size(); ++first)
            for (std::size_t second = first; second <= text.size(); ++second)
                all_same = all_same && judge({text.substr(0, first), text.substr(first, second - first),
                                              text.substr(second)}) == whole;
        CHECK(all_same);
    }
}

TEST_CASE("utf8 stream: texts of random bytes are judged as by validate") {
    support::random_source random(1);
    bool all_good = true;
    std::size_t valid = 0;
    for (int round = 0; round != 3'000; ++round) {
        std::string text;
        for (std::size_t n = random.below(6); n != 0; --n) {
            constexpr std::string_view pieces[] = {"abcdefghijkl", "\u00e9", "\u20ac", "\U0001f600", "\U0010ffff", "z"};
            text += random.pick(pieces);
        }
        if (random.one_in(2) && !text.empty()) text[random.below(text.size())] = random.byte();
        auto const cut = random.below(text.size() + 1);
        verdict const v = judge({std::string_view(text).substr(0, cut), std::string_view(text).substr(cut)});
        valid += v.is_complete ? 1u : 0u;
        all_good = all_good && v.is_complete == is_valid(text);
    }
    CHECK(all_good);
    CHECK(valid > 1'000);
    CHECK(valid < 2'900);
}

} // namespace text_utf8_stream_test
