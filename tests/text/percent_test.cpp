#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/text/percent.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace text_percent_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

// Decodes into memory of just the size that is promised to be enough.
result<std::string> decoded(std::string_view text) {
    support::exact_copy const buffer(text);
    return percent::decode(text, buffer.span()).transform([](std::string_view s) { return std::string(s); });
}

std::string encoded(std::string_view text) {
    std::string out;
    auto const size = percent::encode(out, text);
    CHECK(size == out.size());
    return out;
}

std::string all_bytes() {
    std::string bytes;
    for (unsigned byte = 0; byte != 256; ++byte) bytes += static_cast<char>(static_cast<unsigned char>(byte));
    return bytes;
}

constexpr bool round_trips_at_compile_time() {
    std::array<char, 16> text{};
    std::array<char, 16> back{};
    auto const size = percent::encode(std::span<char>(text), "a b/c");
    return size == 9u && std::string_view(text.data(), 9) == "a%20b%2Fc" &&
           percent::decode(std::string_view(text.data(), 9), back) == "a b/c"sv;
}

} // namespace

static_assert(round_trips_at_compile_time());
static_assert(percent::equals("%70olling", "polling"));
static_assert(percent::decode("websocket", {}) == "websocket"sv, "nothing to decode needs no buffer");

TEST_CASE("an escape is a byte and a plus is a space", "[percent]") {
    CHECK(decoded("") == "");
    CHECK(decoded("a%20b") == "a b");
    CHECK(decoded("a+b") == "a b");
    CHECK(decoded("%2B") == "+");
    CHECK(decoded("%2f%2F") == "//");
    CHECK(decoded("%25") == "%");
    CHECK(decoded("%2525") == "%25");
    CHECK(decoded("%00") == std::string(1, '\0'));
    CHECK(decoded("caf%C3%A9") == "caf\u00e9");
    CHECK(decoded("%FF") == "\xff");
}

TEST_CASE("a component without escapes is returned as it is", "[percent]") {
    std::string_view const text = "websocket";
    auto const same = percent::decode(text, {});
    REQUIRE(same);
    CHECK(same->data() == text.data());
}

TEST_CASE("an invalid escape is refused where it begins", "[percent]") {
    CHECK(decoded("%") == error{errc::invalid_request_target, 0});
    CHECK(decoded("a%") == error{errc::invalid_request_target, 1});
    CHECK(decoded("a%4") == error{errc::invalid_request_target, 1});
    CHECK(decoded("%20%g0") == error{errc::invalid_request_target, 3});
    CHECK(decoded("%0g") == error{errc::invalid_request_target, 0});
    CHECK(decoded("%%41") == error{errc::invalid_request_target, 0});
    CHECK(decoded("%+1") == error{errc::invalid_request_target, 0});
    CHECK(decoded("%u0041") == error{errc::invalid_request_target, 0});
    CHECK(decoded("++%-1") == error{errc::invalid_request_target, 2});
}

TEST_CASE("exactly the hexadecimal digits of both cases make an escape", "[percent]") {
    constexpr std::string_view digits = "0123456789abcdefABCDEF";
    for (char const c : all_bytes()) {
        bool const is_digit = digits.find(c) != std::string_view::npos;
        if (decoded(std::string("%4") + c).has_value() != is_digit) FAIL_CHECK(static_cast<int>(c));
        if (decoded(std::string("%") + c + '4').has_value() != is_digit) FAIL_CHECK(static_cast<int>(c));
    }
}

TEST_CASE("a buffer as large as the text is needed once there is something to decode", "[percent]") {
    std::array<char, 6> buffer{};
    CHECK(percent::decode("%41%42", std::span(buffer)) == "AB"sv);
    CHECK(percent::decode("%41%42", std::span(buffer).first(5)) == error{errc::buffer_too_small, 6});
    CHECK(percent::decode("+", {}) == error{errc::buffer_too_small, 1});
}

TEST_CASE("what encodeURIComponent leaves alone is left alone, all else is escaped in upper case", "[percent]") {
    constexpr std::string_view left_alone = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
    CHECK(encoded(left_alone) == left_alone);
    for (char const c : all_bytes())
        if (left_alone.find(c) == std::string_view::npos) CHECK(encoded({&c, 1}).size() == 3);
    CHECK(encoded("") == "");
    CHECK(encoded(" ") == "%20");
    CHECK(encoded("+&=?#/") == "%2B%26%3D%3F%23%2F");
    CHECK(encoded("\u00e9") == "%C3%A9");
    CHECK(encoded("\0\x7f"sv) == "%00%7F");
}

TEST_CASE("what was encoded decodes to the same bytes", "[percent]") {
    CHECK(decoded(encoded(all_bytes())) == all_bytes());
    support::random_source random(4);
    for (int i = 0; i != 1000; ++i) {
        std::string const bytes = random.bytes(random.below(40));
        if (decoded(encoded(bytes)) != bytes) FAIL_CHECK(encoded(bytes));
    }
}

TEST_CASE("a component is appended to a container and fills a span, exactly or not at all", "[percent]") {
    std::string out = "sid=";
    CHECK(percent::encode(out, "a/b") == 5u);
    CHECK(out == "sid=a%2Fb");
    for (std::size_t size = 0; size <= 6; ++size) {
        std::vector<char> memory(size);
        auto const written = percent::encode(std::span<char>(memory), "a/b");
        if (size < 5) {
            CHECK(written == error{errc::buffer_too_small, 5});
        } else {
            CHECK(written == 5u);
            CHECK(std::string_view(memory.data(), 5) == "a%2Fb");
        }
    }
}

TEST_CASE("equals says what decoding and comparing would", "[percent]") {
    auto const check = [](std::string_view text, std::string_view expected) {
        auto const contents = decoded(text);
        if (percent::equals(text, expected) != (contents == expected)) FAIL_CHECK(text << " / " << expected);
    };
    check("", "");
    for (std::string_view const expected : {"polling"sv, "p lling"sv, ""sv, "polling "sv, "poll"sv, "%"sv}) {
        support::for_each_mutation("%70o+ling", [&](std::string_view text) { check(text, expected); });
        support::for_each_mutation("polling", [&](std::string_view text) { check(text, expected); });
    }
    support::random_source random(5);
    for (int i = 0; i != 20'000; ++i)
        check(random.text(random.below(7), "%+46Aa "), random.text(random.below(3), "%+46Aadj "));
}

TEST_CASE("a decoded copy has no errors: what is not an escape stays", "[percent]") {
    CHECK(percent::decoded("a%20b+c") == "a b c");
    CHECK(percent::decoded("%zz%4%%41%") == "%zz%4%A%");
    CHECK(percent::decoded("").empty());
}

} // namespace text_percent_test
