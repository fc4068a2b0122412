// Names that peers choose so that they lie in one place of a hash table whose hash has no key: 40,000 of them, through
// two whole servers. The tests count the names that a look-up meets, and measure no time.

#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/core/detail/name_map.hpp>
#include <socketless/detail/server_core.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stack_flooding_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketio::event_type;
using socketio::socket_handle;

namespace {

constexpr std::size_t many = 40'000;
constexpr time_point start{1h};

std::uint64_t polynomial_hash(std::string_view name) {
    std::uint64_t h = 0;
    for (char const c : name) h = 31 * h + static_cast<unsigned char>(c);
    return h;
}

// "Aa" and "BB" are the same to a polynomial in 31, and so are all words made of them: the oldest flood of all.
std::vector<std::string> same_in_polynomial() {
    std::vector<std::string> names;
    for (std::size_t n = 0; n != many; ++n) {
        std::string name = "/";
        for (unsigned bit = 0; bit != 16; ++bit) name += (n >> bit & 1u) != 0 ? "BB" : "Aa";
        names.push_back(std::move(name));
    }
    return names;
}

// The same to std::hash of libstdc++, MurmurHash64A with a seed that never changes: the second eight bytes can undo
// what the first eight have done to the state.
std::vector<std::string> same_in_std_hash() {
    constexpr std::uint64_t mul = 0xc6a4a7935bd1e995;
    std::uint64_t inverse = mul; // of an odd number, modulo 2^64: each step doubles the number of right bits
    for (int i = 0; i != 6; ++i) inverse *= 2 - mul * inverse;
    auto const mixed = [](std::uint64_t k) { return (k * mul ^ (k * mul) >> 47u) * mul; };
    auto const unmixed = [&](std::uint64_t k) {
        k *= inverse;
        return (k ^ k >> 47u) * inverse;
    };
    constexpr std::uint64_t seed = 0xc70f6907;
    constexpr std::uint64_t target = 0x0123456789abcdef;
    std::vector<std::string> names;
    for (std::uint64_t n = 0; n != many; ++n) {
        std::uint64_t const words[] = {n, unmixed(((seed ^ 16 * mul ^ mixed(n)) * mul) ^ target)};
        std::string name(sizeof words, '\0');
        std::memcpy(name.data(), words, sizeof words);
        names.push_back(std::move(name));
    }
    return names;
}

// How many names are compared if each is looked up once.
template <class Map>
std::size_t probes(Map const& names) {
    std::size_t sum = 0;
    for (std::size_t b = 0; b != names.bucket_count(); ++b) sum += names.bucket_size(b) * names.bucket_size(b);
    return sum;
}

// Shows the key of a server's tables of names.
struct opened_server : detail::server_core {
    explicit opened_server(std::uint64_t seed) : server_core({}, support::counting_random(seed), start) {}
    using server_core::names_key_;
};

// A server that lets everybody in, and connections to it.
struct flooded {
    explicit flooded(std::uint64_t seed) : server(options(), support::counting_random(seed), start) {
        server.declare_matching([](std::string_view, json::text) { return true; });
    }

    static server_options options() {
        server_options o;
        o.max_rooms = many;
        return o;
    }

    void open(std::uint64_t channel) {
        server.websocket_opened(channel, "/socket.io/?EIO=4&transport=websocket", start);
        drain();
    }
    void receive(std::uint64_t channel, std::string const& message) {
        server.websocket_received(channel, {frame_kind::text, message}, start);
        drain();
    }
    void drain() {
        for (;;) {
            if (auto const e = server.poll_event()) {
                if (e->type == event_type::connected) sockets.push_back(e->socket);
            } else if (auto const t = server.poll_transmit(buffer)) {
                sent += t->type == engineio::transmit_type::send;
            } else {
                return;
            }
        }
    }

    socketless::server server;
    std::vector<socket_handle> sockets;
    std::size_t sent = 0;
    std::string buffer;
};

constexpr std::uint64_t seeds[] = {1, 2};

} // namespace

TEST_CASE("the names of a flood lie in one place by a hash without a key, and in many places in each server",
          "[hostile]") {
    auto const polynomial = same_in_polynomial();
    auto const standard = same_in_std_hash();
    for (auto const& name : polynomial) REQUIRE(polynomial_hash(name) == polynomial_hash(polynomial[0]));
#if defined(__GLIBCXX__) && UINTPTR_MAX > 0xffffffff
    std::hash<std::string_view> const hash;
    for (auto const& name : standard) REQUIRE(hash(name) == hash(standard[0]));
#endif
    opened_server const one(seeds[0]);
    opened_server const other(seeds[1]);
    opened_server const again(seeds[0]);
    for (auto const* const names : {&polynomial, &standard}) {
        core_detail::name_map<int> in_one(one.names_key_);
        core_detail::name_map<int> in_other(other.names_key_);
        for (std::string const& name : *names) {
            in_one.try_emplace(name);
            in_other.try_emplace(name);
        }
        REQUIRE(in_one.size() == many);
        CHECK(probes(in_one) < 3 * many); // 800,000,000 in one place
        CHECK(probes(in_other) < 3 * many);
        std::size_t moved = 0;
        for (std::string const& name : *names) moved += in_one.bucket(name) != in_other.bucket(name);
        CHECK(moved > many / 10 * 9);
    }
    auto const place = core_detail::name_hash(one.names_key_);
    CHECK(place(polynomial[1]) == core_detail::name_hash(again.names_key_)(polynomial[1]));
}

TEST_CASE("rooms whose names are a flood are joined, reached and left as any others", "[hostile]") {
    for (std::uint64_t const seed : seeds) {
        flooded f(seed);
        for (std::uint64_t channel = 1; channel != 4; ++channel) {
            f.open(channel);
            f.receive(channel, "40");
        }
        REQUIRE(f.sockets.size() == 3);
        for (auto const& names : {same_in_polynomial(), same_in_std_hash()}) {
            std::size_t joined = 0;
            for (std::string const& name : names) joined += f.server.join(f.sockets[0], name);
            REQUIRE(joined == many);
            CHECK_FALSE(f.server.join(f.sockets[0], "one too many"));
            f.server.join(f.sockets[1], names[5]);
            CHECK(f.server.to(names[5]).to(names[6]).to(names.back()).size() == 2);
            CHECK(f.server.to(names[6]).size() == 1);
            CHECK(f.server.to(names[5]).except(names[6]).size() == 1);
            std::size_t const before = f.sent;
            CHECK(f.server.to(names[7]).to(names[5]).emit("e") == std::size_t{2});
            f.drain();
            CHECK(f.sent == before + 2);
            CHECK(f.server.rooms_of(f.sockets[0]).size() == many);
            std::size_t left = 0;
            for (std::string const& name : names) left += f.server.leave(f.sockets[0], name);
            CHECK(left == many);
            CHECK(f.server.rooms_of(f.sockets[0]).empty());
            CHECK(f.server.to(names[6]).size() == 0);
            CHECK(f.server.to(names[5]).size() == 1);
            f.server.leave(f.sockets[1], names[5]);
        }
    }
}

TEST_CASE("namespaces whose names are a flood are joined and forgotten as any others", "[hostile]") {
    auto const names = same_in_polynomial();
    constexpr std::size_t each = 100; // of a connection
    for (std::uint64_t const seed : seeds) {
        flooded f(seed);
        for (std::uint64_t channel = 0; channel != many / each; ++channel) {
            f.open(channel);
            for (std::size_t i = 0; i != each; ++i)
                f.receive(channel, "40" + names[static_cast<std::size_t>(channel) * each + i] + ",");
        }
        REQUIRE(f.sockets.size() == many);
        CHECK(f.server.socket_count() == many);
        std::size_t right = 0;
        for (std::size_t i = 0; i != many; ++i)
            right += f.server.nsp(f.sockets[i]) == names[i] && f.server.in(names[i]).size() == 1;
        CHECK(right == many);
        CHECK(f.server.in(names[3]).emit("e") == std::size_t{1});
        for (std::uint64_t channel = 0; channel != many / each; ++channel) {
            f.server.channel_closed(channel, start);
            f.drain();
        }
        CHECK(f.server.socket_count() == 0);
        CHECK(f.server.in(names[3]).size() == 0);
    }
}

} // namespace stack_flooding_test
