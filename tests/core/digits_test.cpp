#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/core/detail/digits.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace core_digits_test {

using namespace socketless::core_detail;

namespace {

constexpr bool reads(std::string_view s, std::uint64_t value, std::size_t size) {
    auto const read = read_digits(s);
    return read.value == value && read.size == size;
}

template <class T>
std::string decimal(T value) {
    return std::string(decimal_text(value).view());
}

constexpr bool writes(auto value, std::string_view expected) {
    char room[longest_integer]{};
    return std::string_view(room, static_cast<std::size_t>(write_decimal(value, room) - room)) == expected;
}

// What all ways of writing an integer write, the number of digits foremost.
bool writes_as_to_string(std::uint64_t value) {
    std::string const expected = std::to_string(value);
    auto const is_expected = [&](auto write) {
        char room[longest_integer]{};
        return std::string(room, write(value, room)) == expected;
    };
    return decimal(value) == expected && is_expected(write_eight_at_a_time) && is_expected(write_digit_by_digit);
}

template <class T>
bool all_are_as_to_string() {
    for (int i = std::numeric_limits<T>::min(); i <= std::numeric_limits<T>::max(); ++i)
        if (decimal(static_cast<T>(i)) != std::to_string(i)) return false;
    return true;
}

} // namespace

static_assert(reads("", 0, 0));
static_assert(reads("x1", 0, 0));
static_assert(reads("-1", 0, 0));
static_assert(reads("+1", 0, 0));
static_assert(reads(" 1", 0, 0));
static_assert(reads("0", 0, 1));
static_assert(reads("007", 7, 3));
static_assert(reads("12-3", 12, 2));
static_assert(reads("12/:3", 12, 2)); // the neighbours of the digits in ASCII
static_assert(reads("9007199254740991[", max_safe_integer, 16));
static_assert(max_safe_integer == 9007199254740991);

static_assert(decimal_text(0).view() == "0");
static_assert(decimal_text(-1).view() == "-1");
static_assert(decimal_text(std::numeric_limits<std::int64_t>::min()).view() == "-9223372036854775808");
static_assert(decimal_text(std::numeric_limits<std::int64_t>::max()).view() == "9223372036854775807");
static_assert(decimal_text(std::numeric_limits<std::uint64_t>::max()).view() == "18446744073709551615");

static_assert(writes(0, "0") && writes(-1, "-1") && writes(9, "9") && writes(10, "10") && writes(99u, "99"));
static_assert(writes(100, "100") && writes(-12345, "-12345") && writes(4294967295u, "4294967295"));
static_assert(writes(std::uint64_t{4294967296}, "4294967296"));
static_assert(writes(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808"));
static_assert(writes(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615"));

TEST_CASE("a run of digits is read up to sixteen and no further", "[digits]") {
    for (std::size_t size = 0; size <= 40; ++size) {
        std::string const nines(size, '9');
        auto const read = read_digits(nines + "x");
        if (size <= max_digits) {
            CHECK(read.size == size);
            CHECK(read.value == (size == 0 ? 0 : std::stoull(nines)));
        } else {
            CHECK(read.size == max_digits + 1);
            CHECK(read.value == 0);
        }
    }
    CHECK(read_digits(std::string(1'000'000, '1')).size == max_digits + 1);
}

TEST_CASE("leading zeros count as digits that are read", "[digits]") {
    CHECK(reads("0000000000000001", 1, 16));
    CHECK(reads("00000000000000001", 0, 17));
}

TEST_CASE("integers of every width are written with all their digits", "[digits]") {
    CHECK(all_are_as_to_string<std::int8_t>());
    CHECK(all_are_as_to_string<std::uint8_t>());
    CHECK(all_are_as_to_string<std::int16_t>());
    CHECK(all_are_as_to_string<std::uint16_t>());
    CHECK(decimal(std::numeric_limits<std::int32_t>::min()) == "-2147483648");
    CHECK(decimal(std::numeric_limits<std::uint32_t>::max()) == "4294967295");
    for (std::uint64_t power = 1; power != 10'000'000'000'000'000'000u; power *= 10) {
        CHECK(decimal(power) == std::to_string(power));
        CHECK(decimal(power - 1) == std::to_string(power - 1));
        auto const negative = -static_cast<std::int64_t>(power);
        CHECK(decimal(negative) == std::to_string(negative));
    }
}

TEST_CASE("integers are written with all their digits in either way, and nothing behind them", "[digits]") {
    for (std::uint64_t i = 0; i != 20'000; ++i)
        if (!writes_as_to_string(i)) FAIL_CHECK(i);
    for (std::uint64_t power = 1; power != 10'000'000'000'000'000'000u; power *= 10)
        for (std::uint64_t const value : {power - 1, power, power + 1, power * 9, power * 10 - 1})
            if (!writes_as_to_string(value)) FAIL_CHECK(value);
    support::random_source random(50);
    for (int i = 0; i != 20'000; ++i) {
        std::uint64_t const value = random() >> random.below(64);
        if (!writes_as_to_string(value)) FAIL_CHECK(value);
        // Powers of two, and their neighbours: where the number of digits is estimated.
        std::uint64_t const power = std::uint64_t{1} << random.below(64);
        if (!writes_as_to_string(power) || !writes_as_to_string(power - 1)) FAIL_CHECK(power);
    }
}

} // namespace core_digits_test
