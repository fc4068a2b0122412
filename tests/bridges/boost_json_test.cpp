#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"
#include "tools/random_json.hpp"

#include <socketless/bridges/boost_json.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/socketio/encode.hpp>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
// Boost.JSON itself, so that the tests need its headers alone and none of its binaries, built by some other compiler.
#include <boost/json/src.hpp>

namespace bridges_boost_json_test {

using namespace socketless;
using boost::json::array;
using boost::json::object;
using boost::json::value;
using json::boost_value_with_attachments;
using json::validate;

namespace {

constexpr limits generous{.max_depth = limits::deepest_tree, .max_attachments = 1'000};

// Compared as bool: Boost's values are made from everything, Catch2's expressions too.
template <class T>
bool is(result<T> const& read, T const& expected) {
    return read.has_value() && *read == expected;
}

template <class T = value>
result<T> read(std::string_view text) {
    auto const valid = validate(text, limits::deepest_tree);
    if (!valid) return valid.error();
    return valid->get<T>();
}

template <class T>
result<std::string> written(T const& v) {
    std::string out;
    if (auto const size = json::write(out, v); !size) return size.error();
    return out;
}

// The packet of an event with one argument.
struct event {
    template <class T>
    explicit event(T const& v) : size(socketio::encode_event(text, attachments, {}, "e", v)) {}

    [[nodiscard]] socketio::arguments arguments() const {
        auto const p = socketio::decode(text, socketio::revision::v5, generous);
        return p ? socketio::arguments(*p, attachments) : socketio::arguments();
    }

    std::string text;
    attachment_list attachments;
    result<std::size_t> size;
};

// With a binary value now and then, if `binary` can hold it.
value random_value(support::random_source& random, int depth, boost_value_with_attachments* binary = nullptr) {
    static std::string const bytes = "some bytes";
    switch (random.below(depth == 0 ? 7 : 10)) {
    case 0: return nullptr;
    case 1: return random.one_in(2);
    case 2: return static_cast<std::int64_t>(random()) >> random.below(64);
    case 3: return std::numeric_limits<std::uint64_t>::max() - random.below(1'000);
    case 4: return random.between(-1'000'000, 1'000'000) + 1.0 / 64; // without a fraction it would become an integer
    case 5: return value(random.text(random.below(8), "ab\"\\\n\x01 "));
    case 6: return binary == nullptr ? value() : binary->attach(as_bytes(bytes).subspan(random.below(bytes.size())));
    default: break;
    }
    if (random.one_in(2)) {
        array elements;
        for (std::size_t n = random.below(5); n != 0; --n) elements.push_back(random_value(random, depth - 1, binary));
        return elements;
    }
    object members;
    for (std::size_t n = random.below(5); n != 0; --n)
        members[random.text(random.below(3), "abc\n")] = random_value(random, depth - 1, binary);
    return members;
}

value nested(std::size_t depth, boost::json::storage_ptr const& memory = {}) {
    value inner(boost::json::array_kind, memory);
    for (std::size_t i = 1; i != depth; ++i) {
        array outer(memory);
        outer.push_back(std::move(inner));
        inner = std::move(outer);
    }
    return inner;
}

// Boost's parser rounds some doubles to a neighbour of the nearest.
bool nearly_same(value const& a, value const& b) {
    if (a.kind() != b.kind()) return false;
    if (a.is_double()) return std::abs(a.get_double() - b.get_double()) <= std::abs(a.get_double()) * 1e-15;
    if (a.is_array()) {
        if (a.get_array().size() != b.get_array().size()) return false;
        for (std::size_t i = 0; i != a.get_array().size(); ++i)
            if (!nearly_same(a.get_array()[i], b.get_array()[i])) return false;
        return true;
    }
    if (!a.is_object()) return a == b;
    if (a.get_object().size() != b.get_object().size()) return false;
    for (auto const& member : a.get_object()) {
        auto const* const other = b.get_object().if_contains(member.key());
        if (other == nullptr || !nearly_same(member.value(), *other)) return false;
    }
    return true;
}

} // namespace

TEST_CASE("a Boost.JSON value is written as JSON.stringify writes it", "[boost_json]") {
    auto const parsed =
        boost::json::parse(R"({ "b": [1, -2, 18446744073709551615, 1.0, 1e21, null, true], "a": "\u00e9\u0007\/" })");
    CHECK(written(parsed) == "{\"b\":[1,-2,18446744073709551615,1,1e+21,null,true],\"a\":\"\u00e9\\u0007/\"}");
    CHECK(written(value(-0.0)) == "0");
    CHECK(written(value(std::numeric_limits<double>::infinity())) == "null");
    CHECK(written(value()) == "null");
}

TEST_CASE("Boost.JSON's containers and strings are written like values", "[boost_json]") {
    CHECK(written(object{{"b", 1}, {"a", {2}}}) == R"({"b":1,"a":[2]})");
    CHECK(written(array{1, "x", nullptr}) == R"([1,"x",null])");
    CHECK(written(boost::json::string("x\n")) == R"("x\n")");
}

TEST_CASE("Boost.JSON values are written within others", "[boost_json]") {
    CHECK(written(std::map<std::string, value>{{"a", 1}, {"b", array{true}}}) == R"({"a":1,"b":[true]})");
    CHECK(written(std::vector<value>{1, "x"}) == R"([1,"x"])");
    CHECK(written(json::object("v", value(1.5), "o", std::optional<object>())) == R"({"v":1.5,"o":null})");
}

TEST_CASE("text of Boost.JSON's that is not UTF-8 is refused", "[boost_json]") {
    CHECK(written(value("\xff")) == error{errc::invalid_utf8});
    CHECK(written(value{{"\xc3", 1}}) == error{errc::invalid_utf8});
    CHECK(event(array{1, "\xed\xa0\x80"}).size.error().code == errc::invalid_utf8);
}

TEST_CASE("a Boost.JSON value is refused when it is too deep, however deep", "[boost_json]") {
    CHECK(written(nested(limits::deepest_tree)).has_value());
    CHECK(written(nested(limits::deepest_tree + 1)) == error{errc::depth_exceeded});
    CHECK(written(value{{"a", nested(limits::deepest_tree)}}) == error{errc::depth_exceeded});
    boost::json::monotonic_resource memory; // without it, a destructor would recurse too deep
    CHECK(written(nested(1'000'000, &memory)) == error{errc::depth_exceeded});
}

TEST_CASE("JSON is read as a Boost.JSON value", "[boost_json]") {
    CHECK(is(read(R"( { "a" : [ 1 , -2 , 1.5 , "x\n" , null , true ] , "b" : { } } )"),
             value{{"a", {1, -2, 1.5, "x\n", nullptr, true}}, {"b", object()}}));
    CHECK(is(read(R"("\ud83d\ude00")"), value("\U0001f600")));
    CHECK(is(read("[]"), value(array())));
    CHECK(is(read("null"), value()));
}

TEST_CASE("JSON is read as Boost.JSON's containers and strings where it is an array, an object or a string",
          "[boost_json]") {
    CHECK(is(read<object>(R"({"a":1})"), object{{"a", 1}}));
    CHECK(is(read<array>("[1,[2]]"), array{1, {2, 3}}) == false);
    CHECK(is(read<array>("[1,2]"), array{1, 2}));
    CHECK(is(read<boost::json::string>(R"("\n")"), boost::json::string("\n")));
    CHECK(read<object>("[1]").error() == error{errc::wrong_kind});
    CHECK(read<array>("{}").error() == error{errc::wrong_kind});
    CHECK(read<boost::json::string>("null").error() == error{errc::wrong_kind});
}

TEST_CASE("integers of 64 bits stay integers in a Boost.JSON value", "[boost_json]") {
    using boost::json::kind;
    CHECK(read("9223372036854775807")->kind() == kind::int64);
    CHECK(read("9223372036854775808")->kind() == kind::uint64);
    CHECK(read("18446744073709551615")->kind() == kind::uint64);
    CHECK(read("18446744073709551616")->kind() == kind::double_);
    CHECK(read("-9223372036854775808")->kind() == kind::int64);
    CHECK(read("-9223372036854775809")->kind() == kind::double_);
    CHECK(read("1.0")->kind() == kind::double_);
    CHECK(read("1e2")->kind() == kind::double_);
}

TEST_CASE("of several members with one name the last is kept, in Boost.JSON values too", "[boost_json]") {
    CHECK(is(read(R"({"a":[1],"b":2,"\u0061":{"c":3}})"), value{{"a", {{"c", 3}}}, {"b", 2}}));
}

TEST_CASE("a Boost.JSON value with half a surrogate pair, in a name too, can be read", "[boost_json]") {
    CHECK(is(read(R"([1,"a\ud800"])"), {1, "a\ufffd"}));
    CHECK(is(read(R"({"a":{"\udc00":1},"b":"\ud83d\ude00"})"), value{{"a", {{"\ufffd", 1}}}, {"b", "\U0001f600"}}));
}

TEST_CASE("what Boost.JSON values cannot hold is an error that says where", "[boost_json]") {
    CHECK(read("[0,1e400]").error() == error{errc::out_of_range, 3});
    CHECK(json::text().get<value>().error() == error{errc::wrong_kind});
}

TEST_CASE("text deeper than the limit is not read into Boost.JSON values", "[boost_json]") {
    std::string const deepest = std::string(limits::deepest_tree, '[') + std::string(limits::deepest_tree, ']');
    CHECK(is(read(deepest), nested(limits::deepest_tree)));
    std::string const deeper = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    CHECK(json::text::trusted(deeper).get<value>().error() == error{errc::depth_exceeded, limits::deepest_tree});
}

TEST_CASE("reading into a Boost.JSON value allocates from its memory resource", "[boost_json]") {
    boost::json::monotonic_resource memory;
    value to(&memory);
    REQUIRE(read_json(*validate(R"({"a":[1,"a string that is not short"]})"), to).has_value());
    CHECK(to.at("a").storage() == to.storage());
    CHECK(to.storage().get() == &memory);
}

TEST_CASE("arguments are read as Boost.JSON values", "[boost_json]") {
    event const e(object{{"id", 1}});
    CHECK(is(e.arguments().get<value>(), value{{"id", 1}}));
    CHECK(e.arguments().get<object, std::optional<value>>().value() ==
          std::tuple(object{{"id", 1}}, std::optional<value>()));
    CHECK(is(e.arguments().get<std::optional<array>>(), std::optional<array>()) == false);
}

TEST_CASE("a Boost.JSON value cannot hold binary values and says so", "[boost_json]") {
    byte_view const attachments[1] = {as_bytes("zero")};
    auto const argument = [&](std::string_view text) { return socketio::argument(*validate(text), attachments); };
    CHECK(argument(R"({"_placeholder":true,"num":0})").get<value>().error() == error{errc::wrong_kind});
    CHECK(argument(R"({"a":[{"num":0,"_placeholder":true}]})").get<object>().error() == error{errc::wrong_kind, 6});
    CHECK(is(argument(R"({"a":1})").get<value>(), value{{"a", 1}}));
}

TEST_CASE("a Boost.JSON value with attachments keeps placeholders, each with what it stands for", "[boost_json]") {
    event const e(json::object("name", "x.png", "file", as_bytes("bytes")));
    auto const message = e.arguments().get<boost_value_with_attachments>();
    REQUIRE(message.has_value());
    CHECK(message->value.at("name") == "x.png");
    CHECK_FALSE(message->binary(message->value.at("name")).has_value());
    auto const file = message->binary(message->value.at("file"));
    REQUIRE(file.has_value());
    CHECK(file->data() == e.attachments[0].data()); // borrowed
}

TEST_CASE("a Boost.JSON value with attachments is written with them, in the order of their places", "[boost_json]") {
    boost_value_with_attachments message;
    auto const zero = message.attach(as_bytes("zero"));
    auto const one = message.attach(as_bytes("one"));
    message.value = {{"b", one}, {"a", {1, zero}}, {"again", one}};
    event const e(message);
    CHECK(e.text == R"(53-["e",{"b":{"_placeholder":true,"num":0},"a":[1,{"_placeholder":true,"num":1}],)"
                    R"("again":{"_placeholder":true,"num":2}}])");
    REQUIRE(e.attachments.size() == 3);
    CHECK(as_characters(e.attachments[0]) == "one");
    CHECK(as_characters(e.attachments[1]) == "zero");
    CHECK(as_characters(e.attachments[2]) == "one");
    CHECK(written(message) == error{errc::unexpected_binary});
}

TEST_CASE("a placeholder of Boost.JSON's that names no attachment is refused", "[boost_json]") {
    boost_value_with_attachments message;
    message.value = message.attach(as_bytes("zero"));
    for (value const& num : {value(1), value(-1), value(0.0), value("0"), value()}) {
        message.value.at("num") = num;
        CHECK(event(message).size.error().code == errc::invalid_placeholder);
        CHECK_FALSE(message.binary(message.value).has_value());
    }
    message.value.get_object().erase("num");
    CHECK(event(message).size.error().code == errc::invalid_placeholder);
}

TEST_CASE("what looks like a placeholder without attachments is plain data to Boost.JSON values", "[boost_json]") {
    value const plain = {{"_placeholder", true}, {"num", 0}};
    CHECK(event(plain).attachments.empty());
    CHECK(is(event(plain).arguments().get<value>(), plain));
    boost_value_with_attachments const without{plain, {}};
    CHECK(event(without).text == R"(2["e",{"_placeholder":true,"num":0}])");
    CHECK(read<boost_value_with_attachments>(R"({"_placeholder":true,"num":0})")->value == plain);
}

TEST_CASE("other types are read as before where Boost.JSON's bridge is included", "[boost_json]") {
    CHECK(validate("1")->get<int>() == 1);
    CHECK(validate("1")->get<bool>() == error{errc::wrong_kind});
    CHECK(validate(R"("a")")->get<std::string>() == "a");
    CHECK(validate("[1]")->get<std::vector<int>>() == std::vector{1});
    CHECK(written(1) == "1");
    CHECK(written("a") == R"("a")");
    CHECK(written(std::vector{1}) == "[1]");
    CHECK(written(std::map<std::string, int>{{"a", 1}}) == R"({"a":1})");
}

TEST_CASE("random Boost.JSON values come back equal from a packet", "[boost_json]") {
    support::random_source random(70);
    for (int i = 0; i != 5'000; ++i) {
        value const v = random_value(random, 5);
        event const e(v);
        CAPTURE(e.text);
        REQUIRE(e.size.has_value());
        REQUIRE(is(e.arguments().get<value>(), v));
    }
}

TEST_CASE("random Boost.JSON values with binary values go through packets unchanged", "[boost_json]") {
    support::random_source random(71);
    for (int i = 0; i != 5'000; ++i) {
        boost_value_with_attachments message;
        message.value = random_value(random, 5, &message);
        event const sent(message);
        CAPTURE(sent.text);
        REQUIRE(sent.size.has_value());
        auto const received = sent.arguments().get<boost_value_with_attachments>();
        REQUIRE(received.has_value());
        event const again(*received);
        REQUIRE(again.text == sent.text);
        REQUIRE(again.attachments.size() == sent.attachments.size());
        for (std::size_t k = 0; k != sent.attachments.size(); ++k)
            REQUIRE(again.attachments[k].data() == sent.attachments[k].data());
    }
}

TEST_CASE("JSON is read as Boost.JSON's own parser reads it, but for half a surrogate pair", "[boost_json]") {
    auto const same = [](std::string_view text) {
        boost::json::error_code failed;
        boost::json::parse_options options;
        options.max_depth = limits::deepest_tree;
        auto const parsed = boost::json::parse({text.data(), text.size()}, failed, {}, options);
        auto const v = read(text);
        // Only the parser refuses half a surrogate pair.
        if (failed) return v.has_value() == (text.find("\\ud83d\"") != text.npos);
        return v.has_value() && nearly_same(*v, parsed);
    };
    support::random_source random(72);
    for (int i = 0; i != 5'000; ++i) {
        std::string const text = support::random_json(random, 5);
        CAPTURE(text);
        REQUIRE(same(text));
    }
    for (char const* const file : {"vectors/socketio-v5-packet.jsonl", "captures/polling.jsonl", "numbers.jsonl"}) {
        auto const lines = support::data_lines(file);
        REQUIRE_FALSE(lines.empty());
        for (std::string const& line : lines) {
            CAPTURE(line);
            REQUIRE(same(line));
        }
    }
}

TEST_CASE("reading wrongly trusted text into Boost.JSON values stays within it and ends", "[boost_json]") {
    constexpr std::string_view text = R"({"a":[1,-2.5e3,{"_placeholder":true,"num":0}],"b\n":"\ud83d\ude00","c":{}})";
    byte_view const attachments[1] = {as_bytes("zero")};
    std::size_t values = 0;
    auto const go = [&](std::string_view s) {
        socketio::argument const argument(json::text::trusted(s), attachments);
        values += static_cast<std::size_t>(argument.get<value>().has_value());
        values += static_cast<std::size_t>(argument.get<boost_value_with_attachments>().has_value());
    };
    support::for_each_mutation(text, go);
    support::for_each_removed_byte(text, go);
    support::for_each_added_byte(text, "[]{},:\"\\ -e.", go);
    CHECK(values != 0);
}

TEST_CASE("every change of a packet is refused or read into Boost.JSON values", "[boost_json]") {
    constexpr std::string_view text = R"(51-["e",{"a":[1,-2.5e3,{"_placeholder":true,"num":0}],"b\n":"\ud83d\ude00"}])";
    byte_view const attachments[1] = {as_bytes("zero")};
    std::size_t values = 0;
    support::for_each_mutation(text, [&](std::string_view s) {
        auto const p = socketio::decode(s);
        if (!p) return;
        auto const message = socketio::arguments(*p, attachments).get<boost_value_with_attachments>();
        if (!message) return;
        ++values;
        CHECK(event(*message).size.has_value());
    });
    CHECK(values != 0);
}

} // namespace bridges_boost_json_test
