#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/json/validate.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace json_text_test {

using namespace socketless;
using namespace std::string_view_literals;
using json::kind;
using json::text;

namespace user {

struct point {
    double x = 0;
    double y = 0;

    friend bool operator==(point const&, point const&) = default;
};

constexpr result<void> read_json(text from, point& to) {
    auto const x = from.find("x");
    auto const y = from.find("y");
    if (!x || !y) return errc::wrong_kind;
    auto const read = [](text number, double& coordinate) -> result<void> {
        auto const value = number.get<double>();
        if (!value) return value.error();
        coordinate = *value;
        return {};
    };
    if (auto const done = read(*x, to.x); !done) return done;
    return read(*y, to.y);
}

enum class color { red, green };

constexpr result<void> read_json(text from, color& to) noexcept {
    if (!from.equals("red") && !from.equals("green")) return {errc::out_of_range, 1};
    to = from.equals("red") ? color::red : color::green;
    return {};
}

// Without its read_json, it would be read as a list of strings.
struct tags : std::vector<std::string> {
    friend result<void> read_json(text from, tags& to) {
        auto contents = from.get<std::string>();
        if (!contents) return contents.error();
        to.push_back(*contents);
        return {};
    }
};

// Converts from everything, as some JSON values do; still it is not read in the place of other types.
struct anything {
    anything() = default;
    template <class T>
    anything(T const&) {} // NOLINT: implicit on purpose

    std::string json;

    friend result<void> read_json(text from, anything& to) {
        to.json = from.raw();
        return {};
    }
};

} // namespace user

namespace {

// `s` is JSON; otherwise this gives a text that no test expects.
constexpr text parsed(std::string_view s) {
    return json::validate(s).value_or(text::trusted("not JSON"));
}

// Compared within parentheses of their own: an optional compares with anything, Catch2's expressions too.
template <class T>
using optional_result = result<std::optional<T>>;

constexpr std::string_view values[] = {"null",       "true",    "false", "0",          "-12.5e3", R"("")",
                                       R"("plain")", R"("\n")", "[]",    R"([1,"a"])", "{}",      R"({"a":1})"};

// The contents of a string, read in each of the three ways, which must agree.
result<std::string> contents_of(text string) {
    support::exact_copy const buffer(string.raw());
    auto const contents = string.get<std::string>();
    auto const unescaped = string.unescape(buffer.span());
    CHECK(contents.has_value() == unescaped.has_value());
    if (contents) {
        CHECK(*contents == *unescaped);
        CHECK(string.equals(*contents));
        CHECK_FALSE(string.equals(*contents + "x"));
        if (!contents->empty()) CHECK_FALSE(string.equals(std::string_view(*contents).substr(1)));
    } else {
        CHECK(contents.error() == unescaped.error());
    }
    return contents;
}

std::vector<std::string> raw_elements(text array) {
    std::vector<std::string> all;
    for (text const element : array.elements()) all.emplace_back(element.raw());
    return all;
}

std::vector<std::string> raw_members(text object) {
    std::vector<std::string> all;
    for (json::member const m : object.members())
        all.push_back(std::string(m.key.raw()) + ' ' + std::string(m.value.raw()));
    return all;
}

// Reads all of `value`, valid or not, in every way, for a sanitizer to watch.
std::size_t walk(text value, int levels = 8) {
    support::exact_copy const buffer(value.raw());
    auto seen = static_cast<std::size_t>(value.kind());
    for (bool const answer :
         {value.empty(), value.has_escapes(), value.get<bool>().has_value(), value.get<int>().has_value(),
          value.get<std::uint64_t>().has_value(), value.get<double>().has_value(), value.get<float>().has_value(),
          value.borrow_string().has_value(), value.get<json::lossy_string>().has_value(),
          value.get<std::string>().has_value(), value.get<std::optional<int>>().has_value(),
          value.get<std::vector<int>>().has_value(), value.get<std::map<std::string, text>>().has_value(),
          value.unescape(buffer.span()).has_value(), value.unescape({}).has_value(),
          value.unescape_lossy(buffer.span()).has_value(), value.equals("key"), value.find("key").has_value()})
        seen += answer;
    if (levels == 0) return seen;
    for (text const element : value.elements()) seen += walk(element, levels - 1);
    for (json::member const m : value.members()) seen += walk(m.key, levels - 1) + walk(m.value, levels - 1);
    return seen;
}

// Whether the text of `part` lies in that of `whole`.
bool is_within(text part, text whole) {
    char const* const begin = whole.raw().data();
    return part.raw().data() >= begin && part.raw().data() + part.raw().size() <= begin + whole.raw().size();
}

constexpr int sum_at_compile_time() {
    int sum = 0;
    for (text const element : parsed("[1, 2, [3], 4]").elements()) sum += element.get<int>().value_or(100);
    return sum;
}

constexpr bool unescapes_at_compile_time() {
    std::array<char, 16> buffer{};
    return parsed(R"("a\u00e9\n")").unescape(buffer) == "a\u00e9\n"sv;
}

} // namespace

static_assert(text().empty() && text().is(kind::none));
static_assert(parsed("[1]").is(kind::array));
static_assert(parsed("12").get<int>() == 12 && parsed("1.2e1").get<int>() == 12 && parsed("1.5").get<double>() == 1.5);
static_assert(parsed("true").get<bool>() == true && parsed(R"("a")").borrow_string() == "a"sv);
static_assert(parsed("null").get<std::optional<int>>() == optional_result<int>(std::nullopt));
static_assert(parsed(R"({"a":1,"b":[2]})").find("b") == parsed("[2]"));
static_assert(sum_at_compile_time() == 107);
static_assert(unescapes_at_compile_time());
static_assert(parsed(R"("\ud83d\ude00")").equals("\U0001f600"));
static_assert(parsed(R"({"x":1,"y":2.5})").get<user::point>() == user::point{1, 2.5});
static_assert(parsed(R"("green")").get<user::color>() == user::color::green);

static_assert(std::forward_iterator<json::element_range::iterator>);
static_assert(std::forward_iterator<json::member_range::iterator>);
static_assert(std::ranges::forward_range<json::element_range>);
static_assert(std::ranges::forward_range<json::member_range>);
static_assert(std::sentinel_for<std::default_sentinel_t, json::element_range::iterator>);
static_assert(std::is_trivially_copyable_v<text>);

TEST_CASE("the first character of JSON says what it is", "[text]") {
    CHECK(text().kind() == kind::none);
    CHECK(parsed("null").kind() == kind::null);
    CHECK(parsed("true").kind() == kind::boolean);
    CHECK(parsed("false").kind() == kind::boolean);
    CHECK(parsed("0").kind() == kind::number);
    CHECK(parsed("-1").kind() == kind::number);
    CHECK(parsed("9e9").kind() == kind::number);
    CHECK(parsed("\"\"").kind() == kind::string);
    CHECK(parsed("[]").kind() == kind::array);
    CHECK(parsed("{}").kind() == kind::object);
    CHECK(parsed(" {} ").kind() == kind::object);
}

TEST_CASE("a value of another kind is refused as that", "[text]") {
    for (std::string_view const s : values) {
        CAPTURE(s);
        text const value = parsed(s);
        bool const plain_string = value.is(kind::string) && !value.has_escapes();
        error const wrong{errc::wrong_kind};
        CHECK((value.get<bool>() == wrong) == !value.is(kind::boolean));
        CHECK((value.get<int>() == wrong) == !value.is(kind::number));
        CHECK((value.get<std::uint64_t>() == wrong) == !value.is(kind::number));
        CHECK((value.get<double>() == wrong) == !value.is(kind::number));
        CHECK((value.get<float>() == wrong) == !value.is(kind::number));
        CHECK((value.borrow_string() == wrong) == !value.is(kind::string));
        CHECK((value.borrow_string() == error{errc::escaped_string, value.raw().find(92)}) ==
              (value.is(kind::string) && !plain_string));
        CHECK((value.get<std::string>() == wrong) == !value.is(kind::string));
        CHECK((value.unescape({}) == wrong) == !value.is(kind::string));
        CHECK((value.get<std::optional<bool>>() == wrong) == !(value.is(kind::boolean) || value.is(kind::null)));
        CHECK(value.get<text>() == value);
        if (!value.is(kind::array)) CHECK(value.elements().empty());
        if (!value.is(kind::object)) CHECK(value.members().empty());
        if (!value.is(kind::string)) CHECK_FALSE(value.equals(value.raw()));
        if (s != R"({"a":1})") CHECK(value.find("a") == std::nullopt);
    }
}

TEST_CASE("an empty text has no kind, and can be read as no type but text", "[text]") {
    CHECK(text().get<bool>() == error{errc::wrong_kind});
    CHECK(text().get<int>() == error{errc::wrong_kind});
    CHECK(text().get<std::string>() == error{errc::wrong_kind});
    CHECK(text().get<std::optional<int>>() == error{errc::wrong_kind});
    CHECK(text().get<text>() == text());
    CHECK(text().elements().empty());
    CHECK(text().members().empty());
}

TEST_CASE("an integer type takes a number whose value it has, however that is written", "[text]") {
    CHECK(parsed("12").get<int>() == 12);
    CHECK(parsed("12.0").get<int>() == 12);
    CHECK(parsed("1.2e1").get<int>() == 12);
    CHECK(parsed("-0").get<unsigned>() == 0u);
    CHECK(parsed("-128").get<std::int8_t>() == std::int8_t{-128});
    CHECK(parsed("128").get<std::int8_t>() == error{errc::out_of_range});
    CHECK(parsed("\"caf\\u00e9\"").get<std::u8string>() == std::u8string(u8"caf\u00e9"));
    CHECK(parsed("256").get<std::uint8_t>() == error{errc::out_of_range});
    CHECK(parsed("-1").get<std::uint64_t>() == error{errc::out_of_range});
    CHECK(parsed("18446744073709551615").get<std::uint64_t>() == std::numeric_limits<std::uint64_t>::max());
    CHECK(parsed("18446744073709551616").get<std::uint64_t>() == error{errc::out_of_range});
    CHECK(parsed("9007199254740993").get<std::int64_t>() == 9007199254740993);
    CHECK(parsed("1.5").get<int>() == error{errc::not_an_integer});
    CHECK(parsed("1e400").get<int>() == error{errc::out_of_range});
}

TEST_CASE("a floating point type takes the number nearest to what is written", "[text]") {
    CHECK(parsed("0.1").get<double>() == 0.1);
    CHECK(parsed("0.1").get<float>() == 0.1f);
    CHECK(parsed("12").get<double>() == 12.0);
    CHECK(parsed("9007199254740993").get<double>() == 9007199254740992.0);
    CHECK(std::signbit(*parsed("-0").get<double>()));
    CHECK(parsed("1e-400").get<double>() == 0.0);
    CHECK(parsed("1e400").get<double>() == error{errc::out_of_range});
    CHECK(parsed("1e39").get<double>() == 1e39);
    CHECK(parsed("1e39").get<float>() == error{errc::out_of_range});
    CHECK(parsed("1.00000005960464477539062500000001").get<float>() == 0x1.000002p0f);
}

TEST_CASE("an optional takes null besides what its value takes", "[text]") {
    CHECK((parsed("null").get<std::optional<int>>() == optional_result<int>(std::nullopt)));
    CHECK((parsed("5").get<std::optional<int>>() == optional_result<int>(5)));
    CHECK(parsed("5.5").get<std::optional<int>>() == error{errc::not_an_integer});
    CHECK((parsed("false").get<std::optional<bool>>() == optional_result<bool>(false)));
    CHECK((parsed(R"("a\n")").get<std::optional<std::string>>() == optional_result<std::string>("a\n")));
    CHECK((parsed("[]").get<std::optional<text>>() == optional_result<text>(parsed("[]"))));
}

TEST_CASE("a vector takes an array of what its elements take", "[text]") {
    CHECK(parsed("[]").get<std::vector<int>>() == std::vector<int>());
    CHECK(parsed(" [ 1 , 2 ] ").get<std::vector<int>>() == std::vector{1, 2});
    CHECK(parsed("[true,false]").get<std::vector<bool>>() == std::vector{true, false});
    CHECK(parsed(R"(["a","\n"])").get<std::vector<std::string>>() == std::vector<std::string>{"a", "\n"});
    CHECK(parsed("[[1],[],[2,3]]").get<std::vector<std::vector<int>>>() ==
          std::vector<std::vector<int>>{{1}, {}, {2, 3}});
    CHECK((parsed("[1,null]").get<std::vector<std::optional<int>>>() == std::vector<std::optional<int>>{1, {}}));
    CHECK((parsed("null").get<std::optional<std::vector<int>>>() == optional_result<std::vector<int>>(std::nullopt)));
    CHECK(parsed(R"({"0":1})").get<std::vector<int>>() == error{errc::wrong_kind});
    CHECK(text().get<std::vector<int>>() == error{errc::wrong_kind});
}

TEST_CASE("the first element that a vector cannot take is the error, and says where it is", "[text]") {
    CHECK(parsed(R"([1,"2",3.5])").get<std::vector<int>>() == error{errc::wrong_kind, 3});
    CHECK(parsed("[1, 3.5]").get<std::vector<int>>() == error{errc::not_an_integer, 4});
    CHECK(parsed("[[1],[2,300]]").get<std::vector<std::vector<std::int8_t>>>() == error{errc::out_of_range, 8});
    CHECK(parsed(R"(["a","b\ud800"])").get<std::vector<std::string>>() == error{errc::lone_surrogate, 7});
}

TEST_CASE("a map with strings for keys takes an object of what its values take", "[text]") {
    using map = std::map<std::string, int>;
    CHECK(parsed("{}").get<map>() == map());
    CHECK(parsed(R"({ "a" : 1 , "\u0062" : 2 })").get<map>() == map{{"a", 1}, {"b", 2}});
    CHECK(parsed(R"({"a":1,"a":2})").get<map>() == map{{"a", 2}});
    CHECK(parsed(R"({"a":1})").get<std::unordered_map<std::string, int>>() ==
          std::unordered_map<std::string, int>{{"a", 1}});
    CHECK(parsed(R"({"a":{"b":[1]}})").get<std::map<std::string, std::map<std::string, std::vector<int>>>>() ==
          std::map<std::string, std::map<std::string, std::vector<int>>>{{"a", {{"b", {1}}}}});
    CHECK(parsed("[]").get<map>() == error{errc::wrong_kind});
    CHECK(parsed(R"({"a":1,"b":null})").get<map>() == error{errc::wrong_kind, 11});
    CHECK(parsed(R"({"a":null,"a":1})").get<map>() == error{errc::wrong_kind, 5});
    CHECK(parsed(R"({"a":1,"\ud800":2})").get<map>() == error{errc::lone_surrogate, 8});
}

TEST_CASE("a user's type takes what its read_json takes", "[text]") {
    CHECK((parsed(R"({"y":2,"x":1})").get<user::point>() == user::point{1, 2}));
    CHECK(parsed(R"({"y":2})").get<user::point>().error() == error{errc::wrong_kind});
    CHECK(parsed(R"("green")").get<user::color>() == user::color::green);
    CHECK(parsed(R"("a")").get<user::tags>()->front() == "a");
    CHECK(parsed("[1]").get<user::anything>()->json == "[1]");
}

TEST_CASE("a user's type is read wherever a type may stand", "[text]") {
    using user::color;
    CHECK((parsed("null").get<std::optional<color>>() == optional_result<color>(std::nullopt)));
    CHECK((parsed(R"("red")").get<std::optional<color>>() == optional_result<color>(color::red)));
    CHECK(parsed(R"(["red","green"])").get<std::vector<color>>() == std::vector{color::red, color::green});
    CHECK(parsed(R"({"a":"red"})").get<std::map<std::string, color>>()->at("a") == color::red);
    CHECK(parsed(R"(["red",["blue"]])").get<std::vector<color>>().error() == error{errc::out_of_range, 8});
}

TEST_CASE("a string without escapes is borrowed from the text", "[text]") {
    text const string = parsed("\"caf\u00e9\"");
    CHECK_FALSE(string.has_escapes());
    auto const borrowed = string.borrow_string();
    REQUIRE(borrowed);
    CHECK(*borrowed == "caf\u00e9");
    CHECK(borrowed->data() == string.raw().data() + 1);
    auto const unescaped = string.unescape({});
    REQUIRE(unescaped);
    CHECK(unescaped->data() == borrowed->data());
    CHECK(contents_of(string) == "caf\u00e9");
}

TEST_CASE("a string with escapes cannot be borrowed, which has an error of its own", "[text]") {
    CHECK(parsed(R"("a\"b")").borrow_string() == error{errc::escaped_string, 2});
    CHECK(parsed(R"("\ud800")").borrow_string() == error{errc::escaped_string, 1});
    CHECK(parsed(R"("")").borrow_string() == ""sv);
    for (auto const* const other : {"1", "null", R"(["a\n"])", R"({"a":"b"})"})
        CHECK(parsed(other).borrow_string() == error{errc::wrong_kind});
    CHECK(text().borrow_string() == error{errc::wrong_kind});
}

TEST_CASE("every escape stands for its character", "[text]") {
    CHECK(contents_of(parsed(R"("\"\\\/\b\f\n\r\t")")) == "\"\\/\b\f\n\r\t");
    CHECK(contents_of(parsed(R"("\u0041\u00e9\u20ac\u20AC")")) == "A\u00e9\u20ac\u20ac");
    CHECK(contents_of(parsed(R"("\u0000")")) == std::string(1, '\0'));
    CHECK(contents_of(parsed(R"("\u007f\u0080\u07ff\u0800\uffff")")) == "\x7f\u0080\u07ff\u0800\uffff");
    CHECK(contents_of(parsed(R"("\\u0041")")) == "\\u0041");
    CHECK(contents_of(parsed("\"\u20ac\\n\U0001f600\"")) == "\u20ac\n\U0001f600");
    CHECK(contents_of(parsed(R"("")")) == "");
}

TEST_CASE("a surrogate pair is one character", "[text]") {
    CHECK(contents_of(parsed(R"("\ud800\udc00")")) == "\U00010000");
    CHECK(contents_of(parsed(R"("\uDBFF\uDFFF")")) == "\U0010ffff");
    CHECK(contents_of(parsed(R"("x\ud83d\ude00y")")) == "x\U0001f600y");
}

TEST_CASE("every UTF-16 code unit alone and each pair of two kinds is read as what it is", "[text]") {
    auto const escaped = [](unsigned unit) {
        std::string s = "\\u";
        for (unsigned shift = 16; shift != 0; shift -= 4) s += "0123456789abcdef"[unit >> (shift - 4) & 0xfu];
        return s;
    };
    std::size_t wrong = 0;
    for (unsigned unit = 0; unit != 0x10000; ++unit) {
        std::string const s = '"' + escaped(unit) + '"';
        char sequence[utf8::longest_sequence];
        bool const surrogate = unit >= 0xd800 && unit < 0xe000;
        auto const contents = parsed(s).get<std::string>();
        wrong += surrogate ? contents != error{errc::lone_surrogate, 1}
                           : contents != std::string(sequence, utf8::encode(unit, sequence));
    }
    CHECK(wrong == 0);
    for (unsigned high = 0xd800; high < 0xdc00; high += 0x55) {
        for (unsigned low = 0xdc00; low < 0xe000; low += 0x33) {
            std::string const s = '"' + escaped(high) + escaped(low) + '"';
            char sequence[utf8::longest_sequence];
            std::uint32_t const code_point = 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
            wrong += parsed(s).get<std::string>() != std::string(sequence, utf8::encode(code_point, sequence));
            std::string const reversed = '"' + escaped(low) + escaped(high) + '"';
            wrong += parsed(reversed).get<std::string>() != error{errc::lone_surrogate, 1};
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("half a surrogate pair has no UTF-8, and the error says where it is", "[text]") {
    CHECK(contents_of(parsed(R"("\ud800")")) == error{errc::lone_surrogate, 1});
    CHECK(contents_of(parsed(R"("ab\udc00")")) == error{errc::lone_surrogate, 3});
    CHECK(contents_of(parsed(R"("\ud83d\ude00\ud800x")")) == error{errc::lone_surrogate, 13});
    CHECK(contents_of(parsed(R"("\ud800\ud800\udc00")")) == error{errc::lone_surrogate, 1});
    CHECK(contents_of(parsed(R"("\ud800\n")")) == error{errc::lone_surrogate, 1});
    CHECK(contents_of(parsed(R"("\ud800\u0041")")) == error{errc::lone_surrogate, 1});
    CHECK(contents_of(parsed(R"("\ud800udc00")")) == error{errc::lone_surrogate, 1});
    CHECK_FALSE(parsed(R"("\ud800")").equals("\xed\xa0\x80"));
}

TEST_CASE("a lossy string holds U+FFFD in the place of half a surrogate pair", "[text]") {
    auto const lossy = [](std::string_view s) { return parsed(s).get<json::lossy_string>(); };
    CHECK(lossy(R"("\ud800")") == json::lossy_string("\ufffd"));
    CHECK(lossy(R"("ab\udc00c")") == json::lossy_string("ab\ufffdc"));
    CHECK(lossy(R"("\ud83d\ude00\ud800x")") == json::lossy_string("\U0001f600\ufffdx"));
    CHECK(lossy(R"("\ud800\ud800\udc00")") == json::lossy_string("\ufffd\U00010000"));
    CHECK(lossy(R"("\udc00\ud800")") == json::lossy_string("\ufffd\ufffd"));
    CHECK(lossy(R"("plain \"\n")") == json::lossy_string("plain \"\n"));
    CHECK(lossy(R"("plain")") == json::lossy_string("plain"));
    CHECK(lossy("1").error() == error{errc::wrong_kind});
    CHECK(parsed(R"(["\ud800"])").get<std::vector<json::lossy_string>>()->front() == "\ufffd");
    // A buffer as large as for other strings is enough.
    std::array<char, 12> buffer{};
    CHECK(parsed(R"("\ud800\ud800")").unescape_lossy(buffer) == "\ufffd\ufffd"sv);
    CHECK(parsed(R"("\ud800\ud800")").unescape_lossy(std::span(buffer).first(11)) == error{errc::buffer_too_small, 12});
}

TEST_CASE("a lossy string of what is not JSON stays within its buffer", "[text]") {
    for (auto const* const broken : {R"("\)", R"("\\\")", R"("\x\x\x\x")", R"("\u12")", R"("\ud800\u")"})
        static_cast<void>(walk(text::trusted(broken)));
    std::array<char, 8> buffer{};
    CHECK(text::trusted(R"("\x\x\x\x")").unescape_lossy(buffer).has_value() == false);
}

TEST_CASE("unescaping needs a buffer as large as what is between the quotes", "[text]") {
    text const string = parsed(R"("a\nb\u00e9")");
    std::size_t const needed = string.raw().size() - 2;
    for (std::size_t size = 0; size <= needed + 2; ++size) {
        std::vector<char> buffer(size, '?');
        auto const unescaped = string.unescape(buffer);
        if (size < needed) {
            CHECK(unescaped == error{errc::buffer_too_small, needed});
            CHECK(std::count(buffer.begin(), buffer.end(), '?') == static_cast<std::ptrdiff_t>(size));
        } else {
            CHECK(unescaped == "a\nb\u00e9"sv);
        }
    }
}

TEST_CASE("equals compares the contents, not how they are written", "[text]") {
    CHECK(parsed(R"("a")").equals("a"));
    CHECK(parsed(R"("\u0061")").equals("a"));
    CHECK(parsed(R"("\u00e9")").equals("\u00e9"));
    CHECK(parsed(R"("\/")").equals("/"));
    CHECK(parsed(R"("")").equals(""));
    CHECK_FALSE(parsed(R"("a")").equals(""));
    CHECK_FALSE(parsed(R"("")").equals("a"));
    CHECK_FALSE(parsed(R"("ab")").equals("a"));
    CHECK_FALSE(parsed(R"("a")").equals("ab"));
    CHECK_FALSE(parsed(R"("a")").equals("A"));
    CHECK_FALSE(parsed(R"("\u00e9")").equals("\xc3"));
    CHECK_FALSE(parsed(R"("\n")").equals("\\n"));
    CHECK_FALSE(parsed("1").equals("1"));
}

TEST_CASE("texts compare by their bytes", "[text]") {
    CHECK(parsed("[1]") == parsed(" [1] "));
    CHECK(parsed("[1]") != parsed("[1.0]"));
    CHECK(text() == text());
}

TEST_CASE("the elements of an array come in order, without the white space around them", "[text]") {
    using list = std::vector<std::string>;
    CHECK(raw_elements(parsed("[]")) == list{});
    CHECK(raw_elements(parsed("[ \n ]")) == list{});
    CHECK(raw_elements(parsed("[1]")) == list{"1"});
    CHECK(raw_elements(parsed("[1,2]")) == list{"1", "2"});
    CHECK(raw_elements(parsed("[ 1 , 2\t,\n3 ]")) == list{"1", "2", "3"});
    CHECK(raw_elements(parsed(R"([ "a,]\"" , [ 1, [ ] ] , { "b" : "}" } , null ])")) ==
          list{R"("a,]\"")", "[ 1, [ ] ]", R"({ "b" : "}" })", "null"});
    CHECK(raw_elements(parsed(R"(["\\","\\\"",""])")) == list{R"("\\")", R"("\\\"")", R"("")"});
}

TEST_CASE("the members of an object come in order, duplicates included", "[text]") {
    using list = std::vector<std::string>;
    CHECK(raw_members(parsed("{}")) == list{});
    CHECK(raw_members(parsed("{ }")) == list{});
    CHECK(raw_members(parsed(R"({"a":1})")) == list{R"("a" 1)"});
    CHECK(raw_members(parsed(R"({ "a" : 1 , "b" : [ 2 ] })")) == list{R"("a" 1)", R"("b" [ 2 ])"});
    CHECK(raw_members(parsed(R"({"a":1,"a":2})")) == list{R"("a" 1)", R"("a" 2)"});
    CHECK(raw_members(parsed(R"({":":",","}":{"":{}}})")) == list{R"(":" ",")", R"("}" {"":{}})"});
}

TEST_CASE("a member is found by its name, and of several the last is", "[text]") {
    text const object = parsed(R"({"a":1,"b":2,"\u0061":3,"":4,"c":null,"nested":{"d":5}})");
    CHECK(object.find("a") == parsed("3"));
    CHECK(object.find("b") == parsed("2"));
    CHECK(object.find("") == parsed("4"));
    CHECK(object.find("c") == parsed("null"));
    CHECK(object.find("d") == std::nullopt);
    CHECK(object.find("\"a\"") == std::nullopt);
    CHECK(parsed(R"(["a","b"])").find("a") == std::nullopt);
}

TEST_CASE("a member whose name has half a surrogate pair is listed but cannot be found", "[text]") {
    text const object = parsed(R"({"\ud800":1})");
    REQUIRE_FALSE(object.members().empty());
    CHECK((*object.members().begin()).key.raw() == R"("\ud800")");
    CHECK(object.find("\xed\xa0\x80") == std::nullopt);
}

TEST_CASE("an iterator can be copied and goes the same way twice", "[text]") {
    text const array = parsed("[1,[2],\"3\"]");
    auto const first = array.elements().begin();
    auto second = first;
    CHECK(second == first);
    auto const old = second++;
    CHECK(old == first);
    CHECK(second != first);
    auto third = first;
    CHECK(++third == second);
    CHECK(*third == *second);
    CHECK(*first == parsed("1"));
    CHECK(third != std::default_sentinel);
    ++third;
    CHECK(third != std::default_sentinel); // the last element is not the end
    CHECK(*third == parsed("\"3\""));
    auto const last = third++;
    CHECK(third == std::default_sentinel);
    CHECK(third != last);
    CHECK(third == json::element_range::iterator());
    CHECK(std::default_sentinel == third);
    CHECK(json::element_range::iterator() == std::default_sentinel);
}

TEST_CASE("elements and members are ranges that algorithms work on", "[text]") {
    text const array = parsed("[3, 1, 2, 10]");
    auto const elements = array.elements();
    auto const number = [](text value) { return value.get<int>().value_or(-1); };
    CHECK(std::ranges::distance(elements) == 4);
    CHECK(std::ranges::count_if(elements, [&](text value) { return number(value) > 1; }) == 3);
    auto const found = std::ranges::find(elements, 2, number);
    REQUIRE(found != elements.end());
    CHECK(*std::next(found) == parsed("10"));
    CHECK(std::ranges::max(elements, {}, number) == parsed("10"));
    CHECK(std::ranges::is_sorted(parsed("[1,2,3]").elements(), {}, number));
    CHECK_FALSE(std::ranges::is_sorted(elements, {}, number));
    CHECK(std::ranges::adjacent_find(elements) == elements.end());
    CHECK(std::ranges::equal(elements, std::array{3, 1, 2, 10}, {}, number));
    std::vector<int> numbers;
    std::ranges::transform(elements, std::back_inserter(numbers), number);
    CHECK(numbers == std::vector{3, 1, 2, 10});

    text const object = parsed(R"({"a":1,"b":2})");
    auto const members = object.members();
    CHECK(std::ranges::distance(members) == 2);
    auto const b = std::ranges::find_if(members, [](json::member const& m) { return m.key.equals("b"); });
    REQUIRE(b != members.end());
    CHECK((*b).value == parsed("2"));
}

TEST_CASE("deep nesting is gone over without recursion", "[text]") {
    std::size_t const million = 1'000'000;
    std::string const s = std::string(million, '[') + std::string(million, ']');
    text const array = text::trusted(s);
    auto const elements = array.elements();
    CHECK(std::ranges::distance(elements) == 1);
    CHECK((*elements.begin()).raw().size() == 2 * million - 2);
}

TEST_CASE("what is read of valid JSON is valid JSON within it", "[text]") {
    constexpr std::string_view samples[] = {
        R"(["message",{"_placeholder":true,"num":0},null,-1.5e+10,[[],{}],"\u00e9\ud83d\ude00\n"])",
        R"( { "a" : [ 1 , { "b" : [ ] } ] , "c" : "]}" } )",
    };
    auto const check = [](auto const& self, text value) -> void {
        for (text const element : value.elements()) {
            CHECK(is_within(element, value));
            CHECK(json::validate(element.raw()) == element);
            self(self, element);
        }
        for (json::member const m : value.members()) {
            CHECK(is_within(m.key, value));
            CHECK(is_within(m.value, value));
            CHECK(json::validate(m.key.raw()) == m.key);
            CHECK(m.key.is(kind::string));
            CHECK(json::validate(m.value.raw()) == m.value);
            self(self, m.value);
        }
    };
    for (std::string_view const s : samples) check(check, parsed(s));
}

TEST_CASE("reading text that was wrongly trusted stays within it and ends", "[text]") {
    constexpr std::string_view samples[] = {
        R"({"key":[1,-2.5e3,true,{"a":"\u00e9\ud83d\ude00"}],"k\ney":null})",
        R"(["a\\\"b",[[],{}],0.1e-5,{"":{"":[]}}])",
        R"("\ud83d\ude00\n\\")",
        "-12.75e+10",
    };
    std::size_t seen = 0;
    auto const read = [&seen](std::string_view s) { seen += walk(text::trusted(s)); };
    for (std::string_view const s : samples) {
        support::for_each_prefix(s, read);
        support::for_each_removed_byte(s, read);
        support::for_each_added_byte(s, "[]{},:\"\\ -e.\0"sv, read);
        support::for_each_changed_byte(s, read);
    }
    CHECK(seen != 0);
}

TEST_CASE("reading random bytes as JSON stays within them and ends", "[text]") {
    support::random_source random(40);
    std::size_t seen = 0;
    for (int i = 0; i != 10'000; ++i) {
        std::string s = random.text(random.below(24), "[]{},:\"\\u0d1 \n-e.tn\xc3");
        if (random.one_in(4)) s = random.bytes(random.below(24));
        if (random.one_in(2)) s.insert(0, 1, random.pick("[{\""sv));
        seen += walk(text::trusted(support::exact_copy(s).view()));
    }
    CHECK(seen != 0);
}

TEST_CASE("elements are cut out of an array wherever they lie in a block, up to the end of the memory", "[text]") {
    constexpr std::string_view samples[] = {
        "1",
        "-2.5e3",
        "true",
        "\"\"",
        "\"a\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"[{\"",
        "\"a string of more than sixteen bytes\"",
        "[]",
        "{}",
        "[[]]",
        "[\"]\"]",
        "{\"}\":\"{\"}",
        "[\"\\\"]\",[1,{\"a\":[2]}]]",
        "{\"key\":\"a value that is long enough, with } and ] and \\\" in it\",\"list\":[[[[1]]],{\"x\":{}}]}"};
    for (std::size_t before = 0; before != 140; ++before) {
        std::string const padding = '"' + std::string(before, '[') + '"';
        for (std::string_view const value : samples) {
            for (std::string_view const other : samples) {
                support::exact_copy const copy('[' + padding + ',' + std::string(value) + " , " + std::string(other) +
                                               ']');
                auto const array = json::validate(copy.view());
                REQUIRE(array);
                std::vector<std::string_view> found;
                for (auto const element : array->elements()) found.push_back(element.raw());
                if (found != std::vector<std::string_view>{padding, value, other}) FAIL_CHECK(copy.view());
            }
        }
    }
}

} // namespace json_text_test
