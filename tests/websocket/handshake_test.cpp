#include "tools/catch.hpp"

#include <socketless/websocket/handshake.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace websocket_handshake_test {

using namespace socketless;
using namespace socketless::websocket;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

struct field {
    std::string_view name;
    std::string_view value;
};

// Other forms in which fields may be kept.
struct owned_field {
    std::string name;
    std::string value;
};

using fields = std::vector<field>;

constexpr std::string_view example_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view example_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

constexpr std::array example_request{
    field{"Host", "server.example.com"},   field{"Upgrade", "websocket"},
    field{"Connection", "Upgrade"},        field{"Sec-WebSocket-Key", example_key},
    field{"Origin", "http://example.com"}, field{"Sec-WebSocket-Protocol", "chat, superchat"},
    field{"Sec-WebSocket-Version", "13"},
};

constexpr std::array example_response{
    field{"Upgrade", "websocket"},
    field{"Connection", "Upgrade"},
    field{"Sec-WebSocket-Accept", example_accept},
    field{"Sec-WebSocket-Protocol", "chat"},
};

constexpr std::array<std::string_view, 2> example_offer{"chat", "superchat"};

// The examples with the field of this name as `values`, a line for each.
template <class Example>
fields with(Example const& example, std::string_view name, std::vector<std::string_view> const& values) {
    fields all;
    for (field const& f : example)
        if (f.name != name) all.push_back(f);
    for (std::string_view const value : values) all.push_back({name, value});
    return all;
}

errc refusal(fields const& request) {
    auto const offer = read_request("GET", 1, request);
    return offer ? errc{} : offer.error().code;
}

errc refusal(std::string_view name, std::vector<std::string_view> const& values) {
    return refusal(with(example_request, name, values));
}

errc refusal_of_answer(fields const& response, int status = 101) {
    auto const chosen = check_response(status, response, example_key, example_offer);
    return chosen ? errc{} : chosen.error().code;
}

errc refusal_of_answer(std::string_view name, std::vector<std::string_view> const& values) {
    return refusal_of_answer(with(example_response, name, values));
}

std::vector<std::string> offered(fields const& request) {
    auto const offer = read_request("GET", 1, request);
    REQUIRE(offer.has_value());
    std::vector<std::string> all;
    for (std::string_view const s : offer->subprotocols) all.emplace_back(s);
    return all;
}

constexpr bool is_accepted(std::string_view key, std::string_view accept) {
    auto const made = accept_of(key);
    return std::string_view(made.data(), made.size()) == accept;
}

} // namespace

static_assert(field_range<std::vector<owned_field>> && field_range<std::span<field const>> &&
              !field_range<std::string>);
static_assert(is_accepted(example_key, example_accept));
static_assert(is_upgrade(example_request));
static_assert(read_request("GET", 1, example_request)->key == example_key);
static_assert(read_request("GET", 1, example_request)->subprotocols.first() == "chat");
static_assert(check_response(101, example_response, example_key, example_offer) == "chat"sv);
static_assert(status_of(errc::unsupported_websocket_version) == 426);
static_assert(status_of(errc::not_a_websocket_handshake) == 400 && status_of(errc::invalid_websocket_key) == 400 &&
              status_of(errc::invalid_field) == 400);

TEST_CASE("websocket handshake: a request without subprotocols offers none", "[websocket]") {
    fields const request = with(example_request, "Sec-WebSocket-Protocol", {});
    auto const offer = read_request("GET", 1, request);
    REQUIRE(offer.has_value());
    CHECK(offer->key == example_key);
    CHECK(offer->subprotocols.empty());
    CHECK(offer->subprotocols.first().empty());
    CHECK(offer->subprotocols.first_of(example_offer).empty());
}

TEST_CASE("websocket handshake: the fields may be kept in any form", "[websocket]") {
    std::vector<owned_field> request;
    for (field const& f : example_request) request.push_back({std::string(f.name), std::string(f.value)});
    CHECK(read_request("GET", 1, request).has_value());
    std::span<field const> const borrowed(example_request);
    CHECK(read_request("GET", 1, borrowed).has_value());
}

TEST_CASE("websocket handshake: only a GET of HTTP/1.1 opens a WebSocket", "[websocket]") {
    for (std::string_view const method : {"POST", "get", "HEAD", "CONNECT", "GET ", ""}) {
        CAPTURE(method);
        CHECK(read_request(method, 1, example_request) == error{errc::not_a_websocket_handshake});
    }
    CHECK(read_request("GET", 0, example_request) == error{errc::not_a_websocket_handshake});
}

TEST_CASE("websocket handshake: Upgrade and Connection are lists of tokens, in any case", "[websocket]") {
    for (std::string_view const name : {"Upgrade"sv, "Connection"sv}) {
        std::string_view const token = name == "Upgrade" ? "websocket" : "upgrade";
        std::string upper(token);
        for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
        CAPTURE(name);
        CHECK(refusal(name, {token}) == errc{});
        CHECK(refusal(name, {upper}) == errc{});
        CHECK(refusal(name, {"keep-alive, " + upper}) == errc{});
        CHECK(refusal(name, {" ,\t" + upper + " ,other"}) == errc{});
        CHECK(refusal(name, {"keep-alive", token}) == errc{});
        CHECK(refusal(name, {}) == errc::not_a_websocket_handshake);
        CHECK(refusal(name, {""}) == errc::not_a_websocket_handshake);
        CHECK(refusal(name, {"keep-alive"}) == errc::not_a_websocket_handshake);
        CHECK(refusal(name, {upper + "s"}) == errc::not_a_websocket_handshake);
        CHECK(refusal(name, {"x" + upper}) == errc::not_a_websocket_handshake);
        CHECK(refusal(name, {upper + "/13"}) == errc::not_a_websocket_handshake);
        CHECK(refusal(name, {upper + " other"}) == errc::not_a_websocket_handshake);
    }
    CHECK(is_upgrade(fields{{"uPGRADE", "h2c, WebSocket"}}));
    CHECK_FALSE(is_upgrade(fields{{"Upgrade", "h2c"}}));
    CHECK_FALSE(is_upgrade(fields{{"Connection", "websocket"}}));
    CHECK_FALSE(is_upgrade(fields{}));
}

TEST_CASE("websocket handshake: names of fields are read in any case", "[websocket]") {
    std::vector<owned_field> request;
    for (field const& f : example_request) {
        owned_field& copy = request.emplace_back(owned_field{std::string(f.name), std::string(f.value)});
        for (char& c : copy.name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    auto const offer = read_request("GET", 1, request);
    REQUIRE(offer.has_value());
    CHECK(offer->subprotocols.first() == "chat");
}

TEST_CASE("websocket handshake: the version is 13, once", "[websocket]") {
    constexpr std::string_view name = "Sec-WebSocket-Version";
    CHECK(refusal(name, {" 13\t"}) == errc{});
    for (std::vector<std::string_view> const& values : std::vector<std::vector<std::string_view>>{
             {}, {""}, {"8"}, {"0"}, {"12"}, {"14"}, {"013"}, {"13.0"}, {"13, 8"}, {"13", "13"}, {"13", "8"}, {"+13"}})
        CHECK(refusal(name, values) == errc::unsupported_websocket_version);
}

TEST_CASE("websocket handshake: the key is 16 bytes of base64, once", "[websocket]") {
    constexpr std::string_view name = "Sec-WebSocket-Key";
    CHECK(refusal(name, {example_key}) == errc{});
    CHECK(refusal(name, {"AAAAAAAAAAAAAAAAAAAAAA=="}) == errc{});
    for (std::vector<std::string_view> const& values : std::vector<std::vector<std::string_view>>{
             {},
             {""},
             {example_key, example_key},
             {"dGhlIHNhbXBsZSBub25jZQ"},     // without its padding
             {"dGhlIHNhbXBsZSBub25jZQ="},    // half of it
             {"dGhlIHNhbXBsZSBub25jZQ===="}, // twice
             {"dGhlIHNhbXBsZSBub25jZWU="},   // 17 bytes
             {"dGhlIHNhbXBsZSBub25jZWVl"},   // 18 bytes
             {"dGhlIHNhbXBsZSBub25j"},       // 15 bytes
             {"dGhlIHNhbXBsZSBub25jZ-=="},   // the other alphabet
             {"dGhlIHNhbXBsZSBub2 jZQ=="},
             {"dGhlIHNhbXBsZSBub25jZQ==, x"},
             {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},
         })
        CHECK(refusal(name, values) == errc::invalid_websocket_key);
}

TEST_CASE("websocket handshake: another version is said before a bad key", "[websocket]") {
    fields request = with(example_request, "Sec-WebSocket-Version", {"8"});
    for (field& f : request)
        if (f.name == "Sec-WebSocket-Key") f.value = "x";
    CHECK(refusal(request) == errc::unsupported_websocket_version);
}

TEST_CASE("websocket handshake: subprotocols stand in a list, on one line or several", "[websocket]") {
    constexpr std::string_view name = "Sec-WebSocket-Protocol";
    using strings = std::vector<std::string>;
    CHECK(offered(with(example_request, name, {"a"})) == strings{"a"});
    CHECK(offered(with(example_request, name, {"a,b , c\t"})) == strings{"a", "b", "c"});
    CHECK(offered(with(example_request, name, {"a", "b, c", "d"})) == strings{"a", "b", "c", "d"});
    CHECK(offered(with(example_request, name, {"a, A"})) == strings{"a", "A"}); // their case counts
}

TEST_CASE("websocket handshake: a broken list of subprotocols is refused", "[websocket]") {
    constexpr std::string_view name = "Sec-WebSocket-Protocol";
    for (std::vector<std::string_view> const& values : std::vector<std::vector<std::string_view>>{{""},
                                                                                                  {", ,"},
                                                                                                  {"a,,b"},
                                                                                                  {"a", ""},
                                                                                                  {"a b"},
                                                                                                  {"a;q=1"},
                                                                                                  {"\"a\""},
                                                                                                  {"a, b, a"},
                                                                                                  {"a", "b", "a"},
                                                                                                  {"a,a"},
                                                                                                  {"caf\xc3\xa9"},
                                                                                                  {"a/b"}})
        CHECK(refusal(name, values) == errc::invalid_field);
}

TEST_CASE("websocket handshake: the number of subprotocols is limited", "[websocket]") {
    auto const list_of = [](std::size_t number) {
        std::string list;
        for (std::size_t i = 0; i != number; ++i) list += (i == 0 ? "p" : ",p") + std::to_string(i);
        return list;
    };
    constexpr std::string_view name = "Sec-WebSocket-Protocol";
    CHECK(refusal(name, {list_of(max_subprotocols)}) == errc{});
    CHECK(refusal(name, {list_of(max_subprotocols + 1)}) == errc::invalid_field);
    CHECK(refusal(name, {list_of(max_subprotocols), "q"}) == errc::invalid_field);
}

TEST_CASE("websocket handshake: the server chooses the first subprotocol, or the first that it wants", "[websocket]") {
    fields const request = with(example_request, "Sec-WebSocket-Protocol", {"a, b", "c"});
    auto const offer = read_request("GET", 1, request);
    REQUIRE(offer.has_value());
    CHECK(offer->subprotocols.first() == "a");
    CHECK(offer->subprotocols.first_of(std::array{"c"sv, "b"sv}) == "b");
    CHECK(offer->subprotocols.first_of(std::array{"x"sv, "c"sv}) == "c");
    CHECK(offer->subprotocols.first_of(std::array{"x"sv, "A"sv}).empty());
    CHECK(offer->subprotocols.first_of({}).empty());
}

TEST_CASE("websocket handshake: the client's fields are what the server wants, and the other way", "[websocket]") {
    for (std::span<std::string_view const> const offer :
         {std::span<std::string_view const>(), std::span<std::string_view const>(example_offer)}) {
        auto const key = make_key([](std::span<std::byte> bytes) {
            for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = static_cast<std::byte>(200 + i);
        });
        std::string_view const key_text(key.data(), key.size());
        CHECK(key_text == "yMnKy8zNzs/Q0dLT1NXW1w==");
        std::vector<owned_field> sent;
        auto const write = [&sent](std::string_view name, std::string_view value) {
            sent.push_back({std::string(name), std::string(value)});
        };
        write_request_fields(key_text, offer, write);
        auto const request = std::exchange(sent, {});
        CHECK(request.size() == (offer.empty() ? 4 : 5));
        auto const read = read_request("GET", 1, request);
        REQUIRE(read.has_value());
        CHECK(read->key == key_text);
        CHECK(read->subprotocols.empty() == offer.empty());

        write_response_fields(accept_of(read->key), read->subprotocols.first(), write);
        CHECK(sent.size() == (offer.empty() ? 3 : 4));
        CHECK(check_response(101, sent, key_text, offer) == (offer.empty() ? ""sv : "chat"sv));
    }
}

TEST_CASE("websocket handshake: the client wants status 101, Upgrade and Connection", "[websocket]") {
    fields const good(example_response.begin(), example_response.end());
    CHECK(refusal_of_answer(good) == errc{});
    for (int const status : {0, 100, 102, 200, 301, 400, 426, 1010})
        CHECK(refusal_of_answer(good, status) == errc::not_a_websocket_handshake);
    CHECK(refusal_of_answer("Upgrade", {"WebSocket"}) == errc{});
    CHECK(refusal_of_answer("Connection", {"keep-alive, UPGRADE"}) == errc{});
    CHECK(refusal_of_answer("Upgrade", {}) == errc::not_a_websocket_handshake);
    CHECK(refusal_of_answer("Upgrade", {"h2c"}) == errc::not_a_websocket_handshake);
    CHECK(refusal_of_answer("Upgrade", {"websocket, h2c"}) == errc::not_a_websocket_handshake);
    CHECK(refusal_of_answer("Upgrade", {"websocket", "websocket"}) == errc::not_a_websocket_handshake);
    CHECK(refusal_of_answer("Connection", {}) == errc::not_a_websocket_handshake);
    CHECK(refusal_of_answer("Connection", {"close"}) == errc::not_a_websocket_handshake);
}

TEST_CASE("websocket handshake: the client checks that the server has read its key", "[websocket]") {
    constexpr std::string_view name = "Sec-WebSocket-Accept";
    CHECK(refusal_of_answer(name, {" s3pPLMBiTxaQ9kYGzzhZRbK+xOo= "}) == errc{});
    for (std::vector<std::string_view> const& values : std::vector<std::vector<std::string_view>>{
             {},
             {""},
             {example_accept, example_accept},
             {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"},
             {"S3PPLMBITXAQ9KYGZZHZRBK+XOO="},
             {"s3pPLMBiTxaQ9kYGzzhZRbK+xOp="},
             {example_key},
         })
        CHECK(refusal_of_answer(name, values) == errc::invalid_websocket_key);
}

TEST_CASE("websocket handshake: the client takes no extension and no subprotocol that it did not offer",
          "[websocket]") {
    CHECK(refusal_of_answer("Sec-WebSocket-Extensions", {"permessage-deflate"}) == errc::unoffered_extension);
    CHECK(refusal_of_answer("Sec-WebSocket-Extensions", {""}) == errc::unoffered_extension);

    constexpr std::string_view name = "Sec-WebSocket-Protocol";
    CHECK(refusal_of_answer(name, {}) == errc{});
    CHECK(refusal_of_answer(name, {"superchat"}) == errc{});
    for (std::vector<std::string_view> const& values : std::vector<std::vector<std::string_view>>{
             {""}, {"Chat"}, {"chat, superchat"}, {"chat", "superchat"}, {"chat", "chat"}, {"other"}})
        CHECK(refusal_of_answer(name, values) == errc::unoffered_subprotocol);
    fields const unasked = with(example_response, name, {"chat"});
    CHECK(check_response(101, unasked, example_key) == error{errc::unoffered_subprotocol});
}

TEST_CASE("websocket handshake: the subprotocol that was chosen is borrowed from the client's offer", "[websocket]") {
    std::string answer = "superchat";
    fields const response = with(example_response, "Sec-WebSocket-Protocol", {answer});
    auto const chosen = check_response(101, response, example_key, example_offer);
    REQUIRE(chosen.has_value());
    CHECK(chosen->data() == example_offer[1].data());
}

} // namespace websocket_handshake_test
