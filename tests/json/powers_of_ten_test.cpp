#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/json/detail/powers_of_ten.hpp>
#include <socketless/json/detail/wide.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace json_powers_of_ten_test {

using namespace socketless::json::detail;

namespace {

constexpr bool equal(wide a, wide b) {
    return a.high == b.high && a.low == b.low;
}

// An integer of any size, by schoolbook arithmetic.
class natural {
public:
    explicit natural(wide n) {
        for (std::uint64_t const half : {n.low, n.high})
            for (unsigned const shift : {0u, 32u}) words_.push_back(static_cast<std::uint32_t>(half >> shift));
        trim();
    }

    natural& multiply(std::uint32_t factor) {
        std::uint64_t carry = 0;
        for (std::uint32_t& w : words_) {
            carry += std::uint64_t{w} * factor;
            w = static_cast<std::uint32_t>(carry);
            carry >>= 32u;
        }
        if (carry != 0) words_.push_back(static_cast<std::uint32_t>(carry));
        return *this;
    }

    natural& multiply_power(std::uint32_t base, int exponent) {
        for (int i = 0; i < exponent; ++i) multiply(base);
        return *this;
    }

    friend bool operator<(natural const& a, natural const& b) {
        if (a.words_.size() != b.words_.size()) return a.words_.size() < b.words_.size();
        for (std::size_t i = a.words_.size(); i-- != 0;)
            if (a.words_[i] != b.words_[i]) return a.words_[i] < b.words_[i];
        return false;
    }

private:
    void trim() {
        while (!words_.empty() && words_.back() == 0) words_.pop_back();
    }

    std::vector<std::uint32_t> words_; // the lowest first
};

// Whether `power` is the least integer p with p * 2^binary >= 10^exponent.
bool is_rounded_up(wide power, int binary, int exponent) {
    auto const scaled = [&](wide p) { return natural(p).multiply_power(2, binary).multiply_power(10, -exponent); };
    natural const exact = natural({0, 1}).multiply_power(10, exponent).multiply_power(2, -binary);
    wide const less{power.high - (power.low == 0 ? 1 : 0), power.low - 1};
    return scaled(less) < exact && !(scaled(power) < exact);
}

} // namespace

static_assert(equal(power_of_ten(0), {std::uint64_t{1} << 63u, 0}));
static_assert(equal(power_of_ten(1), {std::uint64_t{10} << 60u, 0}));
static_assert(equal(multiply(0xffffffffffffffff, 0xffffffffffffffff), {0xfffffffffffffffe, 1}));
static_assert(equal(multiply_halves(0xffffffffffffffff, 0xffffffffffffffff), {0xfffffffffffffffe, 1}));

TEST_CASE("each power of ten has 128 bits, rounded up", "[powers_of_ten]") {
    STATIC_REQUIRE(std::size(power_table) == greatest_power - least_power + 1);
    for (int exponent = least_power; exponent <= greatest_power; ++exponent) {
        CAPTURE(exponent);
        wide const power = power_table[exponent - least_power];
        CHECK(power.high >> 63u == 1);
        CHECK(is_rounded_up(power, log2_of_power(exponent) - 127, exponent));
    }
}

TEST_CASE("the powers from 10^0 to 10^55 are exact, and no others", "[powers_of_ten]") {
    for (int exponent = least_power; exponent <= greatest_power; ++exponent) {
        // 10^55 is the last that has no more than 128 significant bits: 5^55 < 2^128 < 5^56.
        bool const fits =
            exponent >= 0 && natural({0, 1}).multiply_power(5, exponent) < natural({0, 2}).multiply_power(2, 127);
        if (is_exact_power(exponent) != fits) FAIL_CHECK(exponent);
    }
}

TEST_CASE("the small tables give the same powers as the large one", "[powers_of_ten]") {
    STATIC_REQUIRE(sizeof power_steps + sizeof powers_of_five + sizeof power_corrections < 1024);
    for (int exponent = least_power; exponent <= greatest_power; ++exponent)
        if (!equal(power_from_steps(exponent), power_table[exponent - least_power])) FAIL_CHECK(exponent);
}

TEST_CASE("a product has the same 128 bits whatever the machine multiplies", "[powers_of_ten]") {
    support::random_source random(40);
    for (int i = 0; i != 10'000; ++i) {
        std::uint64_t const a = random() >> random.below(64);
        std::uint64_t const b = random() >> random.below(64);
        wide const product = multiply(a, b);
        CAPTURE(a, b);
        if (!equal(multiply_halves(a, b), product)) FAIL_CHECK("halves");
        if (product.low != a * b) FAIL_CHECK("low");
        // The remainder by 2^32 - 1, in which 2^32 counts as 1: the sum of the words of 32 bits.
        constexpr std::uint64_t m = 0xffffffff;
        auto const rest = [](std::uint64_t n) { return (n >> 32u) + (n & m); };
        if ((rest(product.high) + rest(product.low)) % m != rest(a) % m * (rest(b) % m) % m) FAIL_CHECK("high");
    }
}

} // namespace json_powers_of_ten_test
