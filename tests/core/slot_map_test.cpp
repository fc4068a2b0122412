#include "tools/catch.hpp"

#include <socketless/core/detail/slot_map.hpp>

#include <cstdint>
#include <set>
#include <string>

namespace core_slot_map_test {

namespace core_detail = socketless::core_detail;

struct thing : core_detail::slot {
    std::string name;
};

struct handle {
    std::uint32_t index;
    std::uint32_t generation;
};

handle make(core_detail::slot_map<thing>& things, std::string const& name) {
    auto const index = things.make();
    things[index].name = name;
    return {index, things[index].generation()};
}

TEST_CASE("a handle of a slot map finds its own thing until that has gone, never another at its index", "[core]") {
    core_detail::slot_map<thing> things;
    auto const first = make(things, "first");
    auto const second = make(things, "second");
    thing const* const before = things.find(first);
    CHECK(before->name == "first");
    CHECK(things.find(second)->name == "second");
    things.free(first.index);
    CHECK(things.find(first) == nullptr);
    CHECK(things.size() == 1);

    auto const third = make(things, "third");
    CHECK(third.index == first.index);
    CHECK(things.find(first) == nullptr);
    CHECK(things.find(third) == before);
    CHECK(before->name == "third");
    CHECK(things.size() == 2);
    CHECK(things.indices() == 2);
}

TEST_CASE("what a slot map makes is empty, whatever was at its index", "[core]") {
    core_detail::slot_map<thing> things;
    things.free(make(things, "gone").index);
    CHECK(things[things.make()].name.empty());
}

TEST_CASE("handles that were not set, or whose index is too large, find nothing in a slot map", "[core]") {
    core_detail::slot_map<thing> things;
    CHECK(things.find(handle{0, 0}) == nullptr);
    auto const only = make(things, "only");
    CHECK(things.find(handle{0, 0}) == nullptr);
    CHECK(things.find(handle{only.index + 1, only.generation}) == nullptr);
    things.free(only.index);
    CHECK(things.find(handle{0, 0}) == nullptr);
    CHECK(things.find(handle{only.index, only.generation + 1}) == nullptr);
}

TEST_CASE("things in a slot map stay where they are while others come and go", "[core]") {
    core_detail::slot_map<thing> things;
    auto const kept = make(things, "kept");
    thing const* const place = things.find(kept);
    for (int i = 0; i != 200; ++i) make(things, "other");
    std::set<std::uint32_t> freed;
    for (std::uint32_t i = 1; i < 200; i += 3) {
        things.free(i);
        freed.insert(i);
    }
    for (std::size_t left = freed.size(); left != 0; --left) CHECK(freed.erase(make(things, "again").index) == 1);
    CHECK(things.size() == 201);
    CHECK(things.find(kept) == place);
    CHECK(place->name == "kept");
}

} // namespace core_slot_map_test
