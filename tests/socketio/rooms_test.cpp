#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/socketio/rooms.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketio_rooms_test {

using socketless::socketio::rooms;

namespace {

using members = std::vector<rooms::member>;
using names = std::vector<std::string_view>;

members sorted(std::span<rooms::member const> list) {
    members copy(list.begin(), list.end());
    std::sort(copy.begin(), copy.end());
    return copy;
}

names rooms_of(rooms const& r, rooms::member m) {
    names joined;
    r.for_each_room(m, [&](std::string_view name) { joined.push_back(name); });
    return joined;
}

// The members that a broadcast reaches, each as often as it does.
members reached(rooms& r, std::uint32_t nsp, names const& to, names const& except = {},
                members const& except_members = {}) {
    members seen;
    r.for_each(nsp, to, except, except_members, [&](rooms::member m) { seen.push_back(m); });
    return sorted(seen);
}

// Does what rooms does, by looking at each member.
class model {
public:
    void enter(std::uint32_t nsp, rooms::member m) { members_[m].nsp = nsp; }
    void exit(rooms::member m) { members_.erase(m); }

    bool join(rooms::member m, std::string const& room) {
        auto& joined = members_.at(m).rooms;
        if (std::find(joined.begin(), joined.end(), room) != joined.end()) return false;
        joined.push_back(room);
        return true;
    }
    bool leave(rooms::member m, std::string const& room) {
        auto const found = members_.find(m);
        return found != members_.end() && std::erase(found->second.rooms, room) != 0;
    }

    std::optional<std::uint32_t> namespace_of(rooms::member m) const {
        auto const found = members_.find(m);
        return found == members_.end() ? std::nullopt : std::optional(found->second.nsp);
    }
    names rooms_of(rooms::member m) const {
        auto const found = members_.find(m);
        if (found == members_.end()) return {};
        return names(found->second.rooms.begin(), found->second.rooms.end());
    }
    names room_names(std::uint32_t nsp) const {
        names all;
        for (auto const& [m, joined] : members_)
            if (joined.nsp == nsp) all.insert(all.end(), joined.rooms.begin(), joined.rooms.end());
        std::sort(all.begin(), all.end());
        all.erase(std::unique(all.begin(), all.end()), all.end());
        return all;
    }
    members reached(std::uint32_t nsp, names const& to, names const& except, members const& except_members) const {
        members seen;
        for (auto const& [m, joined] : members_) {
            if (joined.nsp != nsp) continue;
            if (!to.empty() && !joined.is_in_one_of(to)) continue;
            if (joined.is_in_one_of(except)) continue;
            if (std::find(except_members.begin(), except_members.end(), m) != except_members.end()) continue;
            seen.push_back(m);
        }
        return seen;
    }

private:
    struct placed {
        std::uint32_t nsp = 0;
        std::vector<std::string> rooms;

        bool is_in_one_of(names const& list) const {
            return std::any_of(rooms.begin(), rooms.end(), [&](std::string const& room) {
                return std::find(list.begin(), list.end(), room) != list.end();
            });
        }
    };

    std::map<rooms::member, placed> members_;
};

} // namespace

TEST_CASE("members join rooms of their namespace and leave them", "[socketio]") {
    rooms r;
    r.enter(0, 5);
    CHECK(r.namespace_of(5) == 0u);
    CHECK_FALSE(r.namespace_of(4).has_value());
    CHECK_FALSE(r.namespace_of(6).has_value());

    CHECK(r.join(5, "news"));
    CHECK_FALSE(r.join(5, "news"));
    CHECK(r.contains(5, "news"));
    CHECK_FALSE(r.contains(5, "sport"));
    CHECK_FALSE(r.contains(77, "news"));

    CHECK(r.leave(5, "news"));
    CHECK_FALSE(r.leave(5, "news"));
    CHECK_FALSE(r.leave(77, "news"));
    CHECK_FALSE(r.contains(5, "news"));
    CHECK(sorted(r.members(0)) == members{5});
}

TEST_CASE("a room of the same name in another namespace is another room", "[socketio]") {
    rooms r;
    r.enter(0, 1);
    r.enter(3, 2);
    r.join(1, "news");
    r.join(2, "news");
    CHECK(sorted(r.members(0, "news")) == members{1});
    CHECK(sorted(r.members(3, "news")) == members{2});
    CHECK(r.members(1).empty());
    CHECK(r.members(1, "news").empty());
    CHECK(r.members(77).empty());
    CHECK(r.members(77, "news").empty());
}

TEST_CASE("a room is there from the first join to the last leave", "[socketio]") {
    rooms r;
    r.enter(0, 1);
    r.enter(0, 2);
    CHECK(r.room_count(0) == 0);
    CHECK(r.room_names(0).empty());
    r.join(1, "news");
    r.join(2, "news");
    r.join(2, ""); // as good a name as any
    CHECK(r.room_count(0) == 2);
    r.leave(2, "");
    r.leave(1, "news");
    CHECK(r.room_names(0) == names{"news"});
    r.exit(2);
    CHECK(r.room_count(0) == 0);
    CHECK(r.members(0, "news").empty());
    CHECK(r.room_count(77) == 0);
    CHECK(r.room_names(77).empty());
}

TEST_CASE("a member that exits is in no room, in no namespace, and may enter another", "[socketio]") {
    rooms r;
    r.exit(1); // harmless
    r.enter(0, 1);
    r.exit(7); // harmless
    r.join(1, "a");
    r.join(1, "b");
    r.exit(1);
    r.exit(1);
    CHECK_FALSE(r.namespace_of(1).has_value());
    CHECK_FALSE(r.contains(1, "a"));
    CHECK(rooms_of(r, 1).empty());
    CHECK(r.members(0).empty());

    r.enter(2, 1);
    CHECK(rooms_of(r, 1).empty());
    r.join(1, "a");
    CHECK(sorted(r.members(2, "a")) == members{1});
}

TEST_CASE("the rooms of a member are told in the order in which it joined them", "[socketio]") {
    rooms r;
    CHECK(rooms_of(r, 1).empty());
    r.enter(0, 1);
    CHECK(rooms_of(r, 1).empty());
    for (std::string_view const name : {"d", "a", "c", "b"}) r.join(1, name);
    r.leave(1, "d");
    r.join(1, "d");
    r.leave(1, "c");
    CHECK(rooms_of(r, 1) == names{"a", "b", "d"});
}

TEST_CASE("a broadcast reaches the union of its rooms once, less those who are excluded", "[socketio]") {
    rooms r;
    for (rooms::member m = 0; m != 6; ++m) r.enter(0, m);
    r.enter(1, 6);
    for (rooms::member const m : {0u, 1u, 2u}) r.join(m, "a");
    for (rooms::member const m : {2u, 3u}) r.join(m, "b");
    r.join(6, "a");

    CHECK(reached(r, 0, {}) == members{0, 1, 2, 3, 4, 5});
    CHECK(reached(r, 0, {"a"}) == members{0, 1, 2});
    CHECK(reached(r, 0, {"a", "b"}) == members{0, 1, 2, 3});
    CHECK(reached(r, 0, {"a", "a", "b", "none"}) == members{0, 1, 2, 3});
    CHECK(reached(r, 0, {"none"}).empty()); // not everybody
    CHECK(reached(r, 0, {}, {"a"}) == members{3, 4, 5});
    CHECK(reached(r, 0, {"a"}, {"b", "none"}) == members{0, 1});
    CHECK(reached(r, 0, {"a"}, {"a"}).empty());
    CHECK(reached(r, 0, {}, {}, {0, 5, 77}) == members{1, 2, 3, 4});
    CHECK(reached(r, 0, {}, {}, {0, 1, 2, 3, 4, 77}) == members{5});
    CHECK(reached(r, 0, {"a", "b"}, {"b"}, {0}) == members{1});
    CHECK(reached(r, 1, {}) == members{6});
    CHECK(reached(r, 77, {}).empty());

    std::size_t count = 0;
    r.for_each(0, {}, {}, [&](rooms::member) { ++count; });
    CHECK(count == 6);
}

TEST_CASE("large rooms that empty in any order leave nothing behind", "[socketio]") {
    constexpr rooms::member many = 20'000;
    rooms r;
    support::random_source random(1);
    members order;
    for (rooms::member m = 0; m != many; ++m) {
        r.enter(0, m);
        r.join(m, m % 2 == 0 ? "even" : "odd");
        r.join(m, std::to_string(m)); // a room of its own
        order.push_back(m);
    }
    CHECK(r.members(0, "even").size() == many / 2);
    CHECK(r.room_count(0) == many + 2);
    std::shuffle(order.begin(), order.end(), random);
    for (rooms::member const m : order) {
        REQUIRE(r.leave(m, m % 2 == 0 ? "even" : "odd"));
        r.exit(m);
    }
    CHECK(r.members(0).empty());
    CHECK(r.room_count(0) == 0);
}

TEST_CASE("rooms do what a list of each member's rooms would", "[socketio]") {
    support::random_source random(GENERATE(1u, 2u, 3u, 4u));
    rooms r;
    model naive;
    constexpr std::size_t namespaces = 3;
    constexpr std::size_t highest_member = 60;
    auto const all_names = [] {
        std::vector<std::string> all;
        for (int i = 0; i != 12; ++i)
            all.push_back(i % 2 == 0 ? std::to_string(i) : std::string(40, 'a') + std::to_string(i));
        return all;
    }();
    auto const some = [&](std::size_t most) {
        names list;
        for (std::size_t n = random.below(most + 1); n != 0; --n) list.push_back(random.pick(all_names));
        return list;
    };
    auto const a_member = [&] { return static_cast<rooms::member>(random.below(highest_member)); };

    for (int step = 0; step != 4'000; ++step) {
        bool const filling = step / 500 % 2 == 0;
        rooms::member const m = a_member();
        std::string const& room = random.pick(all_names);
        if (!naive.namespace_of(m)) {
            auto const nsp = static_cast<std::uint32_t>(random.below(namespaces));
            r.enter(nsp, m);
            naive.enter(nsp, m);
        } else if (random.one_in(filling ? 20 : 4)) {
            r.exit(m);
            naive.exit(m);
        }
        if (naive.namespace_of(m) && !random.one_in(filling ? 4 : 2))
            REQUIRE(r.join(m, room) == naive.join(m, room));
        else
            REQUIRE(r.leave(m, room) == naive.leave(m, room));

        rooms::member const other = a_member();
        REQUIRE(r.namespace_of(other) == naive.namespace_of(other));
        REQUIRE(rooms_of(r, m) == naive.rooms_of(m));
        REQUIRE(rooms_of(r, other) == naive.rooms_of(other));
        names const joined = naive.rooms_of(other);
        REQUIRE(r.contains(other, room) == (std::find(joined.begin(), joined.end(), room) != joined.end()));

        auto const nsp = static_cast<std::uint32_t>(random.below(namespaces));
        names listed = r.room_names(nsp);
        std::sort(listed.begin(), listed.end());
        REQUIRE(listed == naive.room_names(nsp));
        REQUIRE(r.room_count(nsp) == listed.size());
        REQUIRE(sorted(r.members(nsp)) == naive.reached(nsp, {}, {}, {}));
        REQUIRE(sorted(r.members(nsp, room)) == naive.reached(nsp, {room}, {}, {}));

        names const to = some(3);
        names const except = some(2);
        members excluded;
        for (std::size_t n = random.below(8); n != 0; --n) excluded.push_back(a_member());
        REQUIRE(reached(r, nsp, to, except, excluded) == naive.reached(nsp, to, except, excluded));
    }
}

TEST_CASE("rooms count how many a member is in", "[rooms]") {
    rooms r;
    CHECK(r.rooms_of(3) == 0);
    r.enter(0, 3);
    CHECK(r.join(3, "a"));
    CHECK(r.join(3, "b"));
    CHECK_FALSE(r.join(3, "b"));
    CHECK(r.rooms_of(3) == 2);
    CHECK(r.leave(3, "a"));
    CHECK_FALSE(r.leave(3, "a"));
    CHECK(r.rooms_of(3) == 1);
    r.exit(3);
    CHECK(r.rooms_of(3) == 0);
    r.enter(0, 3);
    CHECK(r.rooms_of(3) == 0);
}

TEST_CASE("rooms with a key of their own are the same rooms", "[rooms]") {
    rooms r(socketless::hash_key{1, 2});
    r.enter(5, 0);
    for (int i = 0; i != 1'000; ++i) CHECK(r.join(0, std::to_string(i)));
    for (int i = 0; i != 1'000; ++i) CHECK(r.contains(0, std::to_string(i)));
    CHECK(r.room_count(5) == 1'000);
    for (int i = 0; i != 1'000; ++i) CHECK(r.leave(0, std::to_string(i)));
    CHECK(r.room_count(5) == 0);
}

} // namespace socketio_rooms_test
