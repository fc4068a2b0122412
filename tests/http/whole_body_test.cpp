#include "tools/catch.hpp"

#include <socketless/http/whole_body.hpp>

#include <span>
#include <string>
#include <string_view>

namespace http_whole_body_test {

using namespace socketless;

namespace {

std::string_view text_of(http::whole_body& body) {
    return {body.get().data(), body.get().size()};
}

} // namespace

TEST_CASE("http whole_body: a body in one piece is borrowed") {
    http::whole_body body;
    CHECK(text_of(body).empty());
    std::string piece = "hello";
    body.add({});
    body.add(piece);
    body.add({});
    CHECK(body.get().data() == piece.data());
    CHECK(text_of(body) == "hello");
    body.get()[0] = 'j';
    CHECK(piece == "jello");
}

TEST_CASE("http whole_body: pieces are put together, and nothing is borrowed from them any more") {
    http::whole_body body;
    std::string first = "hel";
    std::string second = "lo ";
    std::string third = "world";
    body.add(first);
    body.add(second);
    first = second = "???";
    body.add(third);
    third = "?????";
    CHECK(text_of(body) == "hello world");
}

TEST_CASE("http whole_body: a piece is kept when its input goes away") {
    http::whole_body body;
    body.keep();
    std::string piece = "hel";
    body.add(piece);
    body.keep();
    body.keep();
    piece = "???";
    CHECK(text_of(body) == "hel");
    std::string more = "lo";
    body.add(more);
    CHECK(text_of(body) == "hello");
}

TEST_CASE("http whole_body: a cleared one is empty and takes the next body") {
    http::whole_body body;
    std::string piece = "a piece that is longer than what a string holds in itself";
    body.add(piece);
    body.keep();
    body.clear();
    CHECK(text_of(body).empty());
    body.add(piece);
    CHECK(body.get().data() == piece.data());
    body.clear();
    CHECK(text_of(body).empty());
}

} // namespace http_whole_body_test
