#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"

#include <socketless/msgpack/validate.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace msgpack_validate_test {

using namespace socketless;
using namespace std::string_view_literals;
using msgpack::kind;
using msgpack::validate;

namespace {

std::string bytes(std::string_view hex) {
    return support::from_hex(hex).value();
}

error refused(std::string_view hex) {
    return validate(bytes(hex)).error();
}

std::string times(std::size_t n, std::string_view s) {
    std::string all;
    for (; n != 0; --n) all += s;
    return all;
}

// Walks everything, as a reader would; returns how deep it is.
std::uint32_t walk(msgpack::value v) {
    std::uint32_t depth = 0;
    std::size_t parts = 0;
    for (auto const element : v.elements()) {
        depth = std::max(depth, walk(element));
        ++parts;
    }
    for (auto const m : v.members()) {
        depth = std::max({depth, walk(m.key), walk(m.value)});
        ++parts;
    }
    bool const is_container = v.is(kind::array) || v.is(kind::map);
    if (is_container) CHECK(parts == v.size());
    return is_container ? depth + 1 : 0;
}

} // namespace

static_assert(validate("\xc0"sv)->is(kind::null));
static_assert(validate("\x82\xa1"
                       "a\x01\xa1"
                       "b\x92\xc2\xcb\0\0\0\0\0\0\0\0"sv)
                  ->size() == 2);
static_assert(validate("\x92\x01"sv) == error{errc::invalid_msgpack, 0});
static_assert(validate("\xa2\xc3\x28"sv) == error{errc::invalid_utf8, 1});
static_assert(validate("\x91\x91\x90"sv, 2) == error{errc::depth_exceeded, 2});
static_assert(validate("\x91\x91\x90"sv, 3).has_value());

TEST_CASE("each first byte begins a value of its kind and length", "[msgpack]") {
    struct row {
        unsigned first;
        unsigned last;
        kind k;
        std::size_t behind; // bytes, all of them zero
    };
    // A length of zero has nothing behind it; an extension has its type.
    constexpr row rows[] = {
        {0x00, 0x7f, kind::integer, 0},   {0x80, 0x80, kind::map, 0},       {0x90, 0x90, kind::array, 0},
        {0xa0, 0xa0, kind::string, 0},    {0xc0, 0xc0, kind::null, 0},      {0xc2, 0xc3, kind::boolean, 0},
        {0xc4, 0xc4, kind::binary, 1},    {0xc5, 0xc5, kind::binary, 2},    {0xc6, 0xc6, kind::binary, 4},
        {0xc7, 0xc7, kind::extension, 2}, {0xc8, 0xc8, kind::extension, 3}, {0xc9, 0xc9, kind::extension, 5},
        {0xca, 0xca, kind::floating, 4},  {0xcb, 0xcb, kind::floating, 8},  {0xcc, 0xcc, kind::integer, 1},
        {0xcd, 0xcd, kind::integer, 2},   {0xce, 0xce, kind::integer, 4},   {0xcf, 0xcf, kind::integer, 8},
        {0xd0, 0xd0, kind::integer, 1},   {0xd1, 0xd1, kind::integer, 2},   {0xd2, 0xd2, kind::integer, 4},
        {0xd3, 0xd3, kind::integer, 8},   {0xd4, 0xd4, kind::extension, 2}, {0xd5, 0xd5, kind::extension, 3},
        {0xd6, 0xd6, kind::extension, 5}, {0xd7, 0xd7, kind::extension, 9}, {0xd8, 0xd8, kind::extension, 17},
        {0xd9, 0xd9, kind::string, 1},    {0xda, 0xda, kind::string, 2},    {0xdb, 0xdb, kind::string, 4},
        {0xdc, 0xdc, kind::array, 2},     {0xdd, 0xdd, kind::array, 4},     {0xde, 0xde, kind::map, 2},
        {0xdf, 0xdf, kind::map, 4},       {0xe0, 0xff, kind::integer, 0},
    };
    for (row const& r : rows) {
        for (unsigned first = r.first; first <= r.last; ++first) {
            CAPTURE(first);
            std::string const good = static_cast<char>(static_cast<unsigned char>(first)) + std::string(r.behind, '\0');
            auto const v = validate(good);
            REQUIRE(v);
            CHECK(v->kind() == r.k);
            CHECK(v->raw() == good);
            CHECK(validate(good + '\0') == error{errc::invalid_msgpack, good.size()});
            support::for_each_prefix(std::string_view(good).substr(0, good.size() - 1),
                                     [](std::string_view cut) { CHECK(!validate(cut)); });
            // Where more of the message follows, values are passed in another way.
            auto const framed = "\xdc" + std::string("\0\x14", 2) + good + std::string(19, '\x05');
            auto const whole = validate(framed);
            REQUIRE(whole);
            CHECK((*whole->elements().begin()).raw() == good);
        }
    }
}

TEST_CASE("lengths of every form count what follows", "[msgpack]") {
    for (std::size_t const size : {0u, 1u, 15u, 16u, 17u, 31u, 32u, 33u, 64u, 65u, 255u, 256u, 65535u, 65536u}) {
        CAPTURE(size);
        std::string const length = std::string(1, static_cast<char>(size >> 24u & 0xffu)) +
                                   static_cast<char>(size >> 16u & 0xffu) + static_cast<char>(size >> 8u & 0xffu) +
                                   static_cast<char>(size & 0xffu);
        for (char const format : {'\xc6', '\xdb', '\xdd'}) {
            std::string const good = format + length + std::string(size, 'a');
            auto const v = validate(good);
            REQUIRE(v);
            CHECK(v->size() == size);
            CHECK(!validate(format + length + std::string(size + 1, 'a')));
            if (size != 0) CHECK(!validate(format + length + std::string(size - 1, 'a')));
        }
        CHECK(validate('\xdf' + length + std::string(2 * size, 'a'))->size() == size);
        CHECK(!validate('\xdf' + length + std::string(2 * size + 1, 'a')));
    }
}

TEST_CASE("what is no MessagePack is refused, and the error says where", "[msgpack]") {
    CHECK(refused("") == error{errc::invalid_msgpack, 0});
    CHECK(refused("c1") == error{errc::invalid_msgpack, 0});
    CHECK(refused("92c0c1") == error{errc::invalid_msgpack, 2});
    CHECK(refused("c0c0") == error{errc::invalid_msgpack, 1});
    CHECK(refused("9101ff") == error{errc::invalid_msgpack, 2});
    CHECK(refused("9201") == error{errc::invalid_msgpack, 0});   // two values in one byte
    CHECK(refused("92a261") == error{errc::invalid_msgpack, 1}); // in two bytes, but not these
    CHECK(refused("91a361") == error{errc::invalid_msgpack, 1});
    CHECK(refused("91cd01") == error{errc::invalid_msgpack, 1});
    CHECK(refused("81a161") == error{errc::invalid_msgpack, 3}); // a key without its value
}

TEST_CASE("lengths of 2^32-1 with nothing behind them are refused at once", "[msgpack]") {
    for (char const* const hex : {"ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff00", "dcffff",
                                  "deffff", "daffff", "c5ffff", "c8ffff00", "ddffffffffc0c0"}) {
        CAPTURE(hex);
        CHECK(refused(hex) == error{errc::invalid_msgpack, 0});
    }
    // Arrays that each hold the rest, as far as their number goes.
    CHECK(!validate(times(1'000, bytes("ddffffffff"))));
    CHECK(!validate(times(1'000, bytes("dd0000ffff")) + std::string(70'000, '\0')));
}

TEST_CASE("strings are UTF-8, whatever their length and their place", "[msgpack]") {
    std::string const filler(40, '\x01');
    for (std::size_t size = 0; size <= 100; ++size) {
        CAPTURE(size);
        std::string const plain(size, 'x');
        for (auto const* const tail : {"", "\u00e9", "\u20ac", "\U0001f600"}) {
            std::string const contents = plain + tail;
            std::string const string = "\xd9" + std::string(1, static_cast<char>(contents.size())) + contents;
            CHECK(validate(string)->borrow_string() == contents);
            std::string const message = "\xdc" + std::string("\0\x29", 2) + string + filler;
            auto const framed = validate(message);
            REQUIRE(framed);
            CHECK((*framed->elements().begin()).equals(contents));
        }
        std::string const cut = plain + "\xe2\x82";
        std::string const string = "\xd9" + std::string(1, static_cast<char>(cut.size())) + cut;
        CHECK(validate(string) == error{errc::invalid_utf8, 2 + size});
        CHECK(validate("\xdc" + std::string("\0\x29", 2) + string + filler) == error{errc::invalid_utf8, 5 + size});
        if (cut.size() < 32) {
            std::string const fixed = static_cast<char>(static_cast<unsigned char>(0xa0u + cut.size())) + cut;
            CHECK(validate("\xdc" + std::string("\0\x29", 2) + fixed + filler) == error{errc::invalid_utf8, 4 + size});
        }
    }
    CHECK(refused("81a1ff01") == error{errc::invalid_utf8, 2}); // a key too
    CHECK(validate(bytes("c401ff")).has_value());               // but not what is binary
    CHECK(validate(bytes("d400ff")).has_value());
}

TEST_CASE("the depth is limited to what was asked for", "[msgpack]") {
    for (std::uint32_t const depth : {1u, 2u, 3u, 63u, 64u, 65u, 129u, 1'000u, 4'096u}) {
        CAPTURE(depth);
        auto const nested = times(depth - 1, "\x91") + "\x90";                           // the last value is open
        auto const first = times(depth - 1, "\x92") + "\x90" + times(depth - 1, "\x01"); // one follows on each level
        auto const maps = times(depth - 1, "\x81\xa1k") + "\x80";
        auto const last = times(depth - 1, "\x93\x90\x01") + "\x90";
        for (auto const& good : {nested, maps, last}) {
            CHECK(validate(good, depth).has_value());
            CHECK(validate(good, depth - 1).error().code == errc::depth_exceeded);
        }
        if (depth <= 1'000) CHECK(validate(first, depth).has_value());
        CHECK(validate(first, depth - 1).error().code == errc::depth_exceeded);
    }
    CHECK(validate(times(999, "\x91") + "\x90").has_value());
    CHECK(validate(times(1'000, "\x91") + "\x90") == error{errc::depth_exceeded, 1'000});
    CHECK(validate(times(4'096, "\x91") + "\x90", 0xffffffff) == error{errc::depth_exceeded, 4'096});
    CHECK(validate("\x90", 0) == error{errc::depth_exceeded, 0});
    CHECK(validate("\x01", 0).has_value());
}

TEST_CASE("containers side by side are not deep, however many", "[msgpack]") {
    std::string const many = "\xdd" + std::string("\0\1\0\0", 4) + times(65'536, "\x91\x90");
    CHECK(validate(many, 3).has_value());
    CHECK(validate(many, 2) == error{errc::depth_exceeded, 6});
    // Small ones within small ones.
    std::string tree = "\x90";
    for (int i = 0; i != 12; ++i) tree = "\x92" + tree + tree;
    CHECK(validate(tree, 13).has_value());
    CHECK(validate(tree, 12).error() == error{errc::depth_exceeded, 12});
    // Deep at the end only, behind many large ones.
    std::string const large = "\xdc" + std::string("\0\x10", 2) + times(16, "\x90");
    std::string const mixed = "\xdc" + std::string("\x01\x01", 2) + times(256, large) + "\x91\x91\x91\x91\x90";
    CHECK(validate(mixed, 6).has_value());
    CHECK(validate(mixed, 5).error() == error{errc::depth_exceeded, mixed.size() - 1});
}

TEST_CASE("beyond 170 levels, those with many values left may be too deep", "[msgpack]") {
    // Behind so many containers that a bound does not say how deep it is.
    std::string many = "\x90";
    for (int i = 0; i != 3; ++i) many = "\x9f" + times(15, many);
    auto const nest = [&many](std::size_t depth, std::size_t left) {
        std::string const head = "\xdd" + std::string(1, '\0') + static_cast<char>((left + 1) >> 16u & 0xffu) +
                                 static_cast<char>((left + 1) >> 8u & 0xffu) + static_cast<char>((left + 1) & 0xffu);
        return "\x92" + many + times(depth - 2, head) + "\x90" + std::string((depth - 2) * left, '\x07');
    };
    CHECK(validate(nest(170, 70'000), 170).has_value());
    CHECK(validate(nest(170, 70'000), 169).error().code == errc::depth_exceeded);
    CHECK(validate(nest(1'000, 126)).has_value());
    CHECK(validate(nest(1'001, 126)).error().code == errc::depth_exceeded);
    CHECK(validate(nest(900, 1'000)).error().code == errc::depth_exceeded);
}

TEST_CASE("a million nested arrays are refused, or walked without a stack", "[msgpack]") {
    auto const nested = times(1'000'000, "\x91") + "\x90";
    CHECK(validate(nested).error().code == errc::depth_exceeded);
    CHECK(validate(times(1'000'000, "\x91")) == error{errc::invalid_msgpack, 999'999});
    CHECK((*msgpack::value::trusted(nested).elements().begin()).raw().size() == nested.size() - 1);
    CHECK(validate(times(1'000'000, "\x81\x90")).error().code == errc::invalid_msgpack);
}

TEST_CASE("all small changes of good values are refused, or are good values themselves", "[msgpack]") {
    for (char const* const hex : {
             "84a47479706502a36e7370a22f30a2696407a46461746191a6657622656e74",
             "9acd0100ce00010000cf0000000100000000d080d18000d280000000d38000000000000000ca3f800000cb3ff8000000000000c3",
             "93c403010203c70501aabbccddeed8ff000102030405060708090a0b0c0d0e0f",
             "82d905c3a9c3a978dc0003010203de000101da0003e282acdd00000001df00000001a0c0",
             "98d40000d5010203d6ff00000000d7000000000000000000d7ff0000000000000000d4ff00c0c2",
         }) {
        auto const good = bytes(hex);
        CAPTURE(hex);
        std::size_t accepted = 0;
        REQUIRE(validate(good));
        support::for_each_mutation(good, [&](std::string_view changed) {
            auto const v = validate(changed);
            if (!v) {
                REQUIRE(v.error().offset <= changed.size());
                return;
            }
            ++accepted;
            REQUIRE(v->raw().size() == changed.size());
            auto const depth = walk(*v);
            REQUIRE(validate(changed, depth).has_value());
            if (depth != 0) REQUIRE(validate(changed, depth - 1).error().code == errc::depth_exceeded);
            // The last part ends where the message ends.
            msgpack::value last = *v;
            for (bool down = true; down;) {
                down = false;
                for (auto const element : msgpack::value(last).elements()) last = element, down = true;
                for (auto const m : msgpack::value(last).members()) last = m.value, down = true;
            }
            REQUIRE(last.raw().data() + last.raw().size() == changed.data() + changed.size());
        });
        CHECK(accepted > good.size());
    }
}

} // namespace msgpack_validate_test
