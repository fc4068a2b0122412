#include "tools/catch.hpp"

#include <socketless/core/detail/id_map.hpp>
#include <socketless/core/detail/index_table.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>

namespace core_id_map_test {

namespace core_detail = socketless::core_detail;

TEST_CASE("an id map finds what a std::map finds, whatever comes and goes", "[core]") {
    core_detail::id_map ids;
    std::map<std::uint64_t, std::uint32_t> expected;
    std::mt19937_64 random(1);
    for (int step = 0; step != 20'000; ++step) {
        // Few ids, so that they meet; some far apart, some neighbours. Now and then the map runs nearly empty.
        std::uint64_t const id = random() % 2 == 0 ? random() % 300 : (random() % 300) << 50u;
        auto const number = static_cast<std::uint32_t>(step);
        bool const mostly_erases = step / 2'000 % 2 != 0;
        if (random() % 4 == 0 || (mostly_erases && random() % 4 != 0)) {
            ids.erase(id);
            expected.erase(id);
        } else {
            bool const is_new = expected.emplace(id, number).second;
            CHECK(ids.emplace(id, number) == is_new);
        }
        auto const found = expected.find(id);
        auto const* const number_found = ids.find(id);
        REQUIRE((number_found != nullptr) == (found != expected.end()));
        if (number_found != nullptr) CHECK(*number_found == found->second);
        REQUIRE(ids.size() == expected.size());
    }
    for (auto const& [id, number] : expected) {
        REQUIRE(ids.find(id) != nullptr);
        CHECK(*ids.find(id) == number);
    }
}

TEST_CASE("an index table tells indices with the same hash apart, and replaces one by another", "[core]") {
    core_detail::index_table table;
    std::array<std::uint64_t, 4> const hashes{5, 5, 5, 9};
    auto const hash_of = [&](std::uint32_t i) { return hashes[i]; };
    auto const find = [&](std::uint32_t wanted) {
        return table.find(hashes[wanted], [=](std::uint32_t i) { return i == wanted; });
    };
    CHECK(find(0) == core_detail::index_table::none);
    for (std::uint32_t i = 0; i != 3; ++i) {
        table.reserve(hash_of);
        table.insert(i, hashes[i]);
    }
    CHECK(find(2) == 2);
    table.erase(0, hash_of);
    CHECK(find(0) == core_detail::index_table::none);
    CHECK(find(1) == 1);
    CHECK(find(2) == 2);
    table.replace(1, 0, hashes[1]);
    CHECK(find(0) == 0);
    CHECK(find(1) == core_detail::index_table::none);
    CHECK(find(3) == core_detail::index_table::none);
    CHECK(table.size() == 2);
}

} // namespace core_id_map_test
