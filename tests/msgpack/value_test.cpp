#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"

#include <socketless/json/validate.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace msgpack_value_test {

using namespace socketless;
using namespace std::string_view_literals;
using msgpack::kind;
using msgpack::value;

namespace {

std::string bytes(std::string_view hex) {
    return support::from_hex(hex).value();
}

// Keeps the bytes alive.
struct message {
    std::string data;

    explicit message(std::string_view hex) : data(bytes(hex)) {}
    [[nodiscard]] value operator*() const { return msgpack::validate(data).value(); }
    template <class T>
    [[nodiscard]] result<T> get() const {
        return (**this).get<T>();
    }
};

template <class T>
result<T> read(std::string_view hex) {
    return message(hex).get<T>();
}

constexpr error wrong_kind{errc::wrong_kind, 0};

// Read from any source.
struct point {
    int x = 0;
    int y = 0;

    template <class Source>
    friend result<void> read_json(Source const& from, point& to) {
        auto const first = from.find("x");
        auto const second = from.find("y");
        if (!first || !second) return error{errc::wrong_kind};
        auto const read_x = first->template get<int>();
        auto const read_y = second->template get<int>();
        if (!read_x || !read_y) return error{errc::wrong_kind, 7};
        to = {*read_x, *read_y};
        return {};
    }
};

// Read from JSON only.
struct named {
    std::string name;
    double number = 0;

    friend result<void> read_json(json::text from, named& to) {
        auto const first = from.find("name");
        auto const second = from.find("number");
        if (!first || !second) return error{errc::wrong_kind, 3};
        to.name = first->get<std::string>().value_or("?");
        to.number = second->get<double>().value_or(-1);
        return {};
    }
};

} // namespace

static_assert(value().empty() && value().is(kind::none));
static_assert(value::trusted("\x81\xa1k\x92\xc3\xfe"sv).find("k")->size() == 2);
static_assert((*value::trusted("\x81\xa1k\x92\xc3\xfe"sv).find("k")->elements().begin()).get<bool>() == true);
static_assert(value::trusted("\xd1\xff\x00"sv).get<int>() == -256);
static_assert(value::trusted("\xcb\x3f\xf8\0\0\0\0\0\0"sv).get<double>() == 1.5);
static_assert(value::trusted("\xca\x3f\xc0\0\0"sv).get<double>() == 1.5);
static_assert(value::trusted("\xa2hi"sv).borrow_string() == "hi"sv);
static_assert(std::forward_iterator<msgpack::element_range::iterator>);
static_assert(std::forward_iterator<msgpack::member_range::iterator>);

TEST_CASE("a value says its kind and its size", "[msgpack]") {
    auto const size_of = [](std::string_view hex) { return (*message(hex)).size(); };
    CHECK((*message("c0")).is(kind::null));
    CHECK(size_of("c0") == 0);
    CHECK(size_of("cd0102") == 0);
    CHECK(size_of("cb0000000000000000") == 0);
    CHECK(size_of("93010203") == 3);
    CHECK(size_of("820102a0c0") == 2);
    CHECK(size_of("a3616263") == 3);
    CHECK(size_of("c4020102") == 2);
    CHECK(size_of("d50102ff") == 2);
}

TEST_CASE("integers are exact over 64 bits, whatever their format", "[msgpack]") {
    CHECK(read<int>("7f") == 127);
    CHECK(read<int>("e0") == -32);
    CHECK(read<int>("ff") == -1);
    CHECK(read<int>("ccff") == 255);
    CHECK(read<int>("d0ff") == -1);
    CHECK(read<int>("d080") == -128);
    CHECK(read<int>("d18000") == -32768);
    CHECK(read<int>("d280000000") == std::numeric_limits<int>::min());
    CHECK(read<std::uint32_t>("ceffffffff") == 0xffffffffu);
    CHECK(read<std::uint64_t>("cfffffffffffffffff") == std::numeric_limits<std::uint64_t>::max());
    CHECK(read<std::int64_t>("d38000000000000000") == std::numeric_limits<std::int64_t>::min());
    CHECK(read<std::uint64_t>("d30000000000000007") == 7u);
    CHECK(read<int>("d1007f") == 127); // not the shortest form

    CHECK(read<std::int64_t>("cfffffffffffffffff") == error{errc::out_of_range, 0});
    CHECK(read<std::uint64_t>("ff") == error{errc::out_of_range, 0});
    CHECK(read<std::int8_t>("cc80") == error{errc::out_of_range, 0});
    CHECK(read<std::int8_t>("d080") == -128);
    CHECK(read<std::int8_t>("d1ff7f") == error{errc::out_of_range, 0});
    CHECK(read<unsigned char>("cd0100") == error{errc::out_of_range, 0});
    CHECK(read<int>("c3") == wrong_kind);
    CHECK(read<int>("a131") == wrong_kind);
    CHECK(read<bool>("01") == wrong_kind);
    CHECK(read<bool>("c2") == false);
}

TEST_CASE("a floating-point number that is integral is an integer too", "[msgpack]") {
    CHECK(read<int>("cb4059000000000000") == 100);
    CHECK(read<int>("ca42c80000") == 100);
    CHECK(read<int>("cb8000000000000000") == 0);
    CHECK(read<int>("cbc008000000000000") == -3);
    CHECK(read<std::int64_t>("cbc3e0000000000000") == std::numeric_limits<std::int64_t>::min());
    CHECK(read<std::int64_t>("cb43e0000000000000") == error{errc::out_of_range, 0});
    CHECK(read<std::uint64_t>("cb43e0000000000000") == std::uint64_t{1} << 63u);
    CHECK(read<std::uint64_t>("cb43f0000000000000") == error{errc::out_of_range, 0});
    CHECK(read<int>("cb3ff8000000000000") == error{errc::not_an_integer, 0});
    CHECK(read<int>("cbbfe0000000000000") == error{errc::not_an_integer, 0});
    CHECK(read<int>("cb7ff8000000000000") == error{errc::not_an_integer, 0}); // NaN
    CHECK(read<int>("cb7ff0000000000000") == error{errc::out_of_range, 0});   // infinite
    CHECK(read<int>("cbfff0000000000000") == error{errc::out_of_range, 0});
}

TEST_CASE("floating-point numbers come as they are, NaN and the infinities too", "[msgpack]") {
    CHECK(read<double>("cb7ff0000000000000") == std::numeric_limits<double>::infinity());
    CHECK(read<float>("caff800000") == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(read<double>("ca7fc00000").value()));
    CHECK(std::isnan(read<float>("cb7ff8000000000000").value()));
    CHECK(read<double>("cb3fb999999999999a") == 0.1);
    CHECK(read<float>("cb3fb999999999999a") == 0.1f);
    CHECK(read<float>("cb47efffffe0000000") == std::numeric_limits<float>::max());
    CHECK(read<float>("cb47efffffe8000000") == std::numeric_limits<float>::max());
    CHECK(read<float>("cbc7efffffe8000000") == std::numeric_limits<float>::lowest());
    CHECK(read<float>("cb47effffff0000000") == error{errc::out_of_range, 0});
    CHECK(read<double>("cfffffffffffffffff") == 18446744073709551616.0);
    CHECK(read<double>("ff") == -1);
    CHECK(read<long double>("ccff") == 255);
    CHECK(read<double>("c0") == wrong_kind);
}

TEST_CASE("strings and binary values are read in place or copied", "[msgpack]") {
    message const string("a3c3a978");
    CHECK((*string).borrow_string().value() == "\u00e9x");
    CHECK((*string).borrow_string()->data() == (*string).raw().data() + 1);
    CHECK((*string).equals("\u00e9x"));
    CHECK(!(*string).equals("\u00e9"));
    CHECK(string.get<std::string>() == "\u00e9x");
    CHECK(string.get<std::u8string>() == u8"\u00e9x");
    CHECK(string.get<json::lossy_string>().value() == "\u00e9x");
    CHECK(string.get<byte_view>().error() == wrong_kind);
    CHECK(!(*string).binary());
    CHECK((*message("c40141")).borrow_string() == wrong_kind);
    CHECK(!(*message("c40141")).equals("A"));

    message const binary("c403414243");
    CHECK(as_characters(binary.get<byte_view>().value()) == "ABC");
    CHECK(binary.get<std::vector<unsigned char>>() == std::vector<unsigned char>{'A', 'B', 'C'});
    CHECK(binary.get<std::vector<std::byte>>()->size() == 3);
    CHECK(binary.get<std::span<unsigned char const>>()->size() == 3);
    CHECK(binary.get<std::optional<byte_view>>()->value().size() == 3);
    CHECK(binary.get<std::vector<int>>() == wrong_kind);
}

TEST_CASE("extensions keep their type and their bytes, whatever they mean", "[msgpack]") {
    auto const check = [](std::string_view hex, int type, std::string_view data) {
        message const m(hex);
        auto const e = (*m).extension();
        REQUIRE(e);
        CHECK(int{e->type} == type);
        CHECK(support::to_hex(as_characters(e->data)) == data);
    };
    check("d42aff", 42, "ff");
    check("d5800102", -128, "0102");
    check("d6ff01020304", -1, "01020304");
    check("d7000102030405060708", 0, "0102030405060708");
    check("d87f000102030405060708090a0b0c0d0e0f", 127, "000102030405060708090a0b0c0d0e0f");
    check("c70005", 5, "");
    check("c70305010203", 5, "010203");
    check("c800010501", 5, "01");
    check("c90000000105aa", 5, "aa");
    CHECK(!(*message("c0")).extension());

    // notepack.io before 3.0 writes an ArrayBuffer so, and undefined.
    CHECK((*message("c702004142")).binary()->size() == 2);
    CHECK(!(*message("d5004142")).binary());
    CHECK(!(*message("c702014142")).binary());
    CHECK(!read<std::optional<int>>("d40000").value().has_value());
    CHECK(read<std::optional<int>>("d40100").error() == wrong_kind);
}

TEST_CASE("containers are walked in order", "[msgpack]") {
    message const array("94c001a16193010203");
    std::vector<kind> kinds;
    for (auto const element : (*array).elements()) kinds.push_back(element.kind());
    CHECK(kinds == std::vector{kind::null, kind::integer, kind::string, kind::array});
    CHECK((*array).members().empty());
    CHECK((*message("90")).elements().empty());
    CHECK((*message("80")).members().empty());
    auto const range = (*array).elements();
    CHECK(std::next(range.begin(), 2) == std::next(range.begin(), 2));
    CHECK(std::next(range.begin(), 2) != range.begin());

    message const map("8401a16fc0a16ec40101a162a16ba16b");
    std::string keys;
    for (auto const m : (*map).members()) keys += std::to_string(static_cast<int>(m.key.kind()));
    CHECK(keys == "3165"); // integer, null, binary, string
}

TEST_CASE("of members with one key the last counts", "[msgpack]") {
    message const map("83a1610100c2a16102");
    CHECK((*map).find("a")->get<int>() == 2);
    CHECK(!(*map).find("b"));
    CHECK(!(*message("91a161")).find("a"));
    message const strings("82a16101a16102");
    CHECK(strings.get<std::map<std::string, int>>() == std::map<std::string, int>{{"a", 2}});
    CHECK(strings.get<std::unordered_map<std::string, int>>()->at("a") == 2);
}

TEST_CASE("containers are read as vectors and maps, and errors say where", "[msgpack]") {
    CHECK(read<std::vector<int>>("93010203") == std::vector{1, 2, 3});
    CHECK(read<std::vector<std::optional<int>>>("92c007")->at(1) == 7);
    CHECK(read<std::vector<std::vector<int>>>("9291019102")->size() == 2);
    CHECK(read<std::vector<int>>("9301cd0102a0") == error{errc::wrong_kind, 5});
    CHECK(read<std::vector<std::vector<int>>>("92910192cb3ff800000000000001") == error{errc::not_an_integer, 4});
    CHECK(read<std::vector<int>>("80") == wrong_kind);
    CHECK(read<std::map<std::string, int>>("90") == wrong_kind);
    CHECK(read<std::map<std::string, int>>("81a161c0") == error{errc::wrong_kind, 3});
    CHECK(read<std::map<std::string, int>>("810102") == error{errc::wrong_kind, 1}); // the key
    CHECK(read<std::map<json::lossy_string, std::vector<double>>>("81a1619101")->size() == 1);
    CHECK(read<std::vector<value>>("92c0c3")->size() == 2);
}

TEST_CASE("types of one's own are read from MessagePack, or from JSON made of it", "[msgpack]") {
    CHECK(read<point>("82a17801a179d0fe")->y == -2);
    CHECK(read<point>("81a17801").error() == wrong_kind);
    CHECK(read<std::vector<point>>("9182a178a0a17901").error() == error{errc::wrong_kind, 8});
    CHECK(json::validate(R"({"x":1,"y":2})")->get<point>()->y == 2);

    message const good("82a66e756d626572cb3ff8000000000000a46e616d65a3c3a922");
    CHECK(good.get<named>()->name == "\u00e9\"");
    CHECK(good.get<named>()->number == 1.5);
    CHECK(good.get<std::optional<named>>()->value().number == 1.5);
    CHECK(read<named>("80").error() == wrong_kind);
    CHECK(read<std::vector<named>>("918101c0").error() == error{errc::wrong_kind, 1});
    CHECK(read<named>("81a16bc40101").error() == error{errc::unexpected_binary, 0});
}

TEST_CASE("reading stays within the bytes, even if they are not what was promised", "[msgpack]") {
    auto const ask = [](auto const& self, value v, int depth) -> void {
        v.get<bool>().ignore();
        v.get<std::int64_t>().ignore();
        v.get<double>().ignore();
        v.get<std::string>().ignore();
        v.get<std::vector<int>>().ignore();
        v.get<std::map<std::string, std::string>>().ignore();
        (void)v.binary();
        (void)v.extension();
        (void)v.find("k");
        (void)v.equals("k");
        std::string converted;
        json::write(converted, v).ignore();
        if (depth == 0) return;
        for (auto const element : v.elements()) self(self, element, depth - 1);
        for (auto const m : v.members()) self(self, m.value, depth - 1);
    };
    for (char const* const hex : {"93a16b81a16bc7ff05de000201a5", "dd00000003cd0100d9", "c9ffffffff", "d8", "ca0102",
                                  "df", "d40000", "c70cff000000", "8192a16b0102"}) {
        CAPTURE(hex);
        support::for_each_mutation(bytes(hex), [&](std::string_view any) { ask(ask, value::trusted(any), 4); });
    }
    for (unsigned first = 0; first != 256; ++first) {
        for (unsigned second = 0; second != 256; ++second) {
            char const two[] = {static_cast<char>(first), static_cast<char>(second)};
            support::exact_copy const copy(std::string_view(two, 2));
            ask(ask, value::trusted(copy.view()), 2);
        }
    }
}

} // namespace msgpack_value_test
