#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/json/detail/decimal.hpp>
#include <socketless/json/detail/nearest_quickly.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>
#include <version>

namespace json_decimal_test {

using namespace socketless::json::detail;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Unlike ==, tells -0 from 0.
constexpr bool same(double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// Both ways, the exact one and the quick one.
constexpr bool reads(std::string_view number, double expected) {
    return same(nearest<double>(number), expected) && same(nearest_of<double>(number), expected);
}

constexpr bool reads_float(std::string_view number, float expected) {
    return same(nearest<float>(number), expected) && same(nearest_of<float>(number), expected);
}

// The decimal digits of significand * 2^exponent, all of them, as a JSON number. Schoolbook arithmetic.
std::string exact_decimal(std::uint64_t significand, int exponent) {
    std::vector<int> digits; // the last one first
    for (; significand != 0; significand /= 10) digits.push_back(static_cast<int>(significand % 10));
    auto const multiply = [&](int factor) {
        int carry = 0;
        for (int& digit : digits) {
            carry += digit * factor;
            digit = carry % 10;
            carry /= 10;
        }
        for (; carry != 0; carry /= 10) digits.push_back(carry % 10);
    };
    for (int i = 0; i < exponent; ++i) multiply(2);
    for (int i = 0; i > exponent; --i) multiply(5); // and divide by ten
    std::string number;
    for (std::size_t i = digits.size(); i-- != 0;) number += static_cast<char>('0' + digits[i]);
    if (number.empty()) number = "0";
    return exponent < 0 ? number + 'e' + std::to_string(exponent) : number;
}

// `number` with more digits behind its last one, at the same power of ten.
std::string with_more_digits(std::string_view number, std::string_view more) {
    std::size_t const size = std::min(number.find('e'), number.size());
    return std::string(number.substr(0, size)) + '.' + std::string(more) + std::string(number.substr(size));
}

// `number` less a little: its last digit one less, and nines behind it. Precondition: that digit is odd.
std::string just_below(std::string_view number) {
    std::size_t const last = std::min(number.find('e'), number.size()) - 1;
    std::string less(number);
    less[last] = static_cast<char>(less[last] - 1);
    return with_more_digits(less, "999999999");
}

struct floating_parts {
    std::uint64_t significand;
    int exponent;
};

floating_parts parts_of(double value) {
    auto const bits = std::bit_cast<std::uint64_t>(value);
    std::uint64_t const fraction = bits & ((std::uint64_t{1} << 52u) - 1);
    auto const biased = static_cast<int>(bits >> 52u & 0x7ffu);
    return biased == 0 ? floating_parts{fraction, -1074}
                       : floating_parts{fraction | std::uint64_t{1} << 52u, biased - 1075};
}

double next_above(double value) {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) + 1);
}

struct named_double {
    std::string_view number;
    double value;
};

constexpr named_double cases[] = {
    {"0", 0.0},
    {"-0", -0.0},
    {"0.0", 0.0},
    {"-0.0e-0", -0.0},
    {"0e999999999999", 0.0},
    {"-0e-5", -0.0},
    {"1", 1.0},
    {"-1", -1.0},
    {"0.1", 0.1},
    {"1e0", 1.0},
    {"1E+2", 100.0},
    {"12.5e-1", 1.25},
    {"123456789012345678901234567890", 123456789012345678901234567890.0},
    {"3.141592653589793238462643383279", 3.141592653589793},
    {"0.000001", 1e-6},
    {"1e22", 1e22},
    {"1e23", 1e23},
    {"8.98846567431158e307", 0x1p1023},

    // between the integers beyond 2^53
    {"9007199254740991", 9007199254740991.0},
    {"9007199254740992", 9007199254740992.0},
    {"9007199254740993", 9007199254740992.0}, // a tie: to even
    {"9007199254740993.0000000000000000000000000000000000000001", 9007199254740994.0},
    {"9007199254740994", 9007199254740994.0},
    {"9007199254740995", 9007199254740996.0}, // a tie: to even
    {"9007199254740994.9999999999999999999999999999999999999999", 9007199254740994.0},

    // between 1 and the next: a tie to even, just below, just above
    {"1.00000000000000011102230246251565404236316680908203125", 1.0},
    {"1.00000000000000011102230246251565404236316680908203124", 1.0},
    {"1.00000000000000011102230246251565404236316680908203126", 0x1.0000000000001p0},

    // up to the next power of two
    {"0.49999999999999999999999999", 0.5},
    {"0.99999999999999999999999999", 1.0},
    {"1.99999999999999999999999999", 2.0},
    {"3.99999999999999999999999999", 4.0},

    // the largest, and the tie above it
    {"1.7976931348623157e308", 0x1.fffffffffffffp1023},
    {"1.7976931348623158e308", 0x1.fffffffffffffp1023},
    {"1.7976931348623159e308", infinity},
    {"-1.7976931348623159e308", -infinity},
    {"1e309", infinity},
    {"1e310", infinity},
    {"1e311", infinity},
    {"1e400", infinity},
    {"-1e400", -infinity},
    {"1e99999999999999999999999", infinity},

    // the smallest normal number and the largest subnormal one: these two hung PHP and Java
    {"2.2250738585072014e-308", 0x1p-1022},
    {"2.2250738585072012e-308", 0x1p-1022},
    {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},

    // the smallest of all, and the tie between it and zero
    {"5e-324", 0x1p-1074},
    {"4.9406564584124654e-324", 0x1p-1074},
    {"2.4703282292062328e-324", 0x1p-1074},
    {"2.4703282292062327e-324", 0.0},
    {"-2.4703282292062327e-324", -0.0},
    {"7.4109846876186981e-324", 0x1p-1074}, // 1.5 times the smallest, less a little
    {"7.4109846876186982e-324", 0x1p-1073},
    {"1e-324", 0.0},
    {"1e-330", 0.0},
    {"1e-331", 0.0},
    {"1e-400", 0.0},
    {"-1e-99999999999999999999999", -0.0},
};

} // namespace

static_assert(reads("0", 0.0) && reads("-0", -0.0));
static_assert(reads("1.5", 1.5) && reads("-12.5e-1", -1.25) && reads("0.1", 0.1));
static_assert(reads("9007199254740993", 9007199254740992.0));
static_assert(reads("1e400", infinity) && reads("1e-400", 0.0));
static_assert(reads_float("0.1", 0.1f));
static_assert(reads("12345678901234567890123e-5", 123456789012345678.90123));

TEST_CASE("a number is read as the nearest double, ties to even", "[decimal]") {
    for (auto const& [number, value] : cases) {
        CAPTURE(number);
        CHECK(reads(number, value));
    }
}

TEST_CASE("zeros at either end and the place of the point change nothing", "[decimal]") {
    for (std::size_t zeros : {0u, 1u, 10u, 400u, 1000u}) {
        std::string const z(zeros, '0');
        std::string const n = std::to_string(zeros);
        CAPTURE(zeros);
        CHECK(reads("1" + z + "e-" + n, 1.0));
        CHECK(reads("0." + z + "1e" + std::to_string(zeros + 1), 1.0));
        CHECK(reads("1." + z + "0", 1.0));
        CHECK(reads("1" + z + "." + z + "0e-" + n, 1.0));
        CHECK(reads("0." + z + "25e" + n, 0.25));
    }
}

TEST_CASE("every one of eight hundred digits counts", "[decimal]") {
    // The tie between 1 and the next, then zeros up to the last digit.
    std::string const tie = "1.00000000000000011102230246251565404236316680908203125";
    for (std::size_t const size : {700u, 768u, 769u, 770u, 771u, 772u, 800u, 5000u}) {
        CAPTURE(size);
        std::string digits = tie + std::string(size - tie.size(), '0');
        CHECK(reads(digits, 1.0));
        digits.back() = '1';
        CHECK(reads(digits, 0x1.0000000000001p0));
        CHECK(reads(std::string(size, '9') + "e-" + std::to_string(size), 1.0));
        CHECK(reads("0." + std::string(size, '3'), 1.0 / 3));
    }
}

TEST_CASE("half-way between two doubles the even one is nearest, and a little off decides", "[decimal]") {
    support::random_source random(20);
    for (int i = 0; i != 60; ++i) {
        // Any exponent, also subnormal ones, but never the largest finite double.
        std::uint64_t const biased = i < 10 ? 0 : random.below(0x7fe);
        auto const lower = std::bit_cast<double>(biased << 52u | random() >> 12u);
        double const upper = next_above(lower);
        double const even = (std::bit_cast<std::uint64_t>(lower) & 1u) == 0 ? lower : upper;
        auto const [significand, exponent] = parts_of(lower);
        std::string const tie = exact_decimal(2 * significand + 1, exponent - 1);
        CAPTURE(lower);
        CHECK(reads(exact_decimal(significand, exponent), lower));
        CHECK(reads(tie, even));
        CHECK(reads('-' + tie, -even));
        CHECK(reads(with_more_digits(tie, "000"), even));
        CHECK(reads(with_more_digits(tie, "000000001"), upper));
        CHECK(reads(with_more_digits(tie, std::string(800, '0') + "1"), upper));
        if (exponent <= 0) CHECK(reads(just_below(tie), lower)); // the last digit of the tie is odd
    }
}

TEST_CASE("half-way between the largest double and the next power of two is too large", "[decimal]") {
    std::string const tie = exact_decimal((std::uint64_t{1} << 54u) - 1, 970);
    CHECK(reads(tie, infinity));
    CHECK(reads('-' + tie, -infinity));
    std::string below = tie;
    below.back() = static_cast<char>(below.back() - 1);
    CHECK(reads(below, std::numeric_limits<double>::max()));
}

TEST_CASE("half-way between zero and the smallest double is zero", "[decimal]") {
    std::string const tie = exact_decimal(1, -1075);
    CHECK(reads(tie, 0.0));
    CHECK(reads(with_more_digits(tie, "1"), 0x1p-1074));
    CHECK(reads(just_below(tie), 0.0));
}

TEST_CASE("a number is read as the nearest float, without being rounded to a double first", "[decimal]") {
    CHECK(reads_float("16777217", 16777216.0f)); // a tie: to even
    CHECK(reads_float("16777219", 16777220.0f));
    // Just above the tie between 1 and the next float: the nearest double is the tie itself.
    CHECK(reads_float("1.000000059604644775390625", 1.0f));
    CHECK(reads_float("1.00000005960464477539062500000001", 0x1.000002p0f));
    CHECK(reads_float("3.4028235e38", std::numeric_limits<float>::max()));
    CHECK(reads_float("3.4028236e38", std::numeric_limits<float>::infinity()));
    CHECK(reads_float("1e300", std::numeric_limits<float>::infinity()));
    CHECK(reads_float("1.17549435e-38", std::numeric_limits<float>::min()));
    CHECK(reads_float("1e-45", std::numeric_limits<float>::denorm_min()));
    CHECK(reads_float("7e-46", 0.0f));
    CHECK(reads_float("-1e-300", -0.0f));
}

TEST_CASE("subnormal floats have fewer bits, down to none", "[decimal]") {
    CHECK(reads_float("1.1754942e-38", 0x1.fffffcp-127f));
    CHECK(reads_float("1.17549432e-38", 0x1p-126f)); // half-way up to the smallest normal one, and a little more
    CHECK(reads_float("1.4e-45", 0x1p-149f));
    CHECK(reads_float("2.1019476964872256e-45", 0x1p-149f)); // 1.5 times the smallest, less a little
    CHECK(reads_float("2.1019476964872257e-45", 0x1p-148f));
    CHECK(reads_float("7.006492321624085e-46", 0.0f)); // half of the smallest, less a little
    CHECK(reads_float("7.006492321624086e-46", 0x1p-149f));
}

TEST_CASE("numbers that one product with a power of ten does not decide are read exactly", "[decimal]") {
    // A tie that is no integer: its power of ten is rounded, so that the product is not on it.
    CHECK(nearest_quickly<double>(90071992547409930, -1) == quick_answer{0, false});
    CHECK(reads("9007199254740993.0", 9007199254740992.0));
    CHECK(reads("900719925474099.25", 900719925474099.25));
    CHECK(reads("4503599627370497.5", 4503599627370498.0)); // a tie: to even
    CHECK(reads("4503599627370498.5", 4503599627370498.0));
    CHECK(reads("4503599627370498.500000000000000000000000001", 4503599627370499.0));
    // With an exact power the product is exact.
    CHECK(nearest_quickly<double>(9007199254740993, 0).decided);
    CHECK(reads("9007199254740993e22", 9007199254740993e22));
    // Known to be hard: the compiler reads them too.
#define SOCKETLESS_READS(number) CHECK(reads(#number, number))
    SOCKETLESS_READS(8.589973428413488e-7);
    SOCKETLESS_READS(1.2345678901234567e-308);
    SOCKETLESS_READS(6.631236846766476e-316);
    SOCKETLESS_READS(7.3177701707893310e+15);
    SOCKETLESS_READS(1090544144181609348835077142190.0);
    SOCKETLESS_READS(30078505129381147446200.0);
    SOCKETLESS_READS(1777820000000000000001.0);
    SOCKETLESS_READS(0.500000000000000166533453693773481063544750213623046875);
    SOCKETLESS_READS(3.50873824614461524e-310);
    SOCKETLESS_READS(2.2250738585072013e-308);
    SOCKETLESS_READS(9355950000000000000.00000000000000000000000000000000001844674407370955161600000184467440737095);
    SOCKETLESS_READS(4.8e-321);
    SOCKETLESS_READS(5e-20);
    SOCKETLESS_READS(1.7976931348623157081452742373170435679807056752584499659891747680315726078002853876e308);
#undef SOCKETLESS_READS
}

TEST_CASE("digits after the nineteenth count where they decide", "[decimal]") {
    CHECK(reads("1234567890123456789", 1234567890123456768.0));
    CHECK(reads("12345678901234567890", 12345678901234567168.0));
    CHECK(reads("9223372036854776832", 9223372036854775808.0)); // a tie: to even
    CHECK(reads("9223372036854776832.0", 9223372036854775808.0));
    CHECK(reads("9223372036854776832.1", 9223372036854777856.0));
    CHECK(reads("92233720368547768320e-1", 9223372036854775808.0));
    CHECK(reads("92233720368547768321e-1", 9223372036854777856.0));
    CHECK(reads("9999999999999999999", 1e19));
    CHECK(reads("99999999999999999999", 1e20));
    CHECK(reads("0.00000000000000000000000000000123", 1.23e-30));
    CHECK(reads("18446744073709551616", 0x1p64)); // the digits run over 64 bits
    CHECK(reads("18446744073709551617", 0x1p64));
    CHECK(reads("36893488147419103232e0", 0x1p65));
}

TEST_CASE("any run of digits is read alike, eight at a time or one by one", "[decimal]") {
    support::random_source random(23);
    for (std::size_t size = 1; size <= 40; ++size) {
        for (std::size_t point = 0; point <= size; ++point) {
            std::string number = random.text(size, "123456789");
            if (point != 0 && point != size) number.insert(point, 1, '.');
            for (std::string_view const exponent : {"", "e-7", "E+12"}) {
                std::string const text = number + std::string(exponent);
                if (!same(nearest_of<double>(text), nearest<double>(text))) FAIL_CHECK(text);
            }
        }
    }
}

#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L

namespace {

// from_chars may give any value if the nearest is infinite or zero.
template <class Float>
bool agrees_with_from_chars(std::string_view number) {
    Float expected = 0;
    auto const read = std::from_chars(number.data(), number.data() + number.size(), expected);
    Float const value = nearest_of<Float>(number);
    if (value != nearest<Float>(number)) return false;
    if (read.ec == std::errc::result_out_of_range)
        return std::isinf(value) || value < std::numeric_limits<Float>::min();
    return value == expected && std::signbit(value) == std::signbit(expected);
}

std::string random_number(support::random_source& random) {
    constexpr std::string_view digits = "0123456789";
    std::string number = random.one_in(2) ? "-" : "";
    number += random.pick(digits.substr(1));
    number += random.text(random.below(12), digits);
    if (random.one_in(2)) number += '.' + random.text(1 + random.below(12), digits);
    if (random.one_in(3)) number += 'e' + std::to_string(random.between(-40, 40));
    if (random.one_in(50)) number = random.text(3, digits.substr(1)) + 'e' + std::to_string(random.between(-345, 310));
    return number;
}

} // namespace

TEST_CASE("the shortest digits of random doubles are read back as std::from_chars reads them", "[decimal]") {
    support::random_source random(21);
    for (int i = 0; i != 50'000; ++i) {
        auto const value = std::bit_cast<double>(random());
        if (!std::isfinite(value)) continue;
        char digits[40];
        auto const written = std::to_chars(digits, std::end(digits), value, std::chars_format::scientific);
        std::string_view const number(digits, written.ptr);
        if (!reads(number, value) || !agrees_with_from_chars<double>(number)) FAIL_CHECK(number);
    }
}

TEST_CASE("random numbers are read as std::from_chars reads them", "[decimal]") {
    support::random_source random(22);
    for (int i = 0; i != 80'000; ++i) {
        std::string const number = random_number(random);
        if (!agrees_with_from_chars<double>(number)) FAIL_CHECK(number);
        if (i % 8 == 0 && !agrees_with_from_chars<float>(number)) FAIL_CHECK("as a float: " << number);
    }
}

#endif

} // namespace json_decimal_test
