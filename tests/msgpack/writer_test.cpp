#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/random.hpp"
#include "tools/random_json.hpp"

#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/writer.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace msgpack_writer_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

template <class T>
std::string hex(T const& v) {
    std::string bytes;
    auto const written = msgpack::write(bytes, v);
    REQUIRE(written == bytes.size());
    CHECK(msgpack::validate(bytes, limits::deepest).has_value());
    return support::to_hex(bytes);
}

template <class T>
error failed(T const& v) {
    std::string bytes = "kept";
    auto const written = msgpack::write(bytes, v);
    CHECK(bytes == "kept");
    return written.error();
}

std::string from_json(std::string_view text) {
    return hex(json::validate(text).value());
}

struct tree {
    int depth;
    std::size_t width;

    friend void write_json(json::writer& out, tree const& t) {
        out.begin_array();
        for (std::size_t i = 0; i != t.width; ++i) {
            if (t.depth != 0)
                out.value(tree{t.depth - 1, t.width});
            else
                out.number(1);
        }
        out.end_array();
    }
};

// Large arrays and maps in one another, each the first value of the other.
struct deep_and_large {
    int depth;

    friend void write_json(json::writer& out, deep_and_large const& d) {
        for (int i = 0; i != d.depth; ++i) i % 2 == 0 ? out.begin_array() : out.begin_array().begin_object().key("k");
        for (int i = d.depth; i-- != 0;) {
            if (i % 2 != 0) {
                for (int n = 0; n != 16; ++n) out.member(std::to_string(n), n);
                out.end_object();
            }
            for (int n = 0; n != 16; ++n) out.number(n);
            out.end_array();
        }
    }
};

// A range whose size is signed, as that of Qt's containers.
class signed_size {
public:
    [[nodiscard]] int const* begin() const { return numbers_; }
    [[nodiscard]] int const* end() const { return numbers_ + size(); }
    [[nodiscard]] int size() const { return 3; }

private:
    int numbers_[3] = {1, 2, 3};
};

class signed_size_map : public std::map<std::string, int> {
public:
    using std::map<std::string, int>::map;
    [[nodiscard]] int size() const { return static_cast<int>(std::map<std::string, int>::size()); }
};

} // namespace

TEST_CASE("integers take the shortest form", "[msgpack]") {
    constexpr std::pair<std::int64_t, char const*> rows[] = {
        {0, "00"},
        {127, "7f"},
        {128, "cc80"},
        {255, "ccff"},
        {256, "cd0100"},
        {65535, "cdffff"},
        {65536, "ce00010000"},
        {4294967295, "ceffffffff"},
        {4294967296, "cf0000000100000000"},
        {std::numeric_limits<std::int64_t>::max(), "cf7fffffffffffffff"},
        {-1, "ff"},
        {-32, "e0"},
        {-33, "d0df"},
        {-128, "d080"},
        {-129, "d1ff7f"},
        {-32768, "d18000"},
        {-32769, "d2ffff7fff"},
        {-2147483648LL, "d280000000"},
        {-2147483649LL, "d3ffffffff7fffffff"},
        {std::numeric_limits<std::int64_t>::min(), "d38000000000000000"},
    };
    for (auto const& [n, expected] : rows) {
        CHECK(hex(n) == expected);
        if (n != std::numeric_limits<std::int64_t>::max() && n == static_cast<std::int64_t>(static_cast<double>(n)))
            CHECK(hex(static_cast<double>(n)) == expected);
        if (n >= 0) CHECK(hex(static_cast<std::uint64_t>(n)) == expected);
    }
    CHECK(hex(std::numeric_limits<std::uint64_t>::max()) == "cfffffffffffffffff");
}

TEST_CASE("numbers that are no integers of 64 bits are written as they are", "[msgpack]") {
    CHECK(hex(-0.0) == "00");
    CHECK(hex(0.5) == "cb3fe0000000000000");
    CHECK(hex(1.5f) == "cb3ff8000000000000");
    CHECK(hex(9223372036854775808.0) == "cf8000000000000000");
    CHECK(hex(18446744073709549568.0) == "cffffffffffffff800");
    CHECK(hex(18446744073709551616.0) == "cb43f0000000000000");
    CHECK(hex(-9223372036854775808.0) == "d38000000000000000");
    CHECK(hex(-9223372036854777856.0) == "cbc3e0000000000001");
    CHECK(hex(std::numeric_limits<double>::infinity()) == "cb7ff0000000000000");
    CHECK(hex(-std::numeric_limits<double>::infinity()) == "cbfff0000000000000");
    CHECK(hex(std::numeric_limits<double>::quiet_NaN()) == "cb7ff8000000000000");
}

TEST_CASE("all that can be written as JSON can be written as MessagePack", "[msgpack]") {
    CHECK(hex(nullptr) == "c0");
    CHECK(hex(true) == "c3");
    CHECK(hex(std::optional<bool>(false)) == "c2");
    CHECK(hex("h\u00e9") == "a368c3a9");
    CHECK(hex(u8"h\u00e9") == "a368c3a9");
    CHECK(hex(std::tuple(1, "a", std::nullopt)) == "9301a161c0");
    CHECK(hex(std::map<std::string, int>{{"a", 1}, {"b", 2}}) == "82a16101a16202");
    CHECK(hex(json::object("x", std::vector<int>(), "y", json::object())) == "82a17890a17980");
    CHECK(hex(std::vector<std::byte>(3)) == "c403000000");
    CHECK(hex(std::array<unsigned char, 0>()) == "c400");
    CHECK(hex(json::text()) == "c0");
}

TEST_CASE("a range whose size is signed is written without a warning", "[msgpack]") {
    CHECK(hex(signed_size()) == "93010203");
    CHECK(hex(signed_size_map{{"a", 1}}) == "81a16101");
    std::string text;
    CHECK(json::write(text, std::tuple(signed_size(), signed_size_map{{"a", 1}})).has_value());
    CHECK(text == R"([[1,2,3],{"a":1}])");
}

TEST_CASE("JSON is written as what it means", "[msgpack]") {
    CHECK(from_json(R"( {"a" : [1, -1.5e0, "\u00e9\n", true, null, 1e2, 18446744073709551615], "\u0061": {} } )") ==
          "82a1619701cbbff8000000000000a3c3a90ac3c064cfffffffffffffffffa16180");
    CHECK(hex(std::vector{json::validate("[1]").value(), json::validate(" 2 ").value()}) == "92910102");
}

TEST_CASE("strings and binary values take the shortest head", "[msgpack]") {
    constexpr std::pair<std::size_t, char const*> strings[] = {
        {0, "a0"}, {31, "bf"}, {32, "d920"}, {255, "d9ff"}, {256, "da0100"}, {65535, "daffff"}, {65536, "db00010000"}};
    for (auto const& [size, head] : strings)
        CHECK(hex(std::string(size, 'x')) == head + support::to_hex(std::string(size, 'x')));
    constexpr std::pair<std::size_t, char const*> binaries[] = {
        {0, "c400"}, {255, "c4ff"}, {256, "c50100"}, {65535, "c5ffff"}, {65536, "c600010000"}};
    for (auto const& [size, head] : binaries)
        CHECK(hex(std::vector<std::byte>(size)) == head + support::to_hex(std::string(size, '\0')));
    for (std::size_t size = 0; size != 70; ++size) {
        std::string const contents = std::string(size, 'x') + "\u20ac";
        std::string bytes;
        REQUIRE(msgpack::write(bytes, contents));
        CHECK(msgpack::validate(bytes)->equals(contents));
    }
}

TEST_CASE("containers take the shortest head, whatever their size", "[msgpack]") {
    constexpr std::pair<std::size_t, char const*> arrays[] = {
        {0, "90"}, {15, "9f"}, {16, "dc0010"}, {65535, "dcffff"}, {65536, "dd00010000"}};
    for (auto const& [size, head] : arrays) {
        std::string ones;
        for (std::size_t i = 0; i != size; ++i) ones += "01";
        CHECK(hex(std::vector<int>(size, 1)) == head + ones);
        CHECK(hex(std::tuple("a", std::vector<int>(size, 1), "b")) == "93a161" + (head + ones) + "a162");
    }
    std::map<std::string, int> map;
    for (int i = 0; i != 16; ++i) map[std::string(1, static_cast<char>('a' + i))] = i;
    CHECK(hex(map).starts_with("de0010a16100a16201"));
    map.erase("a");
    CHECK(hex(map).starts_with("8fa16201"));
}

TEST_CASE("large containers within one another are mended together", "[msgpack]") {
    for (std::size_t const width : {1u, 2u, 15u, 16u, 17u}) {
        CAPTURE(width);
        std::string bytes = "before";
        REQUIRE(msgpack::write(bytes, tree{2, width}));
        auto const v = msgpack::validate(std::string_view(bytes).substr(6));
        REQUIRE(v);
        std::vector<std::vector<std::vector<int>>> const expected(
            width, std::vector<std::vector<int>>(width, std::vector<int>(width, 1)));
        CHECK(v->get<std::vector<std::vector<std::vector<int>>>>() == expected);
    }
    std::string bytes;
    REQUIRE(msgpack::write(bytes, deep_and_large{301}));
    auto const v = msgpack::validate(bytes);
    REQUIRE(v);
    std::string text;
    std::string expected;
    REQUIRE(json::write(text, *v));
    REQUIRE(json::write(expected, deep_and_large{301}));
    CHECK(text == expected);
}

TEST_CASE("a span takes what fits, and the error says how much is needed", "[msgpack]") {
    std::string whole;
    auto const value = std::tuple("text", std::vector<int>(20, 1'000), json::object("k", tree{1, 17}));
    REQUIRE(msgpack::write(whole, value));
    for (std::size_t size = 0; size != whole.size(); ++size) {
        std::vector<char> memory(size);
        CHECK(msgpack::write(std::span<char>(memory), value) == error{errc::buffer_too_small, whole.size()});
    }
    std::vector<char> memory(whole.size());
    CHECK(msgpack::write(std::span<char>(memory), value) == whole.size());
    CHECK(std::string(memory.begin(), memory.end()) == whole);
}

TEST_CASE("text that is not UTF-8 makes the write fail, and the target keeps its contents", "[msgpack]") {
    for (std::size_t const size : {0u, 1u, 20u, 40u, 1'000u}) {
        std::string const text = std::string(size, 'x') + "\xff";
        CHECK(failed(text) == error{errc::invalid_utf8, 0});
        CHECK(failed(std::map<std::string, int>{{text, 1}}) == error{errc::invalid_utf8, 0});
        CHECK(failed(std::tuple(std::vector<int>(5'000), text)) == error{errc::invalid_utf8, 0});
    }
    char const* const null = nullptr;
    CHECK(failed(null) == error{errc::null_string, 0});
    CHECK(failed(std::vector<char const*>{"a", nullptr, "\xff"}) == error{errc::null_string, 0});
}

TEST_CASE("a head of a known size is that of as many values behind it", "[msgpack]") {
    for (std::size_t const size : {0u, 1u, 15u, 16u, 65'535u, 65'536u}) {
        CAPTURE(size);
        auto const written = [size](auto begin_or_head, auto key, auto end) {
            std::string bytes;
            auto const whole = msgpack::write_with(bytes, [&](msgpack::writer& out) {
                out.begin_array().value(1).begin_object().key("inside");
                begin_or_head(out);
                for (std::size_t i = 0; i != size; ++i) key(out).value(i % 300);
                end(out);
                out.member("behind", -1).end_object().value("last").end_array();
            });
            CHECK(whole == bytes.size());
            CHECK(msgpack::validate(bytes));
            return bytes;
        };
        auto const nothing = [](msgpack::writer& out) -> msgpack::writer& { return out; };
        auto const key = [](msgpack::writer& out) -> msgpack::writer& { return out.key("k"); };
        CHECK(written([size](auto& out) { out.array_head(size); }, nothing, nothing) ==
              written([](auto& out) { out.begin_array(); }, nothing, [](auto& out) { out.end_array(); }));
        CHECK(written([size](auto& out) { out.object_head(size); }, key, nothing) ==
              written([](auto& out) { out.begin_object(); }, key, [](auto& out) { out.end_object(); }));
    }
    std::string bytes;
    REQUIRE(msgpack::write_with(bytes, [](msgpack::writer& out) { out.array_head(2).value(7).array_head(0); }));
    CHECK(support::to_hex(bytes) == "920790");
}

TEST_CASE("a key and its value are written alike, whether they have room at once or not", "[msgpack]") {
    auto const write = [](msgpack::writer& out) {
        out.begin_object().member("zero", 0).member("yes", true).member("no", false).member("wide", 0x1'0000'0000);
        out.member("deep", std::numeric_limits<std::int64_t>::min()).member("text", "nobody").member("none", "");
        out.member("over", std::string(32, 'x'))
            .member("\xc3\xb6", "\xc3\xb6")
            .member("_placeholder", 1.5)
            .end_object();
    };
    std::string whole;
    REQUIRE(msgpack::write_with(whole, write));
    CHECK(support::to_hex(whole).starts_with(
        "8aa47a65726f00a3796573c3a26e6fc2a477696465cf0000000100000000a464656570d38"));
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        std::string memory(size, '?');
        auto const written = msgpack::write_with(std::span<char>(memory), write);
        CHECK((size == whole.size() ? written == size && memory == whole
                                    : written == error{errc::buffer_too_small, whole.size()}));
    }
    for (std::size_t before = 440; before != 513; ++before) { // as many bytes are written beside the container
        std::string bytes;
        REQUIRE(msgpack::write_with(bytes, [&](msgpack::writer& out) {
            out.array_head(2).value(std::string(before, 'x'));
            write(out);
        }));
        CHECK(bytes.ends_with(whole));
    }
}

TEST_CASE("extensions and undefined are written by the writer itself", "[msgpack]") {
    auto const written = [](auto f) {
        std::string bytes;
        auto const size = msgpack::write_with(bytes, f);
        REQUIRE(size == bytes.size());
        REQUIRE(msgpack::validate(bytes));
        return support::to_hex(bytes);
    };
    CHECK(written([](msgpack::writer& out) { out.undefined(); }) == "d40000");
    std::vector<std::byte> const data(70'000);
    constexpr std::pair<std::size_t, char const*> heads[] = {
        {0, "c70005"}, {1, "d405"},  {2, "d505"},    {3, "c70305"},   {4, "d605"},       {8, "d705"},
        {9, "c70905"}, {16, "d805"}, {17, "c71105"}, {255, "c7ff05"}, {256, "c8010005"}, {65536, "c90001000005"}};
    for (auto const& [size, head] : heads) {
        auto const bytes = byte_view(data).first(size);
        CHECK(written([&](msgpack::writer& out) { out.extension(5, bytes); }) == head + std::string(2 * size, '0'));
    }
    CHECK(written([&](msgpack::writer& out) {
              out.begin_array();
              for (int i = 0; i != 16; ++i) out.extension(-1, byte_view(data).first(1));
              out.end_array();
          }).starts_with("dc0010d4ff00d4ff00"));
    std::string bytes = "kept";
    CHECK(msgpack::write_with(bytes, [](msgpack::writer& out) {
              out.begin_array();
              out.fail(errc::wrong_kind);
          }) == error{errc::wrong_kind, 0});
    CHECK(bytes == "kept");
}

namespace {

struct generic_pair {
    int first;
    std::string second;

    template <class Writer>
    friend void write_json(Writer& out, generic_pair const& p) {
        out.begin_object().member("first", p.first).key("a key that is longer than 31 bytes in all").value(p.second);
        out.member("n", nullptr).member("ok", true).member("bin", as_bytes("x")).end_object();
    }
};
struct json_pair {
    generic_pair same;

    friend void write_json(json::writer& out, json_pair const& p) { write_json(out, p.same); }
};

} // namespace

TEST_CASE("a write_json that is a template and one for JSON give the same bytes", "[msgpack]") {
    generic_pair const p{-5, std::string(40, 'y')};
    CHECK(hex(p) == hex(json_pair{p}));
    CHECK(hex(std::vector{p, p}) == hex(std::vector{json_pair{p}, json_pair{p}}));
    CHECK(failed(json_pair{{1, "\xff"}}) == error{errc::invalid_utf8, 0});
    CHECK(failed(generic_pair{1, "\xff"}) == error{errc::invalid_utf8, 0});
}

TEST_CASE("what is written reads as the same value", "[msgpack]") {
    support::random_source random(13);
    for (int i = 0; i != 3'000; ++i) {
        auto const text = support::random_json(random, 5);
        CAPTURE(text);
        auto const json = json::validate(text);
        REQUIRE(json);
        std::string bytes;
        REQUIRE(msgpack::write(bytes, *json));
        auto const v = msgpack::validate(bytes);
        REQUIRE(v);
        // Through JSON and back nothing changes, and each byte is as short as it can be.
        std::string converted;
        REQUIRE(json::write(converted, *v));
        std::string again;
        REQUIRE(msgpack::write(again, json::validate(converted).value()));
        REQUIRE(support::to_hex(again) == support::to_hex(bytes));
    }
    for (int i = 0; i != 20'000; ++i) {
        std::uint64_t const bits = random() >> random.below(64);
        std::string bytes;
        REQUIRE(msgpack::write(bytes, std::tuple(bits, static_cast<std::int64_t>(bits), std::bit_cast<double>(bits))));
        auto const v = msgpack::validate(bytes);
        REQUIRE(v);
        auto element = v->elements().begin();
        REQUIRE((*element++).get<std::uint64_t>() == bits);
        REQUIRE((*element++).get<std::int64_t>() == static_cast<std::int64_t>(bits));
        auto const number = std::bit_cast<double>(bits);
        double const read = (*element).get<double>().value();
        REQUIRE((std::isnan(number) ? std::isnan(read) : read == number));
    }
}

} // namespace msgpack_writer_test
