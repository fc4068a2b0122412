#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/socketio/acks.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

namespace socketio_acks_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1000h};

// Does what pending_acks does, by looking at each acknowledgement.
class model {
public:
    void await(pending_ack const& ack) { acks_.emplace(ack.id, ack); }

    std::optional<pending_ack> take(std::uint64_t id, std::uint32_t socket) {
        return first([&](pending_ack const& a) { return a.id == id && a.socket == socket; });
    }
    std::optional<pending_ack> take_of(std::uint32_t socket) {
        return first([&](pending_ack const& a) { return a.socket == socket; });
    }
    std::optional<pending_ack> take_expired(time_point now) {
        auto const next = next_deadline();
        if (!next || *next > now) return std::nullopt;
        return first([&](pending_ack const& a) { return a.deadline == next; });
    }
    std::optional<time_point> next_deadline() const {
        std::optional<time_point> next;
        for (auto const& [id, ack] : acks_) next = earlier(next, ack.deadline);
        return next;
    }
    std::size_t size() const { return acks_.size(); }

private:
    template <class Wanted>
    std::optional<pending_ack> first(Wanted const& wanted) {
        for (auto i = acks_.begin(); i != acks_.end(); ++i) {
            if (!wanted(i->second)) continue;
            pending_ack const ack = i->second;
            acks_.erase(i);
            return ack;
        }
        return std::nullopt;
    }

    std::map<std::uint64_t, pending_ack> acks_;
};

} // namespace

TEST_CASE("an acknowledgement is answered once, as it was asked for", "[socketio]") {
    pending_acks acks;
    CHECK(acks.empty());
    acks.await({.id = 7, .socket = 1});
    acks.await({.id = 9, .socket = 1});
    CHECK(acks.size() == 2);

    auto const answered = acks.take(9, 1);
    REQUIRE(answered.has_value());
    CHECK(answered->id == 9);
    CHECK(answered->socket == 1);
    CHECK_FALSE(answered->deadline.has_value());
    CHECK_FALSE(acks.take(9, 1).has_value());
    CHECK(acks.size() == 1);
}

TEST_CASE("an id that is not awaited, or from another socket, answers nothing", "[socketio]") {
    pending_acks acks;
    CHECK_FALSE(acks.take(0, 0).has_value());
    acks.await({.id = 7, .socket = 1});
    CHECK_FALSE(acks.take(6, 1).has_value());
    CHECK_FALSE(acks.take(8, 1).has_value());
    CHECK_FALSE(acks.take(7, 2).has_value());
    CHECK(acks.take(7, 1).has_value());
}

TEST_CASE("acknowledgements expire at their deadlines, the earliest first, then the lowest id", "[socketio]") {
    pending_acks acks;
    acks.await({.id = 0, .deadline = start + 2s});
    acks.await({.id = 1});
    acks.await({.id = 2, .deadline = start + 1s});
    acks.await({.id = 3, .deadline = start + 1s});
    CHECK(acks.next_deadline() == start + 1s);
    CHECK_FALSE(acks.take_expired(start + 1s - 1ns).has_value());
    CHECK(acks.take_expired(start + 1s)->id == 2);
    CHECK(acks.take_expired(start + 1s)->id == 3);
    CHECK_FALSE(acks.take_expired(start + 1s).has_value());
    CHECK(acks.next_deadline() == start + 2s);
    CHECK(acks.take_expired(start + 1h)->id == 0);
    CHECK_FALSE(acks.take_expired(start + 1h).has_value());
    CHECK_FALSE(acks.next_deadline().has_value());
    CHECK(acks.size() == 1); // the one without a deadline
}

TEST_CASE("an answer takes its deadline away", "[socketio]") {
    pending_acks acks;
    acks.await({.id = 0, .deadline = start + 1s});
    acks.await({.id = 1, .deadline = start + 2s});
    CHECK(acks.take(0, 0).has_value());
    CHECK(acks.next_deadline() == start + 2s);
    CHECK_FALSE(acks.take_expired(start + 1s).has_value());
    CHECK(acks.take(1, 0).has_value());
    CHECK_FALSE(acks.next_deadline().has_value());
}

TEST_CASE("the acknowledgements that a socket owes end with it, the lowest id first, and those of others do not",
          "[socketio]") {
    pending_acks acks;
    for (std::uint64_t id = 0; id != 6; ++id)
        acks.await({.id = id, .socket = static_cast<std::uint32_t>(id % 2), .deadline = start + 1s});
    CHECK(acks.take_of(1)->id == 1);
    CHECK(acks.take_of(1)->id == 3);
    CHECK(acks.take_of(0)->id == 0);
    CHECK(acks.take_of(1)->id == 5);
    CHECK_FALSE(acks.take_of(1).has_value());
    CHECK_FALSE(acks.take_of(77).has_value());
    CHECK(acks.size() == 2);

    acks.await({.id = 6, .socket = 77}); // after the search for it came to the end
    CHECK(acks.take_of(77)->id == 6);
    CHECK(acks.take_expired(start + 1s)->id == 2);
    CHECK(acks.take_expired(start + 1s)->id == 4);
    CHECK(acks.empty());
}

TEST_CASE("two sockets that owe very many acknowledgements each are disconnected in no time", "[socketio]") {
    constexpr std::uint64_t many = 50'000;
    pending_acks acks;
    for (std::uint64_t id = 0; id != 2 * many; ++id)
        acks.await({.id = id, .socket = id < many ? 1u : 2u, .deadline = start + milliseconds(id % 1'000)});
    for (std::uint32_t const socket : {2u, 1u})
        for (std::uint64_t i = 0; i != many; ++i) REQUIRE(acks.take_of(socket)->id == i + (socket - 1) * many);
    CHECK(acks.empty());
}

TEST_CASE("a socket that owes little is disconnected in no time, whatever others owe", "[socketio]") {
    constexpr std::uint64_t many = 100'000;
    pending_acks acks;
    for (std::uint64_t id = 0; id != many; ++id) acks.await({.id = id, .socket = 1});
    for (std::uint64_t id = many; id != 2 * many; ++id) {
        acks.await({.id = id, .socket = 2});
        REQUIRE(acks.is_owed_by(2));
        REQUIRE_FALSE(acks.take_of(2, id - 1).has_value());
        REQUIRE(acks.take_of(2)->id == id);
        REQUIRE_FALSE(acks.take_of(2).has_value());
    }
    CHECK(acks.size() == many);
    CHECK_FALSE(acks.is_owed_by(2));
    CHECK(acks.is_owed_by(1));
}

TEST_CASE("pending acknowledgements do what a map of them would", "[socketio]") {
    support::random_source random(GENERATE(1u, 2u, 3u, 4u));
    pending_acks acks;
    model naive;
    time_point now = start;
    std::uint64_t next_id = 0;
    auto const a_socket = [&] { return static_cast<std::uint32_t>(random.below(4)); };
    for (int step = 0; step != 8'000; ++step) {
        bool const filling = step / 1'000 % 2 == 0;
        switch (random.below(filling ? 12 : 7)) {
        case 0: {
            std::uint64_t const id = next_id - std::min<std::uint64_t>(next_id, random.below(200));
            auto const socket = a_socket();
            REQUIRE(acks.take(id, socket) == naive.take(id, socket));
            break;
        }
        case 1:
        case 2: {
            std::uint64_t const id = next_id - std::min<std::uint64_t>(next_id, random.below(8));
            for (std::uint32_t socket = 0; socket != 4; ++socket)
                REQUIRE(acks.take(id, socket) == naive.take(id, socket));
            break;
        }
        case 3: {
            auto const socket = a_socket();
            REQUIRE(acks.take_of(socket) == naive.take_of(socket));
            break;
        }
        case 4: {
            now += milliseconds(random.below(random.one_in(20) ? 2'000 : 50));
            auto const expired = acks.take_expired(now);
            REQUIRE(expired == naive.take_expired(now));
            break;
        }
        default: {
            pending_ack ack{.id = next_id, .socket = a_socket()};
            if (!random.one_in(4)) ack.deadline = now + milliseconds(random.below(1'000));
            next_id += 1 + random.below(3);
            acks.await(ack);
            naive.await(ack);
        }
        }
        REQUIRE(acks.size() == naive.size());
        REQUIRE(acks.empty() == (naive.size() == 0));
        REQUIRE(acks.next_deadline() == naive.next_deadline());
    }
}

} // namespace socketio_acks_test
