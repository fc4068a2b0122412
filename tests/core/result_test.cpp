#include "tools/catch.hpp"

#include <socketless/core/result.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace core_result_test {

using namespace socketless;

namespace {

constexpr result<int> half_of(int n) {
    if (n % 2 != 0) return error{errc::not_an_integer, 7};
    return n / 2;
}

constexpr result<int> const six = 6;
constexpr result<int> const wrong = error{errc::invalid_json, 3};

struct point {
    int x;
    int y;
};

struct explicit_only {
    constexpr explicit explicit_only(int n) : value(n) {}
    int value;
};

} // namespace

// Its contents, which it gives without an exception.
static_assert(six.has_value() && six && *six == 6 && six.value() == 6);
static_assert(!wrong.has_value() && !wrong);
static_assert(wrong.error() == error{errc::invalid_json, 3});
static_assert(result<int>(errc::wrong_kind).error() == error{errc::wrong_kind, 0});
static_assert(result<int>(errc::wrong_kind, 5).error() == error{errc::wrong_kind, 5});
static_assert(result<point>(point{1, 2})->y == 2);
static_assert(noexcept(six.ignore()) && noexcept(result<void>().ignore()));
static_assert(noexcept(six.value()) && noexcept(*six) && noexcept(six.error()));

static_assert(std::is_same_v<result<int>::value_type, int> && std::is_same_v<result<int>::error_type, error>);
static_assert(std::is_same_v<decltype(*std::declval<result<int>&>()), int&>);
static_assert(std::is_same_v<decltype(*std::declval<result<int> const&>()), int const&>);
static_assert(std::is_same_v<decltype(*std::declval<result<int>>()), int&&>);
static_assert(std::is_same_v<decltype(std::declval<result<int>>().value()), int&&>);

// The implicit conversions are those of the value's own type.
static_assert(std::is_convertible_v<error, result<int>> && std::is_convertible_v<errc, result<int>>);
static_assert(std::is_convertible_v<char const*, result<std::string>>);
static_assert(!std::is_convertible_v<std::string_view, result<std::string>>);
static_assert(std::is_constructible_v<result<std::string>, std::string_view>);
static_assert(!std::is_convertible_v<int, result<explicit_only>>);
static_assert(std::is_constructible_v<result<explicit_only>, int>);
static_assert(!std::is_constructible_v<result<int>, std::string>);
static_assert(!std::is_default_constructible_v<result<int>>);
static_assert(!std::is_convertible_v<result<int>, bool> && std::is_constructible_v<bool, result<int>>);

// Comparison
static_assert(six == result<int>(6) && six != result<int>(7) && six != wrong);
static_assert(wrong == result<int>(errc::invalid_json, 3));
static_assert(wrong == error{errc::invalid_json, 3} && wrong != error{errc::invalid_json, 4});
static_assert(wrong != error{errc::invalid_utf8, 3});

// value_or
static_assert(six.value_or(1) == 6 && wrong.value_or(1) == 1);
static_assert(result<int>(6).value_or('\1') == 6 && result<int>(errc::wrong_kind).value_or('\1') == 1);

// and_then
static_assert(six.and_then(half_of) == 3);
static_assert(six.and_then(half_of).and_then(half_of) == error{errc::not_an_integer, 7});
static_assert(wrong.and_then(half_of) == error{errc::invalid_json, 3});
static_assert(result<point>({4, 5}).and_then([](point p) { return half_of(p.x); }) == 2);

// transform
static_assert(six.transform([](int n) { return n > 5; }) == true);
static_assert(wrong.transform([](int n) { return n > 5; }) == error{errc::invalid_json, 3});
static_assert(result<point>({4, 5}).transform([](point p) { return p.y; }) == 5);
static_assert(result<std::string_view>("abc").transform(&std::string_view::size) == 3U);
constexpr std::string_view library_name = "socketless";
static_assert(result<std::string_view const*>(&library_name).transform(&std::string_view::size) == 10U);
static_assert(wrong.or_else(&error::offset) == 3);

// or_else
static_assert(six.or_else([](error) -> result<int> { return 0; }) == 6);
static_assert(wrong.or_else([](error e) -> result<int> { return static_cast<int>(e.offset); }) == 3);
static_assert(wrong.or_else([](error) -> result<int> { return errc::out_of_range; }) == error{errc::out_of_range});

// Success without a value
static_assert(result<void>().has_value() && result<void>());
static_assert(!result<void>(errc::invalid_json, 2));
static_assert(result<void>(errc::invalid_json, 2).error() == error{errc::invalid_json, 2});
static_assert(result<void>() == result<void>() && result<void>() != result<void>(errc::invalid_json));
static_assert(result<void>(errc::invalid_json, 2) == error{errc::invalid_json, 2});
static_assert(std::is_void_v<decltype(result<void>().value())>);

TEST_CASE("a result holds a value that can only be moved", "[result]") {
    result<std::unique_ptr<int>> held = std::make_unique<int>(5);
    REQUIRE(held);
    CHECK(**held == 5);

    result<std::unique_ptr<int>> moved = std::move(held);
    std::unique_ptr<int> const taken = *std::move(moved);
    REQUIRE(taken);
    CHECK(*taken == 5);

    result<std::unique_ptr<int>> none = errc::invalid_json;
    CHECK(std::move(none).value_or(nullptr) == nullptr);
}

TEST_CASE("a chain moves a value that can only be moved from step to step", "[result]") {
    auto const make = [](int n) { return result<std::unique_ptr<int>>(std::make_unique<int>(n)); };
    auto const increment = [](std::unique_ptr<int> p) {
        ++*p;
        return p;
    };
    auto const checked = [](std::unique_ptr<int> p) -> result<std::unique_ptr<int>> {
        if (*p > 10) return errc::out_of_range;
        return p;
    };
    auto const zero = [](error) -> result<std::unique_ptr<int>> { return std::make_unique<int>(0); };

    auto const small = make(5).transform(increment).and_then(checked).or_else(zero);
    REQUIRE(small);
    CHECK(**small == 6);
    auto const large = make(10).transform(increment).and_then(checked).or_else(zero);
    REQUIRE(large);
    CHECK(**large == 0);
}

TEST_CASE("ignoring a result leaves it as it was", "[result]") {
    auto const step = [](result<void> r) {
        r.ignore();
        return r;
    };
    CHECK(step({}));
    CHECK(step(errc::invalid_json) == error{errc::invalid_json});
    auto const half = half_of(6);
    half.ignore();
    CHECK(half == 3);
    int calls = 0;
    auto const count = [&]() -> result<int> { return ++calls; };
    count().ignore();
    CHECK(calls == 1);
}

TEST_CASE("only the step that applies is called", "[result]") {
    int calls = 0;
    auto const count = [&](auto const&) -> result<int> { return ++calls; };
    six.or_else(count).ignore();
    wrong.and_then(count).ignore();
    CHECK(calls == 0);
    wrong.or_else(count).ignore();
    six.and_then(count).ignore();
    CHECK(calls == 2);
}

TEST_CASE("a result may hold what is itself empty or false", "[result]") {
    result<bool> const no = false;
    REQUIRE(no);
    CHECK_FALSE(*no);

    result<std::optional<int>> const nothing = std::optional<int>();
    REQUIRE(nothing);
    CHECK_FALSE(nothing->has_value());
    CHECK((nothing != result<std::optional<int>>(errc::wrong_kind)));
}

TEST_CASE("the value can be changed in place", "[result]") {
    result<std::string> text = "abc";
    *text += 'd';
    text->push_back('e');
    text.value() += 'f';
    CHECK(text == "abcdef");
    text = errc::invalid_utf8;
    CHECK(text == error{errc::invalid_utf8});
    text = std::string("again");
    CHECK(text == "again");
}

} // namespace core_result_test
