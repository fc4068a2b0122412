#include "tools/catch.hpp"

#include <socketless/core/detail/shrink.hpp>

#include <cstddef>
#include <vector>

namespace core_shrink_test {

using socketless::core_detail::shrink;

TEST_CASE("a vector that has become much smaller gives memory back", "[core]") {
    std::vector<int> v(10'000, 7);
    v.resize(100);
    shrink(v);
    CHECK(v == std::vector<int>(100, 7));
    CHECK(v.capacity() <= 200);
}

TEST_CASE("a vector that is an eighth full, or small, keeps its memory", "[core]") {
    std::vector<int> v(10'000);
    v.resize(1'250);
    shrink(v);
    CHECK(v.capacity() == 10'000);

    std::vector<int> few(64);
    few.clear();
    shrink(few);
    CHECK(few.capacity() == 64);
}

TEST_CASE("a vector whose size swings by half is left alone after the first time", "[core]") {
    std::vector<int> v(10'000);
    v.resize(200);
    shrink(v);
    std::size_t const settled = v.capacity();
    for (std::size_t const size : {400u, 200u, 400u, 200u}) {
        v.resize(size);
        shrink(v);
        CHECK(v.capacity() == settled);
    }
}

TEST_CASE("a large vector that has become empty gives all of it back", "[core]") {
    std::vector<int> v(10'000);
    v.clear();
    shrink(v);
    CHECK(v.capacity() == 0);
}

} // namespace core_shrink_test
