#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"
#include "tools/random_json.hpp"

#include <socketless/bridges/nlohmann.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/encode.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace bridges_nlohmann_test {

using namespace socketless;
using json::validate;
using tree = nlohmann::json;

namespace {

using narrow_json = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int32_t, std::uint32_t, float>;

constexpr limits generous{.max_depth = limits::deepest_tree, .max_attachments = 1'000};

// Compared as bool: nlohmann's values compare with everything, Catch2's expressions too.
template <class Json>
bool is(result<Json> const& read, Json const& expected) {
    return read.has_value() && *read == expected;
}

template <class Json = tree>
result<Json> read(std::string_view text) {
    auto const valid = validate(text, limits::deepest_tree);
    if (!valid) return valid.error();
    return valid->get<Json>();
}

template <class Json>
result<std::string> written(Json const& value) {
    std::string out;
    if (auto const size = json::write(out, value); !size) return size.error();
    return out;
}

// The packet of an event with one argument.
struct event {
    template <class T>
    explicit event(T const& value) : size(socketio::encode_event(text, attachments, {}, "e", value)) {}

    [[nodiscard]] socketio::arguments arguments() const {
        auto const p = socketio::decode(text, socketio::revision::v5, generous);
        return p ? socketio::arguments(*p, attachments) : socketio::arguments();
    }

    std::string text;
    attachment_list attachments;
    result<std::size_t> size;
};

tree random_value(support::random_source& random, int depth) {
    switch (random.below(depth == 0 ? 7 : 10)) {
    case 0: return nullptr;
    case 1: return random.one_in(2);
    case 2: return static_cast<std::int64_t>(random()) >> random.below(64);
    case 3: return random() >> random.below(64);
    case 4: return static_cast<double>(random.between(-1'000'000, 1'000'000)) / 64;
    case 5: return random.text(random.below(8), "ab\"\\\n\x01 ");
    case 6: {
        std::string const bytes = random.bytes(random.below(8));
        return tree::binary({bytes.begin(), bytes.end()});
    }
    default: break;
    }
    tree value = random.one_in(2) ? tree::array() : tree::object();
    for (std::size_t n = random.below(5); n != 0; --n) {
        if (value.is_array())
            value.push_back(random_value(random, depth - 1));
        else
            value[random.text(random.below(3), "abc\n")] = random_value(random, depth - 1);
    }
    return value;
}

tree nested(std::size_t depth) {
    tree value = tree::array();
    for (std::size_t i = 1; i != depth; ++i) {
        tree outer = tree::array();
        outer.push_back(std::move(value));
        value = std::move(outer);
    }
    return value;
}

} // namespace

TEST_CASE("a value of nlohmann's is written as JSON.stringify writes it", "[nlohmann]") {
    CHECK(written(
              tree::parse(R"({ "b": [1, -2, 18446744073709551615, 1.0, 1e21, null, true], "a": "\u00e9\u0007\/" })")) ==
          "{\"a\":\"\u00e9\\u0007/\",\"b\":[1,-2,18446744073709551615,1,1e+21,null,true]}");
    CHECK(written(tree(-0.0)) == "0");
    CHECK(written(tree(std::numeric_limits<double>::infinity())) == "null");
    CHECK(written(tree(tree::value_t::discarded)) == "null");
    CHECK(written(tree()) == "null");
}

TEST_CASE("members are written in the order of the container", "[nlohmann]") {
    std::string_view const text = R"({"b":1,"a":{"d":2,"c":3}})";
    CHECK(written(nlohmann::ordered_json::parse(text)) == std::string(text));
    CHECK(written(tree::parse(text)) == R"({"a":{"c":3,"d":2},"b":1})");
}

TEST_CASE("a binary value of nlohmann's becomes an attachment", "[nlohmann]") {
    tree const value = {{"file", tree::binary({1, 2, 3})}, {"name", "x"}};
    event const e(value);
    REQUIRE(e.size.has_value());
    CHECK(e.text == R"(51-["e",{"file":{"_placeholder":true,"num":0},"name":"x"}])");
    REQUIRE(e.attachments.size() == 1);
    CHECK(as_characters(e.attachments[0]) == "\x01\x02\x03");
    CHECK(static_cast<void const*>(e.attachments[0].data()) == value["file"].get_binary().data()); // borrowed
    CHECK(written(value) == error{errc::unexpected_binary});
}

TEST_CASE("text of nlohmann's that is not UTF-8 is refused", "[nlohmann]") {
    CHECK(written(tree("\xff")) == error{errc::invalid_utf8});
    CHECK(written(tree{{"\xc3", 1}}) == error{errc::invalid_utf8});
    event const e(tree::array({1, "\xed\xa0\x80"}));
    CHECK(e.size.error().code == errc::invalid_utf8);
    CHECK(e.text.empty());
}

TEST_CASE("a value of nlohmann's is refused when it is too deep, however deep", "[nlohmann]") {
    CHECK(written(nested(limits::deepest_tree)).has_value());
    CHECK(written(nested(limits::deepest_tree + 1)) == error{errc::depth_exceeded});
    CHECK(written(nested(1'000'000)) == error{errc::depth_exceeded});
    tree object = {{"a", nested(limits::deepest_tree)}};
    CHECK(written(object) == error{errc::depth_exceeded});
}

TEST_CASE("values of nlohmann's are written within others", "[nlohmann]") {
    std::map<std::string, tree> const map = {{"a", 1}, {"b", tree::array({true})}};
    CHECK(written(map) == R"({"a":1,"b":[true]})");
    CHECK(written(std::vector<tree>{1, "x"}) == R"([1,"x"])");
    CHECK(written(json::object("v", tree(1.5), "o", std::optional<tree>())) == R"({"v":1.5,"o":null})");
}

TEST_CASE("JSON is read as a value of nlohmann's", "[nlohmann]") {
    CHECK(is(read(R"( { "a" : [ 1 , -2 , 1.5 , "x\n" , null , true ] , "b" : { } } )"),
             tree{{"a", {1, -2, 1.5, "x\n", nullptr, true}}, {"b", tree::object()}}));
    CHECK(is(read("[]"), tree::array()));
    CHECK(is(read("null"), tree()));
    CHECK(is(read(R"("\ud83d\ude00")"), tree("\U0001f600")));
}

TEST_CASE("integers that nlohmann's types can hold stay integers", "[nlohmann]") {
    using type = tree::value_t;
    CHECK(read("18446744073709551615")->type() == type::number_unsigned);
    CHECK(is(read("18446744073709551615"), tree(18446744073709551615u)));
    CHECK(read("-9223372036854775808")->type() == type::number_integer);
    CHECK(read("18446744073709551616")->type() == type::number_float);
    CHECK(read("-9223372036854775809")->type() == type::number_float);
    CHECK(read("1.0")->type() == type::number_float);
    CHECK(read("1e2")->type() == type::number_float);
    CHECK(read<narrow_json>("4294967296")->type() == type::number_float);
    CHECK(is(read<narrow_json>("-2147483648"), narrow_json(-2147483647 - 1)));
}

TEST_CASE("of several members with one name the last is kept, in nlohmann's values too", "[nlohmann]") {
    CHECK(is(read(R"({"a":[1],"b":2,"\u0061":{"c":3}})"), tree{{"a", {{"c", 3}}}, {"b", 2}}));
    CHECK(read<nlohmann::ordered_json>(R"({"b":1,"a":2,"b":3})")->dump() == R"({"b":3,"a":2})");
}

TEST_CASE("a value of nlohmann's with half a surrogate pair, in a name too, can be read", "[nlohmann]") {
    CHECK(is(read(R"([1,"a\ud800"])"), {1, "a\ufffd"}));
    CHECK(is(read(R"({"a":{"\udc00":1},"b":"\ud83d\ude00"})"), tree{{"a", {{"\ufffd", 1}}}, {"b", "\U0001f600"}}));
}

TEST_CASE("what nlohmann's values cannot hold is an error that says where", "[nlohmann]") {
    CHECK(read("[0,1e400]").error() == error{errc::out_of_range, 3});
    CHECK(json::text().get<tree>().error() == error{errc::wrong_kind});
    CHECK(validate(R"("a")")->get<std::vector<tree>>().error() == error{errc::wrong_kind});
}

TEST_CASE("text deeper than the limit is not read into nlohmann's values", "[nlohmann]") {
    std::string const deepest = std::string(limits::deepest_tree, '[') + std::string(limits::deepest_tree, ']');
    CHECK(is(read(deepest), nested(limits::deepest_tree)));
    std::string const deeper = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    CHECK(json::text::trusted(deeper).get<tree>().error() == error{errc::depth_exceeded, limits::deepest_tree});
}

TEST_CASE("an argument is read as a value of nlohmann's, its binary values with it", "[nlohmann]") {
    tree const value = {{"file", tree::binary({1, 2, 3})}, {"list", {tree::binary({}), "x"}}};
    event const e(value);
    auto const args = e.arguments();
    CHECK(is(args.get<tree>(), value));
    CHECK(is((*args.begin()).get<nlohmann::ordered_json>(), nlohmann::ordered_json(value)));
    CHECK_FALSE(args.get<tree>()->at("file").get_binary().has_subtype());
    CHECK(args.get<tree, std::optional<tree>>().value() == std::tuple(value, std::optional<tree>()));

    tree const seven = tree::binary({7});
    event const binary(seven);
    CHECK(binary.text == R"(51-["e",{"_placeholder":true,"num":0}])");
    CHECK(is(binary.arguments().get<tree>(), seven));
    CHECK(is(binary.arguments().get<std::optional<tree>>(), std::optional(seven)));
}

TEST_CASE("a placeholder with its members in any order is binary to nlohmann's values", "[nlohmann]") {
    byte_view const attachments[2] = {{}, as_bytes("one")};
    auto const value = [&](std::string_view text) {
        return is(socketio::argument(*validate(text), attachments).get<tree>(), tree::binary({'o', 'n', 'e'}));
    };
    CHECK(value(R"({"_placeholder":true,"num":1})"));
    CHECK(value(R"({"num":1,"_placeholder":true})"));
    CHECK(value(R"( { "\u006eum" : 1 , "x" : [] , "\u005fplaceholder" : true } )"));
    CHECK(value(R"({"_placeholder":false,"num":0,"_placeholder":true,"num":1})"));
    CHECK_FALSE(value(R"({"_placeholder":true,"num":1,"num":2})"));
    CHECK_FALSE(value(R"({"_placeholder":1,"num":1})"));
    CHECK_FALSE(value(R"({"_placeholder":true,"num":1.0})"));
}

TEST_CASE("what looks like a placeholder without attachments is plain data to nlohmann's values", "[nlohmann]") {
    tree const value = {{"_placeholder", true}, {"num", 0}};
    event const e(value);
    CHECK(e.attachments.empty());
    CHECK(is(e.arguments().get<tree>(), value));
    CHECK(is(read(R"({"_placeholder":true,"num":0})"), value));
}

TEST_CASE("other types are read as before where nlohmann's bridge is included", "[nlohmann]") {
    CHECK(validate("1")->get<int>() == 1);
    CHECK(validate("1")->get<bool>() == error{errc::wrong_kind});
    CHECK(validate(R"("a")")->get<std::string>() == "a");
    CHECK(validate("[1]")->get<std::vector<int>>() == std::vector{1});
    CHECK(written(1) == "1");
    CHECK(written("a") == R"("a")");
    CHECK(written(std::vector{1}) == "[1]");
    CHECK(written(std::map<std::string, int>{{"a", 1}}) == R"({"a":1})");
}

TEST_CASE("random values of nlohmann's come back equal from a packet", "[nlohmann]") {
    support::random_source random(60);
    for (int i = 0; i != 5'000; ++i) {
        tree const value = random_value(random, 5);
        event const e(value);
        CAPTURE(e.text);
        REQUIRE(e.size.has_value());
        REQUIRE(is(e.arguments().get<tree>(), value));
    }
}

TEST_CASE("JSON is read as nlohmann's own parser reads it, but for half a surrogate pair", "[nlohmann]") {
    auto const same = [](std::string_view text) {
        auto const parsed = tree::parse(text, nullptr, false);
        auto const value = read(text);
        // Only the parser refuses half a surrogate pair.
        if (parsed.is_discarded()) return value.has_value() == (text.find("\\ud83d\"") != text.npos);
        return value.has_value() && value->dump() == parsed.dump(); // which also tells 1 from 1.0
    };
    support::random_source random(61);
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

TEST_CASE("reading wrongly trusted text into nlohmann's values stays within it and ends", "[nlohmann]") {
    constexpr std::string_view text = R"({"a":[1,-2.5e3,{"_placeholder":true,"num":0}],"b\n":"\ud83d\ude00","c":{}})";
    byte_view const attachments[1] = {as_bytes("zero")};
    std::size_t values = 0;
    auto const go = [&](std::string_view s) {
        values +=
            static_cast<std::size_t>(socketio::argument(json::text::trusted(s), attachments).get<tree>().has_value());
    };
    support::for_each_mutation(text, go);
    support::for_each_removed_byte(text, go);
    support::for_each_added_byte(text, "[]{},:\"\\ -e.", go);
    CHECK(values != 0);
}

TEST_CASE("every change of a packet is refused or read into nlohmann's values", "[nlohmann]") {
    constexpr std::string_view text = R"(51-["e",{"a":[1,-2.5e3,{"_placeholder":true,"num":0}],"b\n":"\ud83d\ude00"}])";
    byte_view const attachments[1] = {as_bytes("zero")};
    std::size_t values = 0;
    support::for_each_mutation(text, [&](std::string_view s) {
        auto const p = socketio::decode(s);
        if (!p) return;
        auto const value = socketio::arguments(*p, attachments).get<tree>();
        if (!value) return;
        ++values;
        CHECK(event(*value).size.has_value());
    });
    CHECK(values != 0);
}

} // namespace bridges_nlohmann_test
