#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/socketio/recovery.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketio_recovery_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1000h};

// Differs each time.
random_source random_bytes() {
    static std::uint64_t seed = 0;
    return support::counting_random(++seed);
}

using names = std::vector<std::string_view>;
using payloads = std::vector<std::string>;

std::string keep(recovery_store<std::string>& store, std::string payload, time_point now, std::uint32_t nsp = 0,
                 names const& rooms = {}, names const& except = {}) {
    auto const offset = store.next_offset();
    std::size_t const size = payload.size();
    store.keep(offset, {nsp, rooms, except}, std::move(payload), size, now);
    return std::string(offset.view());
}

payloads missed(recovery_store<std::string> const& store, recoverable_session const& session, std::string_view offset) {
    payloads all;
    store.for_each_missed(session, offset, [&](std::string const& payload) { all.push_back(payload); });
    return all;
}

recoverable_session a_session(std::string pid, std::uint32_t nsp = 0) {
    std::string sid = "sid of " + pid;
    return {.pid = std::move(pid), .sid = std::move(sid), .nsp = nsp};
}

// Does what a recovery_store does, by remembering everything.
class model {
public:
    explicit model(recovery_options const& options) : options_(options) {}

    void give(std::string const& offset) { offsets_.emplace(offset, offsets_.size()); }

    void keep(std::string const& offset, std::uint32_t nsp, names const& rooms, names const& except,
              std::string const& payload, time_point now) {
        std::size_t size = payload.size();
        for (auto const& list : {rooms, except})
            for (std::string_view const name : list) size += name.size() + 32;
        packets_.push_back({offsets_.at(offset),
                            nsp,
                            {rooms.begin(), rooms.end()},
                            {except.begin(), except.end()},
                            payload,
                            size,
                            now});
        expire(now);
        while (packet_count() > options_.max_packets || bytes() > options_.max_bytes)
            std::find_if(packets_.begin(), packets_.end(), [](packet const& p) { return p.is_kept; })->is_kept = false;
    }

    void persist(recoverable_session const& session, time_point now) {
        expire(now);
        forget(session.pid);
        sessions_.push_back({session, now, offsets_.size()});
        if (sessions_.size() > options_.max_sessions) sessions_.erase(sessions_.begin());
    }

    std::optional<recoverable_session> restore(std::string const& pid, std::string const& offset, std::uint32_t nsp,
                                               time_point now) {
        expire(now);
        auto const found = find(pid);
        auto const number = offsets_.find(offset);
        if (found == sessions_.end() || found->session.nsp != nsp || number == offsets_.end()) return std::nullopt;
        auto const seen =
            std::find_if(packets_.begin(), packets_.end(), [&](packet const& p) { return p.number == number->second; });
        if (seen == packets_.end() || seen->nsp != nsp || number->second >= found->given) return std::nullopt;
        std::set<std::string> rooms(found->session.rooms.begin(), found->session.rooms.end());
        rooms.insert(found->session.sid);
        auto const is_in = [&](std::string const& room) { return rooms.count(room) != 0; };
        if (!seen->rooms.empty() && std::none_of(seen->rooms.begin(), seen->rooms.end(), is_in)) return std::nullopt;
        if (std::count(seen->except.begin(), seen->except.end(), found->session.sid) != 0) return std::nullopt;
        for (packet const& p : packets_)
            if (!p.is_kept && p.nsp == nsp && p.number > number->second) return std::nullopt;
        auto const session = found->session;
        sessions_.erase(found);
        return session;
    }

    payloads missed(recoverable_session const& session, std::string const& offset) const {
        std::set<std::string> rooms(session.rooms.begin(), session.rooms.end());
        rooms.insert(session.sid);
        payloads all;
        for (packet const& p : packets_) {
            if (p.number <= offsets_.at(offset) || p.nsp != session.nsp) continue;
            auto const is_in = [&](std::string const& room) { return rooms.count(room) != 0; };
            bool const included = p.rooms.empty() || std::any_of(p.rooms.begin(), p.rooms.end(), is_in);
            if (included && std::none_of(p.except.begin(), p.except.end(), is_in)) all.push_back(p.payload);
        }
        return all;
    }

    bool forget(std::string const& pid) {
        auto const found = find(pid);
        if (found == sessions_.end()) return false;
        sessions_.erase(found);
        return true;
    }

    void expire(time_point now) {
        for (packet& p : packets_)
            if (p.kept + options_.max_disconnection_duration <= now) p.is_kept = false;
        std::erase_if(sessions_, [&](auto const& s) { return s.ended + options_.max_disconnection_duration <= now; });
    }

    std::optional<time_point> poll_timeout() const {
        std::optional<time_point> next;
        for (packet const& p : packets_)
            if (p.is_kept) next = earlier(next, p.kept + options_.max_disconnection_duration);
        for (auto const& s : sessions_) next = earlier(next, s.ended + options_.max_disconnection_duration);
        return next;
    }
    std::size_t packet_count() const {
        return static_cast<std::size_t>(
            std::count_if(packets_.begin(), packets_.end(), [](packet const& p) { return p.is_kept; }));
    }
    std::size_t bytes() const {
        std::size_t sum = 0;
        for (packet const& p : packets_) sum += p.is_kept ? p.size : 0;
        return sum;
    }
    std::size_t session_count() const { return sessions_.size(); }

private:
    struct packet {
        std::size_t number;
        std::uint32_t nsp;
        std::vector<std::string> rooms;
        std::vector<std::string> except;
        std::string payload;
        std::size_t size;
        time_point kept;
        bool is_kept = true;
    };

    struct kept_session {
        recoverable_session session;
        time_point ended;
        std::size_t given; // how many offsets there were by then
    };

    std::vector<kept_session>::iterator find(std::string const& pid) {
        return std::find_if(sessions_.begin(), sessions_.end(), [&](auto const& s) { return s.session.pid == pid; });
    }

    recovery_options options_;
    std::map<std::string, std::size_t> offsets_;
    std::vector<packet> packets_;
    std::vector<kept_session> sessions_;
};

} // namespace

TEST_CASE("offsets are unique texts of one length that begin alike", "[socketio]") {
    recovery_store<std::string> store({}, random_bytes());
    recovery_store<std::string> another({}, random_bytes());
    CHECK(recovery_offset().view().empty());
    CHECK(store.last_offset().view().empty());
    auto before = recovery_offset();
    std::set<std::string> seen;
    auto const prefix = std::string(store.next_offset().view().substr(0, 12));
    for (int i = 0; i != 5'000; ++i) {
        auto const offset = store.next_offset();
        REQUIRE(offset.view().size() == recovery_offset::size);
        REQUIRE(offset.view().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                std::string_view::npos);
        REQUIRE(offset.view().starts_with(prefix));
        REQUIRE_FALSE(another.next_offset().view().starts_with(prefix));
        REQUIRE(seen.emplace(offset.view()).second);
        REQUIRE(store.last_offset() == offset);
        REQUIRE(before < offset);
        before = offset;
    }
}

TEST_CASE("nothing but the offset of an event of the namespace restores a session", "[socketio]") {
    recovery_store<std::string> store({}, random_bytes());
    recovery_store<std::string> another({}, random_bytes());
    auto const before = keep(store, "before it was connected", start);
    auto session = a_session("pid");
    session.since = store.last_offset();
    auto const seen = keep(store, "seen", start);
    auto const elsewhere = keep(store, "in another namespace", start, 1);
    auto const to_another = keep(store, "to another", start, 0, {"sid of another"});
    auto const not_to_it = keep(store, "to the others", start, 0, {}, {"sid of pid"});
    std::string const unused(store.next_offset().view());
    store.persist(session, start);
    auto const later = keep(store, "later", start);
    std::string const future = std::string(seen.substr(0, seen.size() - 2)) + "A_";
    for (int i = 0; i != 4; ++i) keep(another, "elsewhere", start);
    std::string const foreign = keep(another, "elsewhere", start);

    for (std::string const& bad :
         {before, elsewhere, to_another, not_to_it, unused, later, future, foreign, std::string(), std::string("1"),
          std::string("1c"), std::string("bob"), std::string(recovery_offset::size, 'A'), seen + "A",
          seen.substr(0, seen.size() - 1), seen.substr(0, 12), seen.substr(0, 12) + std::string(8, '_'),
          seen.substr(0, 12) + std::string(8, '=')}) {
        INFO(bad);
        CHECK(store.find("pid", bad, 0, start) == nullptr);
        CHECK_FALSE(store.restore("pid", bad, 0, start).has_value());
    }
    REQUIRE(store.find("pid", seen, 0, start) != nullptr);
    CHECK(store.find("pid", seen, 0, start)->sid == "sid of pid");
    CHECK(store.restore("pid", seen, 0, start).has_value());
    CHECK(store.find("pid", seen, 0, start) == nullptr);
}

TEST_CASE("the last event that was seen may have been for a room that was left, or joined since", "[socketio]") {
    recovery_store<std::string> store({.max_packets = 3}, random_bytes());
    auto const to_left = keep(store, "to a room", start, 0, {"left"});
    auto const not_to_joined = keep(store, "to those who are not in a room", start, 0, {}, {"joined"});
    auto const to_another = keep(store, "to another room", start, 0, {"another"});
    auto session = a_session("pid");
    session.rooms = {"joined"};
    session.left = {"left"};
    for (auto const& offset : {to_left, not_to_joined}) {
        store.persist(session, start);
        auto const restored = store.restore("pid", offset, 0, start);
        REQUIRE(restored.has_value());
        CHECK(restored->left == session.left);
    }
    store.persist(session, start);
    CHECK(store.find("pid", to_another, 0, start) == nullptr);
    // The same, for an event that is gone.
    keep(store, "one", start);
    CHECK(store.find("pid", to_left, 0, start) != nullptr);
    keep(store, "two", start);
    CHECK(store.find("pid", not_to_joined, 0, start) != nullptr);
    keep(store, "three", start);
    CHECK(store.find("pid", to_another, 0, start) == nullptr);
}

TEST_CASE("an event that ends with the text of an offset misleads", "[socketio]") {
    recovery_store<std::string> store({}, random_bytes());
    auto const old = keep(store, "one", start);
    keep(store, "two", start);
    std::string const future = old.substr(0, old.size() - 2) + "_A";
    auto const escaped = "\\u00" + std::string(1, "0123456789abcdef"[static_cast<unsigned>(old[0]) >> 4u]) +
                         "0123456789abcdef"[static_cast<unsigned>(old[0]) & 15u] + old.substr(1);
    std::string all;
    for (char const c : old) {
        all += "\\u00";
        all += "0123456789abcdef"[static_cast<unsigned>(c) >> 4u];
        all += "0123456789abcdef"[static_cast<unsigned>(c) & 15u];
    }
    for (std::string const& text : {old, escaped, all}) {
        for (std::string const& event : {"2[\"v\",\"" + text + "\"]", "2/a,[\"v\",1,\"" + text + "\" \n] ",
                                         "2[\"" + text + "\"]", "52-[\"v\",\"\\\\\",\"" + text + "\"]"}) {
            INFO(event);
            CHECK(store.misleading(event) == store.last_offset());
        }
    }
    REQUIRE(store.misleading("2[\"v\",\"" + future + "\"]").has_value());
    CHECK(*store.misleading("2[\"v\",\"" + future + "\"]") > store.last_offset());

    for (std::string const& event :
         {std::string(), std::string("]"), std::string("\"]"), std::string("2[\"v\"]"), std::string("2[\"v\",1]"),
          std::string("2[\"v\",\"bob\"]"), "2[\"v\",\"" + old + "\",1]", "2[\"v\",[\"" + old + "\"]]",
          "2[\"v\",\"x" + old + "\"]", "2[\"v\",\"" + old + "x\"]", "2[\"v\",\"\\\"" + old + "\"]",
          "2[\"v\",\"" + std::string(1'000, 'x') + "\"]", "2[\"v\",\"" + old.substr(0, 19) + "=\"]",
          "2[\"v\",\"" + std::string(20, 'A') + "\"]"}) {
        INFO(event);
        CHECK_FALSE(store.misleading(event).has_value());
    }
}

TEST_CASE("a client that comes back gets its session and what it missed, once", "[socketio]") {
    recovery_store<std::string> store({}, random_bytes());
    auto session = a_session("pid");
    session.rooms = {"news"};
    session.data = std::make_shared<int>(42);

    auto const offset = keep(store, "seen", start);
    keep(store, "in flight", start + 1s);
    store.persist(session, start + 2s);
    keep(store, "to all", start + 3s);
    keep(store, "to the room", start + 3s, 0, {"sport", "news"});
    keep(store, "to it alone", start + 3s, 0, {"sid of pid"});
    keep(store, "to another room", start + 3s, 0, {"sport"});
    keep(store, "not to the room", start + 3s, 0, {}, {"news"});
    keep(store, "not to it", start + 3s, 0, {"news"}, {"sid of pid"});
    keep(store, "in another namespace", start + 3s, 1);
    CHECK(store.session_count() == 1);

    auto const restored = store.restore("pid", offset, 0, start + 60s);
    REQUIRE(restored.has_value());
    CHECK(restored->pid == "pid");
    CHECK(restored->sid == "sid of pid");
    CHECK(restored->rooms == session.rooms);
    CHECK(restored->data == session.data);
    CHECK(missed(store, *restored, offset) == payloads{"in flight", "to all", "to the room", "to it alone"});
    CHECK(missed(store, *restored, "not an offset").empty());

    CHECK(store.session_count() == 0);
    CHECK_FALSE(store.restore("pid", offset, 0, start + 60s).has_value());
}

TEST_CASE("a client that has seen the last event missed nothing", "[socketio]") {
    recovery_store<std::string> store({}, random_bytes());
    keep(store, "one", start);
    auto const last = keep(store, "two", start);
    store.persist(a_session("pid"), start);
    auto const restored = store.restore("pid", last, 0, start);
    REQUIRE(restored.has_value());
    CHECK(missed(store, *restored, last).empty());
}

TEST_CASE("a session expires max_disconnection_duration after it ended", "[socketio]") {
    recovery_store<std::string> store({.max_disconnection_duration = 10s}, random_bytes());
    auto const offset = keep(store, "seen", start);
    store.persist(a_session("one"), start);
    store.persist(a_session("two"), start + 1s);
    CHECK(store.poll_timeout() == start + 10s);
    CHECK_FALSE(store.restore("one", offset, 0, start + 10s).has_value());
    CHECK(store.poll_timeout() == start + 11s);
    CHECK(store.restore("two", offset, 0, start + 11s - 1ns).has_value());
    CHECK_FALSE(store.poll_timeout().has_value());
}

TEST_CASE("an offset is refused if it was never given, or what came after it is gone", "[socketio]") {
    recovery_store<std::string> store({.max_packets = 2}, random_bytes());
    auto const one = keep(store, "one", start);
    auto const two = keep(store, "two", start);
    store.persist(a_session("pid"), start);
    for (std::string_view const bad : {"", "0", "zz", "not one"})
        CHECK_FALSE(store.restore("pid", bad, 0, start).has_value());

    keep(store, "three", start);
    keep(store, "four", start); // "two" was dropped
    CHECK(store.packet_count() == 2);
    CHECK_FALSE(store.restore("pid", one, 0, start).has_value());
    auto const restored = store.restore("pid", two, 0, start); // all events after it are kept
    REQUIRE(restored.has_value());
    CHECK(missed(store, *restored, two) == payloads{"three", "four"});
}

TEST_CASE("a busy namespace does not spoil the offsets of a quiet one", "[socketio]") {
    recovery_store<std::string> store({.max_packets = 2}, random_bytes());
    auto const quiet = keep(store, "quiet", start, 1);
    for (int i = 0; i != 10; ++i) keep(store, "busy", start, 0);
    store.persist(a_session("pid", 1), start);
    auto const restored = store.restore("pid", quiet, 1, start);
    REQUIRE(restored.has_value());
    CHECK(missed(store, *restored, quiet).empty());
}

TEST_CASE("a namespace is referred to while a session or a packet of it is kept", "[socketio]") {
    recovery_store<std::string> store({.max_disconnection_duration = 10s, .max_packets = 2, .max_sessions = 2},
                                      random_bytes());
    CHECK_FALSE(store.refers_to(7));
    CHECK_FALSE(store.take_unreferenced());

    auto const offset = keep(store, "one", start, 7);
    store.persist(a_session("one", 7), start + 1s);
    CHECK(store.refers_to(7));
    CHECK_FALSE(store.refers_to(6));
    CHECK(store.restore("one", offset, 7, start + 1s).has_value());
    CHECK(store.refers_to(7)); // the packet
    store.handle_timeout(start + 10s);
    CHECK_FALSE(store.refers_to(7));
    CHECK(store.take_unreferenced() == std::uint32_t{7});
    CHECK_FALSE(store.take_unreferenced());

    // A session that is restored, forgotten, pushed out or replaced.
    store.persist(a_session("two", 1), start + 20s);
    store.persist(a_session("two", 2), start + 20s);
    store.persist(a_session("three", 3), start + 20s);
    store.persist(a_session("four", 4), start + 20s);
    store.forget("four");
    store.persist(a_session("five", 2), start + 20s); // again, before it is asked for
    std::set<std::uint32_t> free;
    while (auto const nsp = store.take_unreferenced()) CHECK(free.insert(*nsp).second);
    CHECK(free == std::set<std::uint32_t>{1, 4});
    CHECK(store.refers_to(2));
    CHECK(store.refers_to(3));
}

TEST_CASE("a number that is given to another namespace brings nothing of the old one", "[socketio]") {
    recovery_store<std::string> store({.max_packets = 1}, random_bytes());
    auto const old = keep(store, "old", start, 1);
    keep(store, "busy", start, 0);
    CHECK(store.take_unreferenced() == std::uint32_t{1});
    store.release(1);
    store.release(77); // an unknown namespace
    auto const fresh = keep(store, "new", start, 1);
    store.persist(a_session("pid", 1), start);
    auto const restored = store.restore("pid", fresh, 1, start);
    REQUIRE(restored.has_value());
    CHECK(missed(store, *restored, fresh).empty());
}

TEST_CASE("a session that is asked for in the wrong way can still be restored in the right one", "[socketio]") {
    recovery_store<std::string> store({}, random_bytes());
    auto const offset = keep(store, "one", start);
    store.persist(a_session("pid"), start);
    CHECK_FALSE(store.restore("pid", "garbled!", 0, start).has_value());
    CHECK_FALSE(store.restore("pid", offset, 1, start).has_value());
    CHECK_FALSE(store.restore("pi", offset, 0, start).has_value());
    CHECK(store.restore("pid", offset, 0, start).has_value());
}

TEST_CASE("the limits push out the oldest packets", "[socketio]") {
    recovery_store<std::string> store({.max_bytes = 100}, random_bytes());
    keep(store, std::string(40, 'x'), start);
    keep(store, std::string(20, 'x'), start);
    CHECK(store.bytes() == 60);
    auto const last = keep(store, "x", start, 0, {"room"}, {"sid"}); // names take room too
    CHECK(store.packet_count() == 2);
    CHECK(store.bytes() == 20 + 1 + (4 + 32) + (3 + 32));

    keep(store, std::string(101, 'x'), start); // larger than the limit for all
    CHECK(store.packet_count() == 0);
    CHECK(store.bytes() == 0);
    store.persist(a_session("pid"), start);
    CHECK_FALSE(store.restore("pid", last, 0, start).has_value());
}

TEST_CASE("the limit on sessions pushes out the oldest, and a pid is kept once", "[socketio]") {
    recovery_store<std::string> store({.max_sessions = 2}, random_bytes());
    auto const offset = keep(store, "seen", start, 5);
    store.persist(a_session("one"), start);
    store.persist(a_session("two"), start);
    store.persist(a_session("one", 5), start); // newer than "two" now
    CHECK(store.session_count() == 2);
    store.persist(a_session("three"), start);
    CHECK(store.session_count() == 2);
    CHECK_FALSE(store.restore("two", offset, 0, start).has_value());
    CHECK(store.restore("one", offset, 5, start).has_value());
    CHECK(store.forget("three"));
    CHECK_FALSE(store.forget("three"));
    CHECK(store.session_count() == 0);

    recovery_store<std::string> none({.max_packets = 0, .max_sessions = 0}, random_bytes());
    keep(none, "one", start);
    none.persist(a_session("one"), start);
    CHECK(none.packet_count() + none.session_count() == 0);
}

TEST_CASE("payloads and data go as soon as they are dropped", "[socketio]") {
    using payload = std::shared_ptr<int>;
    auto const counted = std::make_shared<int>(1);
    auto const with_data = [&](std::string pid) {
        auto session = a_session(std::move(pid));
        session.data = counted;
        return session;
    };
    {
        recovery_store<payload> store({.max_disconnection_duration = 10s, .max_packets = 2, .max_sessions = 2},
                                      random_bytes());
        for (int i = 0; i != 5; ++i) store.keep(store.next_offset(), {}, counted, 1, start);
        CHECK(counted.use_count() == 1 + 2);
        for (std::string const pid : {"a", "b", "c", "d"}) store.persist(with_data(pid), start + 1s);
        CHECK(counted.use_count() == 1 + 2 + 2);
        store.forget("d");
        CHECK(counted.use_count() == 1 + 2 + 1);
        static_cast<void>(store.restore("c", store.last_offset().view(), 0, start + 1s));
        CHECK(counted.use_count() == 1 + 2);
        store.persist(with_data("e"), start + 1s);
        store.handle_timeout(start + 10s - 1ns);
        CHECK(counted.use_count() == 1 + 2 + 1);
        store.handle_timeout(start + 10s);
        CHECK(counted.use_count() == 1 + 1);
        store.handle_timeout(start + 11s);
        CHECK(counted.use_count() == 1);
        store.keep(store.next_offset(), {}, counted, 1, start + 20s);
        store.persist(with_data("f"), start + 20s);
    }
    CHECK(counted.use_count() == 1);
}

TEST_CASE("a recovery store does what remembering everything would", "[socketio]") {
    support::random_source random(GENERATE(1u, 2u, 3u, 4u));
    recovery_options const options{
        .max_disconnection_duration = 5s, .max_packets = 30, .max_bytes = 1'500, .max_sessions = 8};
    recovery_store<std::string> store(options, random_bytes());
    model naive(options);
    time_point now = start;
    std::vector<std::string> offsets = {"bad"};
    constexpr std::string_view rooms[] = {"a", "b", "c", "sid of 0", "sid of 1", "sid of 2"};
    auto const some = [&](std::size_t most) {
        names list;
        for (std::size_t n = random.below(most + 1); n != 0; --n) list.push_back(random.pick(rooms));
        return list;
    };
    auto const a_pid = [&] { return std::to_string(random.below(10)); };
    auto const an_offset = [&] { return offsets[offsets.size() - 1 - std::min(offsets.size() - 1, random.below(20))]; };
    auto const a_nsp = [&] { return static_cast<std::uint32_t>(random.below(2)); };
    std::size_t restored_sessions = 0;

    for (int step = 0; step != 4'000; ++step) {
        if (random.one_in(3)) now += milliseconds(random.below(random.one_in(50) ? 6'000 : 400));
        switch (random.below(8)) {
        case 0: {
            auto session = a_session(a_pid());
            session.nsp = a_nsp();
            for (std::string_view const room : some(3)) session.rooms.emplace_back(room);
            store.persist(session, now);
            naive.persist(session, now);
            break;
        }
        case 1:
        case 2: {
            std::string const pid = a_pid();
            std::string const offset = an_offset();
            auto const nsp = a_nsp();
            auto const restored = store.restore(pid, offset, nsp, now);
            auto const expected = naive.restore(pid, offset, nsp, now);
            REQUIRE(restored.has_value() == expected.has_value());
            if (!restored) break;
            ++restored_sessions;
            REQUIRE(restored->sid == expected->sid);
            REQUIRE(restored->rooms == expected->rooms);
            REQUIRE(missed(store, *restored, offset) == naive.missed(*expected, offset));
            break;
        }
        case 3: {
            std::string const pid = a_pid();
            if (random.one_in(3)) REQUIRE(store.forget(pid) == naive.forget(pid));
            break;
        }
        case 4:
            store.handle_timeout(now);
            naive.expire(now);
            break;
        default: {
            auto const fresh = store.next_offset();
            std::string const offset(fresh.view());
            offsets.push_back(offset);
            naive.give(offset);
            if (random.one_in(10)) break; // an offset may stay unused
            auto const nsp = a_nsp();
            auto const to = random.one_in(2) ? names() : some(2);
            auto const except = random.one_in(2) ? names() : some(2);
            auto const payload = std::to_string(step) + random.text(random.below(60), "x");
            store.keep(fresh, {nsp, to, except}, payload, payload.size(), now);
            naive.keep(offset, nsp, to, except, payload, now);
        }
        }
        REQUIRE(store.packet_count() == naive.packet_count());
        REQUIRE(store.bytes() == naive.bytes());
        REQUIRE(store.session_count() == naive.session_count());
        REQUIRE(store.poll_timeout() == naive.poll_timeout());
    }
    CHECK(restored_sessions > 20);
}

} // namespace socketio_recovery_test
