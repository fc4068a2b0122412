#include "tools/catch.hpp"
#include "tools/counting_container.hpp"
#include "tools/hex.hpp"
#include "tools/random.hpp"
#include "tools/stringified.hpp"

#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace json_writer_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace user {

struct point {
    double x;
    double y;
};

void write_json(json::writer& out, point const& p) {
    out.begin_object().member("x", p.x).member("y", p.y).end_object();
}

struct labelled {
    std::string label;
    std::uint64_t number;
};

void write_json(json::writer& out, labelled const& l) {
    out.begin_object().member("label", l.label).member("n", l.number).end_object();
}

enum class color { red, green };

constexpr void write_json(json::writer& out, color c) {
    out.string(c == color::red ? "red" : "green");
}

// Without its write_json, it would be written as an array.
struct tags : std::vector<std::string> {
    using vector::vector;

    friend void write_json(json::writer& out, tags const& t) {
        std::string joined;
        for (std::string const& tag : t) joined += '#' + tag;
        out.string(joined);
    }
};

struct never {
    friend void write_json(json::writer& out, never const&) {
        out.fail(errc::invalid_payload).fail(errc::invalid_utf8).null();
    }
};

struct name {
    std::string text;
    operator std::string_view() const { return text; } // NOLINT: implicit on purpose
};

} // namespace user

namespace {

template <class T>
result<std::string> written(T const& value) {
    std::string out;
    auto const size = json::write(out, value);
    if (!size) {
        CHECK(out.empty());
        return size.error();
    }
    CHECK(*size == out.size());
    CHECK(json::validate(out));
    return out;
}

// The text that a function writes; `attachments` may be null.
template <class F>
std::string pieces(F f, attachment_list* attachments = nullptr) {
    char memory[256];
    socketless::core_detail::output out(memory, sizeof memory);
    json::writer w(out, attachments);
    f(w);
    CHECK(w.status());
    return std::string(out.kept());
}

template <class T>
constexpr bool writes(T const& value, std::string_view expected) {
    std::array<char, 128> memory{};
    auto const size = json::write(std::span<char>(memory), value);
    return size && std::string_view(memory.data(), *size) == expected;
}

} // namespace

static_assert(writes(nullptr, "null"));
static_assert(writes(true, "true"));
static_assert(writes(-12, "-12"));
static_assert(writes("a\n\u00e9", "\"a\\n\u00e9\""));
static_assert(writes(std::array{1, 2, 3}, "[1,2,3]"));
static_assert(writes(std::tuple(1, "two", std::optional<int>()), R"([1,"two",null])"));
static_assert(writes(json::object("id", 1, "tags", std::array{"a"sv, "b"sv}), R"({"id":1,"tags":["a","b"]})"));
static_assert(writes(user::color::green, R"("green")"));

TEST_CASE("unsigned characters are bytes wherever they lie together, and never numbers", "[writer]") {
    std::vector<unsigned char> const vector{1, 2};
    std::array<std::uint8_t, 2> const array{1, 2};
    std::uint8_t const plain[2] = {1, 2};
    std::vector<unsigned char> const more(2, 1);
    attachment_list attachments;
    auto const json = pieces(
        [&](json::writer& w) {
            w.begin_array().value(vector).value(array).value(plain).value(more).value(std::span(vector));
            w.value(std::optional(vector))
                .value(std::vector{array})
                .value(std::variant<int, std::span<std::uint8_t const>>(plain));
            w.begin_object().member("x", vector).end_object().end_array();
        },
        &attachments);
    CHECK(attachments.size() == 9);
    for (byte_view const a : attachments) CHECK(a.size() == 2);
    CHECK(attachments[0].data() == std::as_bytes(std::span(vector)).data()); // borrowed
    CHECK(json.find("[1,2]") == json.npos);
    CHECK(written(vector) == error{errc::unexpected_binary});
    CHECK(written(std::map<std::string, std::array<std::uint8_t, 2>>{{"a", array}}) == error{errc::unexpected_binary});
    // Single ones are small numbers.
    CHECK(written(std::tuple(std::uint8_t{1}, std::int8_t{-1})) == "[1,-1]");
}

TEST_CASE("an array of characters is a string up to its first zero, or to its end", "[writer]") {
    char const full[3] = {'a', 'b', 'c'};
    char buffer[8] = "ab";
    buffer[3] = '\xff'; // behind the zero
    CHECK(written(full) == R"("abc")");
    CHECK(written(buffer) == R"("ab")");
    buffer[7] = 'x';
    CHECK(written(buffer) == R"("ab")");
    char const rows[2][2] = {{'a', 'b'}, {'c', '\0'}};
    CHECK(written(rows) == R"(["ab","c"])");
    CHECK(written(json::object(full, full)) == R"({"abc":"abc"})");
    CHECK(pieces([&](json::writer& w) { w.begin_object().member(full, full).key(full).string(full).end_object(); }) ==
          R"({"abc":"abc","abc":"abc"})");
    CHECK(written("") == R"("")");
}

TEST_CASE("a null pointer is no string, wherever one stands", "[writer]") {
    char const* const null = nullptr;
    char* const changeable = nullptr;
    char8_t const* const utf8 = nullptr;
    error const expected{errc::null_string};
    CHECK(written(null) == expected);
    CHECK(written(changeable) == expected);
    CHECK(written(utf8) == expected);
    CHECK(written(std::vector{null, null}) == expected);
    CHECK(written(std::optional(null)) == expected);
    CHECK(written(std::map<char const*, int>{{null, 1}}) == expected);
    CHECK(written(json::object(null, 1)) == expected);
    CHECK(written(json::object("a", null)) == expected);
    CHECK(written(std::variant<int, char const*>(null)) == expected);
    CHECK(written(nullptr) == "null");
    CHECK(written("\xff") == error{errc::invalid_utf8});
}

// Literals of all lengths have one type, so that their writer is instantiated once.
static_assert(std::is_same_v<decltype(json::object("a", "x")), decltype(json::object("abc", "xyzzy"))>);

TEST_CASE("text of char8_t is UTF-8", "[writer]") {
    char8_t const full[2] = {u8'a', u8'b'};
    CHECK(written(u8"caf\u00e9") == "\"caf\u00e9\"");
    CHECK(written(std::u8string(u8"\u20ac")) == "\"\u20ac\"");
    CHECK(written(full) == R"("ab")");
    CHECK(written(json::object(u8"a", std::vector<std::u8string_view>{u8"b"})) == R"({"a":["b"]})");
}

TEST_CASE("a lossy string is written as the string that it is", "[writer]") {
    CHECK(written(json::lossy_string("a\"")) == R"("a\"")");
}

TEST_CASE("an empty text is written as null wherever a value can stand", "[writer]") {
    json::text const nothing;
    CHECK(written(nothing) == "null");
    CHECK(written(std::vector<json::text>{nothing, nothing}) == "[null,null]");
    CHECK(written(std::optional(nothing)) == "null");
    CHECK(written(std::tuple(1, nothing, 2)) == "[1,null,2]");
    CHECK(written(std::variant<int, json::text>(nothing)) == "null");
    CHECK(written(std::map<std::string, json::text>{{"a", nothing}}) == R"({"a":null})");
    CHECK(written(json::object("a", nothing, "b", 1)) == R"({"a":null,"b":1})");
    CHECK(pieces([&](json::writer& w) { w.begin_array().raw(nothing).raw(nothing).end_array(); }) == "[null,null]");
}

TEST_CASE("null is written for a value that is absent", "[writer]") {
    CHECK(written(nullptr) == "null");
    CHECK(written(std::nullopt) == "null");
    CHECK(written(std::monostate()) == "null");
    CHECK(written(std::optional<int>()) == "null");
}

TEST_CASE("booleans are words", "[writer]") {
    CHECK(written(true) == "true");
    CHECK(written(false) == "false");
    CHECK(written(std::vector{true, false}) == "[true,false]");
}

TEST_CASE("integers of every type keep all their digits", "[writer]") {
    CHECK(written(0) == "0");
    CHECK(written(std::int8_t{-128}) == "-128");
    CHECK(written(std::uint8_t{65}) == "65"); // a number, not the letter A
    CHECK(written(static_cast<signed char>(65)) == "65");
    CHECK(written(short{-1}) == "-1");
    CHECK(written(std::uint16_t{65535}) == "65535");
    CHECK(written(4294967295u) == "4294967295");
    CHECK(written(9007199254740993) == "9007199254740993");
    CHECK(written(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(written(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(written(std::vector<std::int8_t>{1, -1}) == "[1,-1]");
}

TEST_CASE("floating point numbers are written as JavaScript prints them", "[writer]") {
    CHECK(written(1.0) == "1");
    CHECK(written(-0.5) == "-0.5");
    CHECK(written(1e21) == "1e+21");
    CHECK(written(1e-7) == "1e-7");
    CHECK(written(0.1f) == "0.10000000149011612"); // the double that it is
    CHECK(written(-0.0) == "0");
    CHECK(written(std::numeric_limits<double>::quiet_NaN()) == "null");
    CHECK(written(std::numeric_limits<double>::infinity()) == "null");
    CHECK(written(-std::numeric_limits<float>::infinity()) == "null");
}

TEST_CASE("everything that converts to std::string_view is a string", "[writer]") {
    char const* const pointer = "abc";
    CHECK(written("abc") == R"("abc")");
    CHECK(written(pointer) == R"("abc")");
    CHECK(written("abc"sv) == R"("abc")");
    CHECK(written(std::string("abc")) == R"("abc")");
    CHECK(written(user::name{"abc"}) == R"("abc")");
    CHECK(written("") == R"("")");
    CHECK(written(std::string_view()) == R"("")");
    CHECK(written("a\0b"sv) == R"("a\u0000b")");
}

TEST_CASE("JSON that is already made is written as it is", "[writer]") {
    CHECK(written(json::text::trusted("[1, 2.50]")) == "[1, 2.50]");
    CHECK(written(std::vector{json::text::trusted("1"), json::text::trusted("{}")}) == "[1,{}]");
    CHECK(written(json::object("raw", json::text::trusted("1e3"))) == R"({"raw":1e3})");
}

TEST_CASE("an optional is its value or null, a variant its alternative", "[writer]") {
    CHECK(written(std::optional(5)) == "5");
    CHECK(written(std::optional(std::optional<int>())) == "null");
    CHECK(written(std::optional(std::vector{1})) == "[1]");
    using any = std::variant<std::monostate, bool, double, std::string, std::vector<int>>;
    CHECK(written(std::vector<any>{any(), true, 1.5, std::string("s"), std::vector{1, 2}}) ==
          R"([null,true,1.5,"s",[1,2]])");
}

TEST_CASE("ranges are arrays", "[writer]") {
    int const c_array[] = {1, 2};
    CHECK(written(c_array) == "[1,2]");
    CHECK(written(std::vector<int>()) == "[]");
    CHECK(written(std::vector{1, 2, 3}) == "[1,2,3]");
    CHECK(written(std::list{1, 2}) == "[1,2]");
    CHECK(written(std::deque{"a", "b"}) == R"(["a","b"])");
    CHECK(written(std::set{2, 1}) == "[1,2]");
    CHECK(written(std::array{1.5, 2.5}) == "[1.5,2.5]");
    CHECK(written(std::span(c_array)) == "[1,2]");
    CHECK(written(std::vector<std::vector<int>>{{}, {1}, {2, 3}}) == "[[],[1],[2,3]]");
    CHECK(written(std::vector<std::optional<int>>{1, std::nullopt}) == "[1,null]");
    CHECK(written(std::vector<std::string>{"a", "\n"}) == R"(["a","\n"])");
}

TEST_CASE("tuples and pairs are arrays", "[writer]") {
    CHECK(written(std::tuple()) == "[]");
    CHECK(written(std::tuple(1, "two", 3.5, nullptr)) == R"([1,"two",3.5,null])");
    CHECK(written(std::pair("a", std::vector{1})) == R"(["a",[1]])");
    CHECK(written(std::vector{std::pair(1, 2)}) == "[[1,2]]");
}

TEST_CASE("maps are objects", "[writer]") {
    CHECK(written(std::map<std::string, int>()) == "{}");
    CHECK(written(std::map<std::string, int>{{"a", 1}, {"b", 2}}) == R"({"a":1,"b":2})");
    CHECK(written(std::unordered_map<std::string_view, bool>{{"a\"", true}}) == R"({"a\"":true})");
    CHECK(written(std::map<std::string, std::map<std::string, std::vector<int>>>{{"a", {{"b", {1}}}}, {"c", {}}}) ==
          R"({"a":{"b":[1]},"c":{}})");
}

TEST_CASE("objects can be made on the spot, of values and of references", "[writer]") {
    std::vector<std::string> const tags = {"x", "y"};
    CHECK(written(json::object()) == "{}");
    CHECK(written(json::object("id", 1)) == R"({"id":1})");
    CHECK(written(json::object("id", 1, "tags", tags)) == R"({"id":1,"tags":["x","y"]})");
    CHECK(written(json::object("a", json::object("b", json::object()))) == R"({"a":{"b":{}}})");
    CHECK(written(std::vector{json::object("a", 1), json::object("a", 2)}) == R"([{"a":1},{"a":2}])");

    int count = 1;
    auto const object = json::object("count", count);
    count = 2;
    CHECK(written(object) == R"({"count":2})");
}

TEST_CASE("an object made on the spot keeps the temporaries that it was made of", "[writer]") {
    auto const long_text = [](char c) { return std::string(100, c); };
    auto const object = json::object(long_text('n'), long_text('v'), long_text('l'), std::vector{long_text('e')});
    CHECK(written(object) == "{\"" + long_text('n') + "\":\"" + long_text('v') + "\",\"" + long_text('l') + "\":[\"" +
                                 long_text('e') + "\"]}");
}

TEST_CASE("a type of the user's own is what its write_json writes, at any depth", "[writer]") {
    user::point const p = {1, -2.5};
    CHECK(written(p) == R"({"x":1,"y":-2.5})");
    CHECK(written(std::vector{p, p}) == R"([{"x":1,"y":-2.5},{"x":1,"y":-2.5}])");
    CHECK(written(std::optional(p)) == R"({"x":1,"y":-2.5})");
    CHECK(written(std::map<std::string, user::point>{{"p", p}}) == R"({"p":{"x":1,"y":-2.5}})");
    CHECK(written(json::object("p", p, "c", user::color::red)) == R"({"p":{"x":1,"y":-2.5},"c":"red"})");
    CHECK(written(std::tuple(user::color::green, std::variant<int, user::point>(p))) ==
          R"(["green",{"x":1,"y":-2.5}])");
}

TEST_CASE("write_json comes before everything else that a type may be", "[writer]") {
    CHECK(written(user::tags{"a", "b"}) == R"("#a#b")");
}

TEST_CASE("write_json can make the whole write fail, and the first failure counts", "[writer]") {
    CHECK(written(user::never()) == error{errc::invalid_payload});
    CHECK(written(std::tuple(1, user::never(), "\xff")) == error{errc::invalid_payload});
    CHECK(written(std::tuple("\xff", user::never())) == error{errc::invalid_utf8});
}

TEST_CASE("the writer puts the commas and colons", "[writer]") {
    CHECK(pieces([](json::writer& w) {
              w.begin_array().null().boolean(true).number(1).number(1.5).string("s").begin_array().end_array();
              w.begin_object().end_object().value("v").raw(json::text::trusted("{}")).end_array();
          }) == R"([null,true,1,1.5,"s",[],{},"v",{}])");
    CHECK(pieces([](json::writer& w) {
              w.begin_object().key("a").begin_array().end_array().key("b").null().member("c", 1);
              w.raw_key(json::text::trusted(R"("\ud800")")).begin_object().member("d", "e").end_object().end_object();
          }) == R"({"a":[],"b":null,"c":1,"\ud800":{"d":"e"}})");
}

TEST_CASE("JSON made of parts is one value", "[writer]") {
    CHECK(pieces([](json::writer& w) {
              w.begin_array().number(1);
              w.begin_raw().raw_part("[2,").raw_part("3]").end_raw();
              w.number(4).end_array();
          }) == "[1,[2,3],4]");
}

TEST_CASE("a binary value is a placeholder and an attachment", "[writer]") {
    std::array const first = {std::byte{1}, std::byte{2}};
    std::vector const second = {std::byte{3}};
    attachment_list attachments;
    CHECK(pieces(
              [&](json::writer& w) {
                  w.begin_array().value(first).value(json::object("b", byte_view(second))).value(second).end_array();
              },
              &attachments) == R"([{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}},)"
                               R"({"_placeholder":true,"num":2}])");
    REQUIRE(attachments.size() == 3);
    CHECK(attachments[0].data() == first.data());
    CHECK(attachments[0].size() == 2);
    CHECK(attachments[1].data() == second.data());
    CHECK(attachments[2].data() == second.data());
}

TEST_CASE("a binary value goes between the parts of JSON that is already made", "[writer]") {
    std::vector const bytes = {std::byte{1}};
    attachment_list attachments;
    CHECK(pieces(
              [&](json::writer& w) {
                  w.begin_array().null().begin_raw().raw_part("[1,");
                  w.binary(bytes).raw_part(",").binary(bytes).raw_part("]").end_raw().null().end_array();
              },
              &attachments) == R"([null,[1,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}],null])");
    CHECK(attachments.size() == 2);
}

TEST_CASE("binary is refused where there may be none", "[writer]") {
    std::vector const bytes = {std::byte{1}};
    CHECK(written(bytes) == error{errc::unexpected_binary});
    CHECK(written(std::tuple(1, std::map<std::string, byte_view>{{"a", bytes}})) == error{errc::unexpected_binary});
    CHECK(written(json::object("empty", byte_view())) == error{errc::unexpected_binary});
}

TEST_CASE("strings are escaped as JSON.stringify does", "[writer]") {
    CHECK(written("\"\\\b\f\n\r\t") == R"("\"\\\b\f\n\r\t")");
    CHECK(written("\x01\x0b\x1f") == R"("\u0001\u000b\u001f")");
    CHECK(written("/\x7f") == "\"/\x7f\"");
    CHECK(written("\u0080\u2028\u2029\ufeff\U0001f600") == "\"\u0080\u2028\u2029\ufeff\U0001f600\"");
    CHECK(written(std::map<std::string, int>{{"\n\u00e9", 1}}) == "{\"\\n\u00e9\":1}");
}

TEST_CASE("every ASCII character is escaped as JSON.stringify does, wherever it is", "[writer]") {
    for (unsigned byte = 0; byte != 128; ++byte) {
        for (std::size_t size = 1; size <= 20; ++size) {
            for (std::size_t i = 0; i != size; ++i) {
                std::string s(size, 'x');
                s[i] = static_cast<char>(byte);
                std::string out;
                if (!json::write(out, s) || out != support::stringified(s)) FAIL_CHECK(support::to_hex(s));
            }
        }
    }
}

TEST_CASE("a string is read back as it was written", "[writer]") {
    constexpr std::string_view characters[] = {"a",    "z", " ",      "\"",     "\\",         "\n",       "\x01",
                                               "\x7f", "/", "\u00e9", "\u20ac", "\U0001f600", "eight pl", "\0"sv};
    support::random_source random(50);
    for (int i = 0; i != 10'000; ++i) {
        std::string s;
        for (std::size_t n = random.below(12); n != 0; --n) s += random.pick(characters);
        std::string out;
        bool const good = json::write(out, s) && out == support::stringified(s) && json::validate(out) &&
                          json::validate(out)->get<std::string>() == s && json::validate(out)->equals(s);
        if (!good) FAIL_CHECK(support::to_hex(s));
    }
}

TEST_CASE("a string that is a member is written as one that stands alone, whatever room there is", "[writer]") {
    constexpr std::string_view characters[] = {"a",      "z",          "\"",   "\n",      "\x01",
                                               "\u00e9", "\U0001f600", "\xff", "eight pl"};
    support::random_source random(51);
    for (int i = 0; i != 2'000; ++i) {
        user::labelled value{.label = {}, .number = random.below(1000)};
        for (std::size_t n = random.below(30); n != 0; --n) value.label += random.pick(characters);
        // A key of which the compiler knows nothing goes another way.
        auto const expected = written(json::object(std::string("label"), value.label, std::string("n"), value.number));
        if (written(value) != expected) FAIL_CHECK(support::to_hex(value.label));
        if (!expected) continue;
        std::size_t const room = random.below(expected->size() + 8);
        std::vector<char> memory(room, '?');
        auto const filled = json::write(std::span<char>(memory), value);
        bool const good = room < expected->size()
                              ? filled == error{errc::buffer_too_small, expected->size()}
                              : filled == expected->size() && std::string(memory.data(), expected->size()) == *expected;
        if (!good) FAIL_CHECK(support::to_hex(value.label) << " in " << room);
    }
}

TEST_CASE("text that is not UTF-8 is refused, wherever it is, and the container is as it was", "[writer]") {
    for (std::string_view const bad :
         {"\xff"sv, "\x80"sv, "\xc3"sv, "\xed\xa0\x80"sv, "plain and more \xe2\x82"sv, "a\n\xf4\x90\x80\x80z"sv}) {
        std::string const s(bad);
        CHECK(written(s) == error{errc::invalid_utf8});
        CHECK(written(std::vector{std::string("good"), s}) == error{errc::invalid_utf8});
        CHECK(written(std::map<std::string, int>{{s, 1}}) == error{errc::invalid_utf8});
        CHECK(written(json::object("a", json::object("b", std::optional(s)))) == error{errc::invalid_utf8});
        for (std::size_t const room : {0u, 8u, 100u, 1000u}) {
            support::counting_container target("before", 6 + room);
            CHECK(json::write(target, std::tuple(1, s, std::string(200, 'x'))) == error{errc::invalid_utf8});
            CHECK(target.view() == "before");
            CHECK(target.growths() == 0);
        }
        std::array<char, 64> memory{};
        CHECK(json::write(std::span<char>(memory), s) == error{errc::invalid_utf8});
    }
}

TEST_CASE("a value is appended to a container, which grows at most once", "[writer]") {
    for (std::size_t const size : {0u, 5u, 500u, 600u, 5000u}) {
        std::vector<std::string> const value = {std::string(size, 'x'), "\n"};
        std::string const expected = "[\"" + std::string(size, 'x') + "\",\"\\n\"]";
        for (std::size_t const room :
             {std::size_t{0}, std::size_t{1}, expected.size() - 1, expected.size(), std::size_t{6000}}) {
            support::counting_container target("before", 6 + room);
            auto const added = json::write(target, value);
            CHECK(added == expected.size());
            CHECK(target.view() == "before" + expected);
            CHECK((target.growths() == 0) == (room >= expected.size()));
        }
    }
}

TEST_CASE("a value fills a span from its start, or the error says how large the span should be", "[writer]") {
    auto const value =
        json::object("name", "\u00e9\n\x01", "list", std::tuple(1, -2.5, true, nullptr), "more", std::string(20, 'm'));
    std::string const expected = written(value).value();
    for (std::size_t size = 0; size <= expected.size() + 2; ++size) {
        std::vector<char> memory(size, '?');
        auto const filled = json::write(std::span<char>(memory), value);
        if (size < expected.size()) {
            CHECK(filled == error{errc::buffer_too_small, expected.size()});
        } else {
            CHECK(filled == expected.size());
            CHECK(std::string(memory.begin(), memory.end()) == expected + std::string(size - expected.size(), '?'));
        }
    }
}

} // namespace json_writer_test
