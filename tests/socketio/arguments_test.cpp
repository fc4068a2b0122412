#include "tools/catch.hpp"

#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/encode.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace socketio_arguments_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::string_view_literals;

namespace app {

// A user's own type, with a file in it. From JSON alone, without binary values, it is only a name.
struct post {
    std::string name;
    std::vector<std::byte> file;
};

result<void> read_json(json::text from, post& to) {
    auto name = from.get<std::string>();
    if (!name) return name.error();
    to.name = *name;
    return {};
}

result<void> read_json(argument const& from, post& to) {
    auto const name = from.json().find("name");
    auto const file = from.json().find("file");
    if (!name || !file) return read_json(from.json(), to);
    auto bytes = from.part(*file).get<std::vector<std::byte>>();
    if (!bytes) return bytes.error();
    to.file = *bytes;
    return read_json(*name, to);
}

struct number {
    int value = 0;
};

result<void> read_json(json::text from, number& to) {
    to.value = from.get<int>().value_or(-1);
    return {};
}

} // namespace app

namespace {

constexpr std::string_view binary_event =
    R"(52-["a",{"_placeholder":true,"num":1},{"file":{"num":0,"_placeholder":true},"name":"x"},7])";

// The two attachments of binary_event.
struct fixture {
    std::string zero = "zero";
    std::string one = "one";
    std::array<byte_view, 2> attachments = {as_bytes(zero), as_bytes(one)};
    packet p = *decode(binary_event);
    std::vector<argument> args = [this] {
        arguments const range(p, attachments);
        return std::vector<argument>(range.begin(), std::next(range.begin(), 3));
    }();
};

} // namespace

static_assert(std::forward_iterator<arguments::iterator>);

static_assert(arguments(*decode(R"(2["add",1])")).get<int>() == 1);
static_assert(std::get<1>(*arguments(*decode(R"(2["add",1,"two"])")).get<int, json::text>()).equals("two"));

TEST_CASE("the arguments of an event follow its name", "[socketio]") {
    auto const p = decode(R"(2["add",1,"two",[3]])");
    arguments const args(*p);
    CHECK(args.size() == 3);
    auto i = args.begin();
    CHECK((*i++).get<int>() == 1);
    CHECK((*i++).get<std::string>() == "two");
    CHECK((*i++).json().raw() == "[3]");
    CHECK(i == args.end());
}

TEST_CASE("a string is read whatever escapes a peer writes it with", "[socketio]") {
    auto const p = decode(R"(2["say","\u0068\"i\"","\ud800!",{"\udfff":"\ud83d\ude00\ud83d"}])");
    arguments const args(*p);
    CHECK(args.get<std::string>() == "h\"i\"");
    CHECK((args.get<std::string, std::string>() == error{errc::lone_surrogate, 1}));
    auto const read = args.get<std::string, json::lossy_string, std::map<json::lossy_string, json::lossy_string>>();
    REQUIRE(read.has_value());
    CHECK(std::get<1>(*read) == "\ufffd!");
    CHECK(std::get<2>(*read).at(json::lossy_string("\ufffd")) == "\U0001f600\ufffd");
}

TEST_CASE("an empty argument is written as null", "[socketio]") {
    std::string text;
    attachment_list attachments;
    std::array<byte_view, 1> const some{as_bytes("x")};
    CHECK(encode_event(text, attachments, {}, "a", argument(), argument(json::text(), some), 1).has_value());
    CHECK(text == R"(2["a",null,null,1])");
}

TEST_CASE("the arguments of an acknowledgement are all of its array", "[socketio]") {
    CHECK(arguments(*decode("31[1,2]")).size() == 2);
    CHECK(arguments(*decode("31[]")).empty());
}

TEST_CASE("packets without an array have no arguments", "[socketio]") {
    CHECK(arguments(*decode("0{\"a\":1}")).empty());
    CHECK(arguments(*decode("1")).empty());
    CHECK(arguments(*decode("2[\"a\"]")).empty());
}

TEST_CASE("a binary argument is the attachment that its placeholder names", "[socketio]") {
    fixture f;
    REQUIRE(f.args[0].binary().has_value());
    CHECK(f.args[0].binary()->data() == f.attachments[1].data()); // borrowed
    CHECK(as_characters(*f.args[0].get<byte_view>()) == "one");
    CHECK(f.args[0].get<std::string>() == error{errc::wrong_kind});
    CHECK(f.args[2].get<byte_view>().error().code == errc::wrong_kind);
    CHECK(f.args[2].get<int>() == 7);
}

TEST_CASE("binary values within an argument are found where they stand", "[socketio]") {
    fixture f;
    CHECK_FALSE(f.args[1].binary().has_value());
    auto const file = f.args[1].binary(*f.args[1].json().find("file"));
    REQUIRE(file.has_value());
    CHECK(as_characters(*file) == "zero");
    CHECK_FALSE(f.args[1].binary(*f.args[1].json().find("name")).has_value());
}

TEST_CASE("a binary argument can be copied", "[socketio]") {
    fixture f;
    CHECK(f.args[0].get<std::vector<std::uint8_t>>() == std::vector<std::uint8_t>{'o', 'n', 'e'});
    CHECK(f.args[0].get<std::optional<std::vector<std::uint8_t>>>()->value().size() == 3);
    CHECK(f.args[0].get<std::span<std::uint8_t const>>()->size() == 3);
    CHECK(arguments(*decode("2[\"a\",[1,2]]")).get<std::vector<std::uint8_t>>() == error{errc::wrong_kind, 0});
    auto const copy = f.args[0].get<std::vector<std::byte>>();
    REQUIRE(copy.has_value());
    CHECK(as_characters(*copy) == "one");
    CHECK(f.args[2].get<std::vector<std::byte>>().error().code == errc::wrong_kind);
}

TEST_CASE("binary values are read into what may hold them", "[socketio]") {
    std::string const zero = "zero";
    std::array<byte_view, 1> const attachments = {as_bytes(zero)};
    std::string_view const placeholder = R"({"_placeholder":true,"num":0})";
    auto const read = [&](std::string const& json) { return argument(*json::validate(json), attachments); };
    std::string const array = "[" + std::string(placeholder) + ",null]";
    auto const elements = read(array).get<std::vector<std::optional<byte_view>>>();
    REQUIRE(elements.has_value());
    CHECK(as_characters(elements->at(0).value()) == "zero");
    CHECK_FALSE(elements->at(1).has_value());
    CHECK(read(array).get<std::vector<byte_view>>().error() == error{errc::wrong_kind, array.find("null")});

    std::string const object = R"({"a":)" + std::string(placeholder) + "}";
    auto const members = read(object).get<std::map<std::string, byte_view>>();
    REQUIRE(members.has_value());
    CHECK(as_characters(members->at("a")) == "zero");
    CHECK(read(object).get<std::map<std::string, int>>().error() == error{errc::wrong_kind, 5});

    std::string const binary(placeholder);
    CHECK(read(binary).get<std::map<std::string, json::text>>().error() == error{errc::wrong_kind});
    CHECK(read(binary).get<std::optional<json::text>>().error() == error{errc::wrong_kind});
    CHECK(read(binary).get<json::text>().error() == error{errc::wrong_kind});
}

TEST_CASE("a user's type that holds binary values is read from the argument", "[socketio]") {
    fixture f;
    auto const post = f.args[1].get<app::post>();
    REQUIRE(post.has_value());
    CHECK(post->name == "x");
    CHECK(as_characters(post->file) == "zero");
    CHECK(f.args[1].get<std::optional<app::post>>()->value().name == "x");
    CHECK(f.args[2].get<app::post>().error().code == errc::wrong_kind);
}

TEST_CASE("a user's type that reads JSON reads an argument, unless that is binary", "[socketio]") {
    fixture f;
    CHECK(f.args[2].get<app::number>()->value == 7);
    CHECK(f.args[2].get<std::optional<app::number>>()->value().value == 7);
    CHECK(f.args[0].get<app::number>().error().code == errc::wrong_kind);
}

TEST_CASE("in a packet without attachments a placeholder is plain data", "[socketio]") {
    auto const p = decode(R"(2["a",{"_placeholder":true,"num":0}])");
    CHECK_FALSE((*arguments(*p).begin()).binary().has_value());
}

TEST_CASE("a placeholder whose attachment is not there stands for nothing", "[socketio]") {
    auto const p = decode(binary_event);
    for (argument const a : arguments(*p)) CHECK_FALSE(a.binary().has_value());
}

TEST_CASE("arguments can be sent on in another packet, their binary values with them", "[socketio]") {
    fixture f;
    std::string text;
    attachment_list attachments;
    REQUIRE(encode_event(text, attachments, {}, "back", f.args[1], f.args[0], f.args[2]).has_value());
    CHECK(text == R"(52-["back",{"file":{"_placeholder":true,"num":0},"name":"x"},{"_placeholder":true,"num":1},7])");
    REQUIRE(attachments.size() == 2);
    CHECK(as_characters(attachments[0]) == "zero");
    CHECK(as_characters(attachments[1]) == "one");

    REQUIRE(encode_ack(text, attachments, {.id = 1}, f.args[2]).has_value());
    CHECK(attachments.empty());
}

TEST_CASE("arguments work with the algorithms of ranges", "[socketio]") {
    arguments const args(*decode(R"(2["add",1,2,3])"));
    CHECK(std::ranges::distance(args.begin(), args.end()) == 3);
    CHECK(std::ranges::count_if(args, [](argument const& a) { return a.get<int>().value_or(0) > 1; }) == 2);
}

TEST_CASE("the first arguments are read as the types asked for", "[socketio]") {
    auto const p = decode(R"(2["add",1,"two",[3]])");
    arguments const args(*p);
    CHECK(args.get<int>() == 1);
    CHECK(args.get<int, std::string>() == std::tuple(1, std::string("two")));
    CHECK(args.get<int, std::string, std::vector<int>>() == std::tuple(1, std::string("two"), std::vector{3}));
    CHECK(args.get<json::text>()->raw() == "1");
}

TEST_CASE("arguments that nobody asked for are ignored", "[socketio]") {
    CHECK(arguments(*decode(R"(2["a",1,2,3])")).get<int>() == 1);
    CHECK(arguments(*decode(R"(31[1,2,3])")).get<int, int>() == std::tuple(1, 2));
}

TEST_CASE("a missing argument is an error with its index, unless it is optional", "[socketio]") {
    auto const p = decode(R"(2["a",1])");
    arguments const args(*p);
    CHECK(args.get<int, int>() == error{errc::missing_argument, 1});
    CHECK(args.get<int, std::optional<int>, int>() == error{errc::missing_argument, 2});
    CHECK(args.get<int, json::text>() == error{errc::missing_argument, 1});
    CHECK(arguments().get<int>() == error{errc::missing_argument, 0});
    CHECK(arguments().get<byte_view, byte_view>().error() == error{errc::missing_argument, 0});

    CHECK((arguments().get<std::optional<int>>() == result<std::optional<int>>(std::nullopt)));
    CHECK((args.get<int, std::optional<std::string>>() == std::tuple(1, std::optional<std::string>())));
    CHECK(
        (arguments(*decode(R"(2["a",1,null])")).get<int, std::optional<int>>() == std::tuple(1, std::optional<int>())));
}

TEST_CASE("the first argument of another kind is the error, with its index", "[socketio]") {
    auto const p = decode(R"(2["a",1,"\ud800",1.5])");
    arguments const args(*p);
    CHECK(args.get<bool>() == error{errc::wrong_kind, 0});
    CHECK(args.get<int, std::string>() == error{errc::lone_surrogate, 1});
    CHECK(args.get<int, int, int, int>() == error{errc::wrong_kind, 1});
    CHECK(args.get<int, json::text, int, int>() == error{errc::not_an_integer, 2});
    CHECK(args.get<int, std::optional<int>>() == error{errc::wrong_kind, 1});
}

TEST_CASE("binary arguments are read beside the others", "[socketio]") {
    fixture f;
    auto const args = arguments(f.p, f.attachments).get<byte_view, app::post, int>();
    REQUIRE(args.has_value());
    auto const& [bytes, post, number] = *args;
    CHECK(bytes.data() == f.attachments[1].data()); // borrowed
    CHECK(as_characters(post.file) == "zero");
    CHECK(number == 7);
    CHECK(arguments(f.p, f.attachments).get<int>() == error{errc::wrong_kind, 0});
    CHECK(arguments(f.p, f.attachments).get<byte_view, byte_view>().error() == error{errc::wrong_kind, 1});
}

TEST_CASE("arguments are spread into another event, however many there are", "[socketio]") {
    fixture f;
    std::string text;
    attachment_list attachments;
    arguments const args(f.p, f.attachments);
    REQUIRE(encode_event(text, attachments, {}, "echo", spread(args), "end").has_value());
    CHECK(attachments.size() == 2);
    auto const again = decode(text);
    REQUIRE(again.has_value());
    CHECK(arguments(*again, attachments).size() == args.size() + 1);
    CHECK(arguments(*again, attachments).get<byte_view, app::post, int>().has_value());

    text.clear();
    std::vector<int> const none;
    REQUIRE(encode_event(text, attachments, {}, "echo", spread(none)).has_value());
    CHECK(text == R"(2["echo"])");
    text.clear();
    REQUIRE(encode_ack(text, attachments, {.id = 1}, spread(std::vector{1, 2}), 3).has_value());
    CHECK(text == "31[1,2,3]");
}

TEST_CASE("data that looks like a placeholder cannot be relayed beside attachments", "[socketio]") {
    std::string text;
    attachment_list attachments;
    std::byte const bytes[] = {std::byte{1}};
    for (std::string_view const wire :
         {R"(2["x",{"_placeholder":true,"num":99}])", R"(2["x",{"_placeholder":true,"num":0}])"}) {
        auto const p = decode(wire);
        REQUIRE(p.has_value());
        auto const plain = *arguments(*p).begin(); // no attachments: plain data
        CHECK(encode_event(text, attachments, {}, "relay", plain, bytes) == error{errc::invalid_placeholder});
        CHECK(text.empty());
        CHECK(encode_event(text, attachments, {}, "relay", plain).has_value());
        text.clear();
    }
}

} // namespace socketio_arguments_test
