#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/random.hpp"

#include <socketless/json/detail/number.hpp>
#include <socketless/json/validate.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace json_number_test {

using namespace socketless;
using json::detail::read_floating;
using json::detail::read_integer;

namespace {

template <class T>
constexpr bool reads(std::string_view number, T expected) {
    return read_integer<T>(number) == result<T>(expected);
}

std::string formatted(double value) {
    char text[json::detail::longest_number];
    return {text, json::detail::format_double(value, text)};
}

// The integer with its decimal point `places` to the left, and the exponent that makes up for it.
std::string with_point_moved(std::uint64_t value, std::size_t places) {
    std::string digits = std::to_string(value);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, 1, '.');
    return digits + "0e" + std::to_string(places);
}

template <class T>
void check_limits() {
    using number_limits = std::numeric_limits<T>;
    std::string const lowest = std::to_string(number_limits::min());
    std::string const highest = std::to_string(number_limits::max());
    CHECK(reads<T>(lowest, number_limits::min()));
    CHECK(reads<T>(highest, number_limits::max()));
    CHECK(reads<T>(highest + ".0", number_limits::max()));
    CHECK(reads<T>(highest + "00e-2", number_limits::max()));
    CHECK(read_integer<T>(highest + "0") == error{errc::out_of_range});
    CHECK(read_integer<T>(highest + "e1") == error{errc::out_of_range});
    // One more, and one less: no limit ends with the digit 9, and of the lowest only 0 ends with 0.
    auto const farther = [](std::string s) { return ++s.back(), s; };
    CHECK(read_integer<T>(farther(highest)) == error{errc::out_of_range});
    CHECK(read_integer<T>(number_limits::min() == 0 ? "-1" : farther(lowest)) == error{errc::out_of_range});
    CHECK(read_integer<T>("1e400") == error{errc::out_of_range});
    CHECK(read_integer<T>("-1e400") == error{errc::out_of_range});
    CHECK(read_integer<T>("1.5") == error{errc::not_an_integer});
    CHECK(reads<T>("-0", 0));
}

} // namespace

static_assert(reads("12", 12) && reads("12.0", 12) && reads("1.2e1", 12) && reads("120e-1", 12));
static_assert(reads("-12.50e2", -1250) && reads("0.0012E+4", 12));
static_assert(read_integer<int>("1.2") == error{errc::not_an_integer});
static_assert(read_integer<unsigned>("-1") == error{errc::out_of_range});
static_assert(read_floating<double>("1.5e1") == 15.0);
static_assert(read_floating<double>("1e309") == error{errc::out_of_range});

TEST_CASE("an integer type takes exactly the integers that it can hold", "[number]") {
    check_limits<std::int8_t>();
    check_limits<std::uint8_t>();
    check_limits<std::int16_t>();
    check_limits<std::uint16_t>();
    check_limits<std::int32_t>();
    check_limits<std::uint32_t>();
    check_limits<std::int64_t>();
    check_limits<std::uint64_t>();
    check_limits<long>();
    check_limits<unsigned long long>();
}

TEST_CASE("integers beyond 2^53 keep all their digits", "[number]") {
    CHECK(reads<std::int64_t>("9007199254740993", 9007199254740993));
    CHECK(reads<std::int64_t>("-9007199254740993", -9007199254740993));
    CHECK(reads<std::uint64_t>("9007199254740993e0", 9007199254740993));
    CHECK(reads<std::uint64_t>("9007199254740993000e-3", 9007199254740993));
    CHECK(reads<std::uint64_t>("9.007199254740993e15", 9007199254740993));
}

TEST_CASE("zero is an integer in whatever way it is written", "[number]") {
    for (std::string_view const zero :
         {"0", "-0", "0.0", "-0.000", "0e5", "0e-5", "0.0e99999999999999999999", "0e-99999999999999999999"}) {
        CAPTURE(zero);
        CHECK(reads<int>(zero, 0));
        CHECK(reads<unsigned>(zero, 0));
    }
}

TEST_CASE("a number with a fraction is no integer, however large", "[number]") {
    for (std::string_view const number :
         {"0.1", "-0.5", "1.000000000000000000000000000000001", "123e-1", "1e-1", "1e-400", "12.50",
          "99999999999999999999999.5", "100e-3", "1e-99999999999999999999"}) {
        CAPTURE(number);
        CHECK(read_integer<std::int64_t>(number) == error{errc::not_an_integer});
        CHECK(read_integer<std::uint8_t>(number) == error{errc::not_an_integer});
    }
}

TEST_CASE("an integer may have any number of zeros and any exponent that makes up for them", "[number]") {
    std::string const zeros(1000, '0');
    CHECK(reads<int>("12" + zeros + "e-1000", 12));
    CHECK(reads<int>("12." + zeros, 12));
    CHECK(reads<int>("0." + zeros + "12e1002", 12));
    CHECK(reads<int>("0.00" + zeros + "e1002", 0));
    CHECK(read_integer<int>("12" + zeros) == error{errc::out_of_range});
    CHECK(read_integer<int>("12" + zeros + "e-1002") == error{errc::not_an_integer});
}

TEST_CASE("the place of the decimal point does not matter as long as the exponent makes up for it", "[number]") {
    support::random_source random(30);
    for (int i = 0; i != 5'000; ++i) {
        std::uint64_t const value = random() >> random.below(64);
        std::string const number = with_point_moved(value, random.below(30));
        if (!reads(number, value)) FAIL_CHECK(number);
        auto const negative = -static_cast<std::int64_t>(value >> 1u);
        std::string const other = '-' + with_point_moved(value >> 1u, random.below(30));
        if (!reads(other, negative)) FAIL_CHECK(other);
    }
}

TEST_CASE("the range of an integer is judged alike in whatever way it is written", "[number]") {
    support::random_source random(31);
    for (int i = 0; i != 5'000; ++i) {
        auto const value = static_cast<std::uint64_t>(random.below(600));
        std::string const number = with_point_moved(value, random.below(8));
        if (read_integer<std::uint8_t>(number).has_value() != (value < 256)) FAIL_CHECK(number);
        if (read_integer<std::int8_t>('-' + number).has_value() != (value <= 128)) FAIL_CHECK(number);
    }
}

TEST_CASE("a double takes every number up to its largest", "[number]") {
    CHECK(read_floating<double>("1.7976931348623157e308") == std::numeric_limits<double>::max());
    CHECK(read_floating<double>("-1.7976931348623157e308") == std::numeric_limits<double>::lowest());
    CHECK(read_floating<double>("1.7976931348623159e308") == error{errc::out_of_range});
    CHECK(read_floating<double>("1e400") == error{errc::out_of_range});
    CHECK(read_floating<double>("-1e400") == error{errc::out_of_range});
    CHECK(read_floating<double>("1e-400") == 0.0);
    CHECK(std::signbit(*read_floating<double>("-0")));
    CHECK(std::signbit(*read_floating<double>("-1e-400")));
    CHECK(read_floating<double>("9007199254740993") == 9007199254740992.0);
    CHECK(read_floating<double>("5e-324") == std::numeric_limits<double>::denorm_min());
}

TEST_CASE("a float takes every number up to its largest", "[number]") {
    CHECK(read_floating<float>("0.1") == 0.1f);
    CHECK(read_floating<float>("3.4028235e38") == std::numeric_limits<float>::max());
    CHECK(read_floating<float>("3.4028236e38") == error{errc::out_of_range});
    CHECK(read_floating<float>("1e300") == error{errc::out_of_range});
    CHECK(read_floating<float>("-1e300") == error{errc::out_of_range});
    CHECK(read_floating<float>("1e-300") == 0.0f);
    CHECK(read_floating<float>("1.00000005960464477539062500000001") == 0x1.000002p0f);
}

TEST_CASE("doubles are printed in the notation of JavaScript", "[number]") {
    CHECK(formatted(0.0) == "0");
    CHECK(formatted(-0.0) == "0");
    CHECK(formatted(5) == "5");
    CHECK(formatted(-1.5) == "-1.5");
    CHECK(formatted(100) == "100");
    CHECK(formatted(0.1 + 0.2) == "0.30000000000000004");
    CHECK(formatted(123456789012345680000.0) == "123456789012345680000");
    CHECK(formatted(1e20) == "100000000000000000000");
    CHECK(formatted(1e21) == "1e+21");
    CHECK(formatted(1.5e21) == "1.5e+21");
    CHECK(formatted(0.000001) == "0.000001");
    CHECK(formatted(0.0000015) == "0.0000015");
    CHECK(formatted(0.0000001) == "1e-7");
    CHECK(formatted(-1.5e-7) == "-1.5e-7");
    CHECK(formatted(9.99e-7) == "9.99e-7");
    CHECK(formatted(-0.0000012345678901234567) == "-0.0000012345678901234567");
    CHECK(formatted(4503599627370495.5) == "4503599627370495.5");
    CHECK(formatted(9007199254740991.0) == "9007199254740991"); // 2^53 - 1
    CHECK(formatted(9007199254740992.0) == "9007199254740992");
    CHECK(formatted(9223372036854775808.0) == "9223372036854776000"); // 2^63
    CHECK(formatted(1e23) == "1e+23");
    CHECK(formatted(5e-324) == "5e-324");
    CHECK(formatted(1.7976931348623157e308) == "1.7976931348623157e+308");
    CHECK(formatted(-2.2250738585072014e-308) == "-2.2250738585072014e-308");
}

TEST_CASE("doubles are printed and read as JavaScript does", "[number]") {
    auto const lines = support::data_lines("numbers.jsonl");
    REQUIRE(lines.size() > 2500);
    for (std::string const& line : lines) {
        CAPTURE(line);
        auto const entry = json::validate(line);
        REQUIRE(entry);
        auto const bits_text = entry->find("bits").value_or(json::text()).borrow_string();
        auto const text = entry->find("text").value_or(json::text()).borrow_string();
        REQUIRE(bits_text);
        REQUIRE(text);
        std::uint64_t bits = 0;
        std::from_chars(bits_text->data(), bits_text->data() + bits_text->size(), bits, 16);
        auto const value = std::bit_cast<double>(bits);
        if (formatted(value) != *text) CHECK(formatted(value) == *text);
        if (read_floating<double>(*text) != value) CHECK(read_floating<double>(*text) == value);
        if (json::detail::nearest<double>(*text) != value) CHECK(json::detail::nearest<double>(*text) == value);
    }
}

TEST_CASE("any double is printed as a JSON number that is read as the same double", "[number]") {
    support::random_source random(32);
    for (int i = 0; i != 50'000; ++i) {
        auto const value = std::bit_cast<double>(random());
        if (!std::isfinite(value)) continue;
        std::string const text = formatted(value);
        auto const number = json::validate(text);
        if (!number || !number->is(json::kind::number) || number->get<double>() != value) FAIL_CHECK(text);
    }
}

} // namespace json_number_test
