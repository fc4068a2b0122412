#include "tools/catch.hpp"

#include <socketless/core/detail/small_vector.hpp>

#include <cstddef>
#include <memory>

namespace core_small_vector_test {

namespace core_detail = socketless::core_detail;

TEST_CASE("a small vector keeps its elements in order, and one of them within itself", "[core]") {
    core_detail::small_vector<std::unique_ptr<int>> numbers;
    CHECK(numbers.size() == 0);
    CHECK(numbers.begin() == numbers.end());
    auto& first = numbers.emplace_back();
    CHECK(static_cast<void*>(&first) >= static_cast<void*>(&numbers));
    CHECK(static_cast<void*>(&first) < static_cast<void*>(&numbers + 1));
    first = std::make_unique<int>(0);
    for (int i = 1; i != 20; ++i) {
        auto& added = numbers.emplace_back();
        CHECK(added == nullptr);
        added = std::make_unique<int>(i);
    }
    REQUIRE(numbers.size() == 20);
    int expected = 0;
    for (auto const& number : numbers) CHECK(*number == expected++);
    CHECK(expected == 20);
    for (std::size_t i = 0; i != numbers.size(); ++i) CHECK(&numbers[i] == numbers.data() + i);
}

} // namespace core_small_vector_test
