#include "tools/catch.hpp"

#include <socketless/admission.hpp>
#include <socketless/core/callback.hpp>
#include <socketless/core/random.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace core_callback_test {
namespace {

using namespace socketless;

int doubled(int n) {
    return 2 * n;
}

struct member {
    int get(int n) const { return n; }
};

// Adds to what another one does.
template <class Inner>
struct decorated {
    explicit decorated(Inner i) : inner(std::move(i)) {}
    template <class... Args>
    auto operator()(Args&&... args) const {
        return inner(std::forward<Args>(args)...);
    }
    Inner inner;
};

struct yes_or_one {
    explicit operator bool() const { return false; }
    operator int() const { return 1; } // NOLINT(google-explicit-constructor)
};

using number_callback = callback<int(int)>;

static_assert(std::is_constructible_v<number_callback, int (*)(int)>);
static_assert(!std::is_constructible_v<number_callback, int (*)(std::string)>);
static_assert(!std::is_constructible_v<number_callback, int>);
static_assert(!std::is_constructible_v<callback<int(member const&, int)>, int (member::*)(int) const>);
static_assert(std::is_constructible_v<namespace_predicate, decorated<namespace_predicate>>);
static_assert(std::is_constructible_v<random_source, decorated<random_source>>);
static_assert(std::is_nothrow_move_constructible_v<number_callback>);
static_assert(std::is_nothrow_move_assignable_v<number_callback>);

TEST_CASE("a callback calls what it holds", "[callback]") {
    std::string const text = "abc";
    number_callback const f = [text](int n) { return n + static_cast<int>(text.size()); };
    CHECK(f(1) == 4);
    CHECK(number_callback(doubled)(4) == 8);
    CHECK(number_callback(std::function<int(int)>(doubled))(5) == 10);
    CHECK(callback<long(short)>(doubled)(6) == 12);
    CHECK(number_callback(decorated<number_callback>(doubled))(7) == 14);
    CHECK(callback<bool()>([] { return yes_or_one(); })()); // converted as by an implicit conversion
}

TEST_CASE("a callback holds nothing by default, of a null pointer and of an empty std::function", "[callback]") {
    int (*const null)(int) = nullptr;
    for (number_callback const& f :
         {number_callback(), number_callback(nullptr), number_callback(null),
          number_callback(std::function<int(int)>()), number_callback(callback<short(int)>())}) {
        CHECK(!f);
        CHECK(f == nullptr);
        CHECK(!number_callback(f)); // NOLINT(performance-unnecessary-copy-initialization)
    }
}

TEST_CASE("the copy of a callback has an object of its own", "[callback]") {
    number_callback count = [n = 0](int step) mutable { return n += step; };
    CHECK(count(1) == 1);
    number_callback copy = count;
    CHECK(count(1) == 2);
    CHECK(copy(5) == 6);
    copy = count;
    CHECK(copy(1) == 3);
    CHECK(count(1) == 3);
}

TEST_CASE("a moved callback takes the object over", "[callback]") {
    auto const owned = std::make_shared<int>(7);
    number_callback f = [owned](int n) { return n + *owned; };
    CHECK(owned.use_count() == 2);
    number_callback g = std::move(f);
    CHECK(owned.use_count() == 2);
    CHECK(g(1) == 8);
    CHECK(!f); // NOLINT(bugprone-use-after-move): it says so
    f = g;
    CHECK(owned.use_count() == 3);
    auto const& same = f;
    f = same;
    CHECK(f(2) == 9);
    f = nullptr;
    g = std::move(f);
    CHECK(!g);
    CHECK(owned.use_count() == 1);
}

TEST_CASE("a callback passes arguments on, and results", "[callback]") {
    callback<std::unique_ptr<int>(std::unique_ptr<int>, int&)> const f = [](std::unique_ptr<int> p, int& n) {
        n = *p;
        return p;
    };
    int n = 0;
    CHECK(*f(std::make_unique<int>(3), n) == 3);
    CHECK(n == 3);
    callback<void(int)> const ignores = doubled;
    ignores(1);
}

} // namespace
} // namespace core_callback_test
