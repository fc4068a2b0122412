#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/random.hpp"

#include <socketless/json/detail/number.hpp>
#include <socketless/json/detail/print_double.hpp>
#include <socketless/json/validate.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <version>

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

constexpr bool prints(double value, std::string_view expected) {
    char text[json::detail::room_for_double]{};
    return json::detail::between(text, json::detail::print_double(value, text)) == expected;
}

// What ECMA-262 says of the digits of a number that is 0.digits * 10^point.
std::string javascript(std::string digits, int point) {
    auto const size = static_cast<int>(digits.size());
    if (size <= point && point <= 21) return digits.append(static_cast<std::size_t>(point - size), '0');
    if (0 < point && point <= 21) return digits.insert(static_cast<std::size_t>(point), ".");
    if (-6 < point && point <= 0) return "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
    if (size > 1) digits.insert(1, ".");
    return digits + (point > 0 ? "e+" : "e") + std::to_string(point - 1);
}

std::string random_digits(support::random_source& random, std::size_t size) {
    std::string digits = random.text(size, "0123456789");
    digits.front() = random.pick(std::string_view("123456789"));
    digits.back() = random.pick(std::string_view("123456789"));
    return digits;
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
static_assert(prints(0, "0") && prints(-0.0, "0") && prints(-1, "-1") && prints(9007199254740991, "9007199254740991"));
static_assert(prints(55.64396, "55.64396") && prints(-89.75, "-89.75") && prints(0.1 + 0.2, "0.30000000000000004"));
static_assert(prints(1e21, "1e+21") && prints(1e-7, "1e-7") && prints(5e-324, "5e-324"));

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

TEST_CASE("integers of up to twenty digits keep all of them, and more are out of range", "[number]") {
    std::string digits;
    for (int size = 1; size <= 19; ++size) {
        digits += static_cast<char>('0' + size % 10);
        CAPTURE(digits);
        CHECK(reads<std::uint64_t>(digits, std::stoull(digits)));
        CHECK(reads<std::int64_t>('-' + digits, -std::stoll(digits)));
        CHECK(reads<std::uint64_t>(digits + ".0", std::stoull(digits)));
    }
    CHECK(reads<std::uint64_t>("12345678901234567890", 12345678901234567890u));
    CHECK(read_integer<std::uint64_t>("123456789012345678901") == error{errc::out_of_range});
    CHECK(read_integer<std::uint64_t>("99999999999999999999") == error{errc::out_of_range});
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

TEST_CASE("of two numerals that are equally near to a double, the even one is printed", "[number]") {
    CHECK(formatted(0x1p50 + 0.25) == "1125899906842624.2");
    CHECK(formatted(0x1p50 + 0.75) == "1125899906842624.8");
    CHECK(formatted(0x1p51 + 0.5) == "2251799813685248.5"); // as it is
    CHECK(formatted(0x1p49 + 0.125) ==
          "562949953421312.1"); // .125 is in the interval of both .1 and .2: the nearer one
    CHECK(formatted(2e-323 + 5e-324) == "2.5e-323");
}

TEST_CASE("a numeral at the end of the interval that is rounded to a double counts if the double is even", "[number]") {
    // 10^23 is half-way between two doubles, and 9.5 * 10^22 is near one.
    CHECK(formatted(9.5e22) == "9.5e+22");
    CHECK(formatted(1e23) == "1e+23");
    CHECK(formatted(std::nextafter(1e23, 1e24)) == "1.0000000000000001e+23");
    CHECK(formatted(std::nextafter(1e23, 0.0)) == "9.999999999999997e+22");
    CHECK(formatted(9007199254740994.0) == "9007199254740994");
    CHECK(formatted(2.98023223876953125e-8) == "2.9802322387695312e-8");
    CHECK(formatted(0x1p-1022) == "2.2250738585072014e-308");
    CHECK(formatted(9.007199254740992e25 * 2) == "1.8014398509481984e+26");
}

TEST_CASE("numbers are printed alike around the limits of eight decimals", "[number]") {
    CHECK(formatted(0.12345678) == "0.12345678");
    CHECK(formatted(0.123456789) == "0.123456789");
    CHECK(formatted(0.99999999) == "0.99999999");
    CHECK(formatted(0.999999999) == "0.999999999");
    CHECK(formatted(0.00048828125) == "0.00048828125"); // 2^-11
    CHECK(formatted(0.0004882812) == "0.0004882812");
    CHECK(formatted(0.0005) == "0.0005");
    CHECK(formatted(0.00048829) == "0.00048829");
    CHECK(formatted(33554431.99999999) == "33554431.99999999");
    CHECK(formatted(67108863.99999999) == "67108863.99999999");
    CHECK(formatted(67108864.00000001) == "67108864.00000001");
    CHECK(formatted(134217727.99999999) == "134217727.99999999");
    CHECK(formatted(33554432.5) == "33554432.5");
    CHECK(formatted(67108864.5) == "67108864.5");
    CHECK(formatted(1.00000001) == "1.00000001");
    CHECK(formatted(std::nextafter(1.0, 2.0)) == "1.0000000000000002");
    CHECK(formatted(std::nextafter(1.0, 0.0)) == "0.9999999999999999");
    CHECK(formatted(std::nextafter(0.5, 0.0)) == "0.49999999999999994");
    CHECK(formatted(std::nextafter(12345.678, 0.0)) == "12345.677999999998");
}

TEST_CASE("what has up to fifteen digits is printed with these digits, wherever the point is", "[number]") {
    support::random_source random(33);
    for (std::size_t size = 1; size <= 15; ++size) {
        for (int point = -320; point <= 308; point += point < -12 || point > 25 ? 13 : 1) {
            if (point < -290) continue; // subnormal numbers have fewer digits
            std::string const digits = random_digits(random, size);
            double const value = json::detail::nearest<double>("0." + digits + 'e' + std::to_string(point));
            std::string const expected = javascript(digits, point);
            if (formatted(value) != expected) CHECK(formatted(value) == expected);
            if (formatted(-value) != '-' + expected) CHECK(formatted(-value) == '-' + expected);
        }
    }
}

TEST_CASE("printing writes nothing before its room, and nothing behind it", "[number]") {
    support::random_source random(34);
    for (int i = 0; i != 20'000; ++i) {
        double value = std::bit_cast<double>(random());
        if (i % 2 == 0) value = static_cast<double>(random()) * 0x1p-64 * std::pow(10, random.between(-9, 23));
        if (!std::isfinite(value)) continue;
        std::string room(json::detail::longest_number + 2, '#');
        char const* const end = json::detail::format_double(value, room.data() + 1);
        if (room.front() != '#' || room.back() != '#' || end - room.data() > 26) FAIL_CHECK(value);
    }
}

TEST_CASE("no numeral with fewer digits is read as the same double", "[number]") {
    support::random_source random(35);
    for (int i = 0; i != 20'000; ++i) {
        auto const value = std::bit_cast<double>(random() >> 1u);
        if (!std::isfinite(value)) continue;
        std::string const text = formatted(value);
        std::string digits;
        std::ranges::copy_if(text.substr(0, text.find('e')), std::back_inserter(digits), core_detail::is_digit);
        std::size_t const first = std::min(digits.find_first_not_of('0'), digits.size());
        digits = digits.substr(first, digits.find_last_not_of('0') + 1 - first);
        if (digits.size() < 2) continue;
        // One digit less, rounded down and up, at the power of ten that the number is nearest to.
        int const exponent = static_cast<int>(std::floor(std::log10(value))) - static_cast<int>(digits.size()) + 2;
        std::uint64_t const shorter = std::stoull(digits.substr(0, digits.size() - 1));
        for (int const e : {exponent - 1, exponent, exponent + 1})
            for (std::uint64_t const n : {shorter, shorter + 1})
                if (json::detail::nearest<double>(std::to_string(n) + 'e' + std::to_string(e)) == value)
                    FAIL_CHECK(text << " is longer than " << n << 'e' << e);
    }
}

#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L

TEST_CASE("powers of two and ten, their neighbours and random doubles have the digits of std::to_chars", "[number]") {
    auto const expected = [](double value) {
        char text[40];
        auto const written = std::to_chars(text, std::end(text), value, std::chars_format::scientific);
        std::string_view const all(text, written.ptr);
        std::string digits(all.substr(0, all.find('e')));
        std::erase(digits, '.');
        std::string const exponent(all.substr(all.find('e') + 1));
        return javascript(digits, std::stoi(exponent) + 1);
    };
    auto const check_around = [&](double value) {
        for (std::uint64_t const to : {0u, 1u, 2u, 3u, 4u}) {
            auto const neighbour = std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) + to - 2);
            if (!(neighbour > 0) || !std::isfinite(neighbour)) continue;
            if (formatted(neighbour) != expected(neighbour)) CHECK(formatted(neighbour) == expected(neighbour));
        }
    };
    for (int exponent = -1074; exponent <= 1023; ++exponent) check_around(std::ldexp(1.0, exponent));
    for (int exponent = -323; exponent <= 308; ++exponent)
        check_around(json::detail::nearest<double>("1e" + std::to_string(exponent)));
    support::random_source random(36);
    for (int i = 0; i != 20'000; ++i) check_around(std::bit_cast<double>(random() >> 1u));
}

#endif

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
