#include "tools/catch.hpp"

#include <socketless/core/detail/name_map.hpp>
#include <socketless/core/detail/siphash.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace core_name_map_test {

using namespace socketless;
using socketless::core_detail::name_map;
using socketless::core_detail::siphash;

namespace {

constexpr hash_key reference_key{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::uint64_t hash_of_first(std::size_t count) {
    std::string bytes(count, '\0');
    for (std::size_t i = 0; i != count; ++i) bytes[i] = static_cast<char>(i);
    return siphash(reference_key, bytes);
}

std::size_t longest_bucket(name_map<int> const& names) {
    std::size_t longest = 0;
    for (std::size_t i = 0; i != names.bucket_count(); ++i) longest = std::max(longest, names.bucket_size(i));
    return longest;
}

// Names that lie in one bucket of a table with this many buckets, by this hash: an attacker who knows the hash makes
// such names.
template <class Hash>
std::vector<std::string> colliding(Hash hash, std::size_t buckets, std::size_t count) {
    std::vector<std::string> names;
    for (std::size_t i = 0; names.size() != count; ++i)
        if (auto name = "room " + std::to_string(i); hash(name) % buckets == 0) names.push_back(std::move(name));
    return names;
}

constexpr std::size_t many = 2'000;

// The number of buckets of a map that holds `many` names.
std::size_t buckets_of_many() {
    name_map<int> names;
    for (std::size_t i = 0; i != many; ++i) names.try_emplace(std::to_string(i));
    return names.bucket_count();
}

} // namespace

static_assert(siphash(reference_key, "") == 0xabac0158050fc4dc);

TEST_CASE("the hash of names is SipHash-1-3", "[name_map]") {
    CHECK(hash_of_first(0) == 0xabac0158050fc4dc);
    CHECK(hash_of_first(1) == 0xc9f49bf37d57ca93);
    CHECK(hash_of_first(7) == 0xd3927d989bb11140);
    CHECK(hash_of_first(8) == 0x369095118d299a8e);
    CHECK(hash_of_first(15) == 0xd320d86d2a519956);
    CHECK(hash_of_first(63) == 0x9d199062b7bbb3a8);
    std::set<std::uint64_t> seen;
    for (std::size_t i = 0; i != 64; ++i) seen.insert(hash_of_first(i));
    CHECK(seen.size() == 64);
    // At compile time it is read byte by byte, at run time in words.
    constexpr std::string_view text = "abcdefghijklmnopqrstu";
    constexpr auto hashes = [](std::string_view t) {
        std::uint64_t sum = 0;
        for (std::size_t size = 0; size != t.size(); ++size) sum = sum * 3 + siphash(reference_key, t.substr(0, size));
        return sum;
    };
    constexpr auto at_compile_time = hashes(text);
    std::string const unknown(text);
    CHECK(hashes(unknown) == at_compile_time);
}

TEST_CASE("names that collide in std::hash lie in many buckets", "[name_map]") {
    auto const buckets = buckets_of_many();
    name_map<int> names(hash_key{11, 22});
    for (auto const& name : colliding(std::hash<std::string_view>(), buckets, many)) names.try_emplace(name);
    REQUIRE(names.size() == many);
    REQUIRE(names.bucket_count() == buckets);
    CHECK(longest_bucket(names) < 12);
}

TEST_CASE("names that collide under one key do not under another", "[name_map]") {
    auto const buckets = buckets_of_many();
    auto const names = colliding([](std::string_view name) { return siphash(hash_key{}, name); }, buckets, many);
    name_map<int> known;
    name_map<int> secret(hash_key{11, 22});
    for (auto const& name : names) {
        known.try_emplace(name);
        secret.try_emplace(name);
    }
    REQUIRE(known.bucket_count() == buckets);
    CHECK(longest_bucket(known) == many); // the attack
    CHECK(longest_bucket(secret) < 12);
    for (auto const& name : names) CHECK(secret.contains(std::string_view(name)));
}

TEST_CASE("a table that has become empty gives its buckets back and keeps its key", "[name_map]") {
    name_map<int> names(hash_key{11, 22});
    names.try_emplace("a");
    auto const few = names.bucket_count();
    names.shrink();
    CHECK(names.size() == 1);
    for (int i = 0; i != 10'000; ++i) names.try_emplace(std::to_string(i));
    names.clear();
    CHECK(names.bucket_count() > 1'000);
    names.shrink();
    CHECK(names.bucket_count() <= few);
    CHECK(names.hash_function()("name") == siphash(hash_key{11, 22}, "name"));
}

} // namespace core_name_map_test
