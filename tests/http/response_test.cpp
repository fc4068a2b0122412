#include "tools/catch.hpp"
#include "tools/http_parts.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/http/response.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace http_response_test {

using namespace socketless;
using namespace std::string_literals;
using namespace std::string_view_literals;
using support::read_responses;

namespace {

constexpr auto good = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: \t y z \t\r\n\r\n"sv;
static_assert(http::read_response_head(good)->status == 200);
static_assert(http::read_response_head(good)->reason == "OK");
static_assert(http::read_response_head(good)->content_length == 5u);
static_assert(http::read_response_head(good)->fields.find("x") == "y z");
static_assert(http::read_response_head("HTTP/1.1 1000\r\n\r\n").error().code == errc::invalid_start_line);
static_assert(std::is_nothrow_move_constructible_v<http::response_reader>);
static_assert(!std::is_copy_constructible_v<http::response_reader>);

std::string with(std::string_view fields, std::string_view body = "") {
    return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

// Answers of all kinds, each well-formed; the last one ends with the connection.
std::vector<std::string> const& corpus() {
    static std::vector<std::string> const all{
        std::string(good) + "hello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n",
        with("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1;x\r\n!\r\n0\r\nTrailer: x\r\n\r\n"),
        "HTTP/1.1 404\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 200 caf\xc3\xa9 \t\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n\n",
        "HTTP/1.1 500 Oh\r\n\r\nup to the end\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    };
    return all;
}

void check_chunkings(std::string_view text, std::string_view method = "GET", http::limits const& l = {}) {
    auto const whole = read_responses({text}, method, l);
    CAPTURE(text, whole.parts);
    CHECK(read_responses(support::each_byte(text), method, l) == whole);
    bool is_same = true;
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
        is_same = is_same && read_responses({text.substr(0, cut), text.substr(cut)}, method, l) == whole;
    CHECK(is_same);
}

} // namespace

TEST_CASE("http response: answers come in order, whatever the pieces are") {
    std::string all;
    for (auto const& text : corpus()) all += text;
    auto const read = read_responses({all});
    CHECK(read.parts == "200 'OK' 1.1 keep-alive length=5 [Content-Length=5] [X=y z]\nbody hello\nend\n"
                        "100 'Continue' 1.1 keep-alive\n"
                        "103 'Early Hints' 1.1 keep-alive [Link=x]\n"
                        "204 'No Content' 1.1 keep-alive\nend\n"
                        "304 '' 1.1 keep-alive length=9 [Content-Length=9]\nend\n"
                        "200 'OK' 1.1 keep-alive chunked [Transfer-Encoding=chunked]\nbody hello!\nend\n"
                        "404 '' 1.1 close length=0 [Content-Length=0] [Connection=close]\nend\n"
                        "200 'caf\xc3\xa9 \t' 1.0 keep-alive length=1 [Connection=keep-alive] [Content-Length=1]\n"
                        "body \n\nend\n"
                        "500 'Oh' 1.1 close\nbody up to the end\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\nend");
    CHECK_FALSE(read.failure);
    CHECK(read.is_idle);
    check_chunkings(all);
    support::random_source random(8);
    bool is_same = true;
    for (int round = 0; round != 300; ++round)
        is_same = is_same && read_responses(support::random_cuts(all, 1 + random.below(60), random)) == read;
    CHECK(is_same);
}

TEST_CASE("http response: every prefix and every changed byte is the same in all chunkings") {
    bool is_same = true;
    support::random_source random(9);
    for (auto const& text : {corpus()[1], corpus()[3]}) {
        support::for_each_mutation(text, [&](std::string_view changed) {
            auto const pieces =
                random.one_in(16) ? support::each_byte(changed) : support::random_cuts(changed, 60, random);
            is_same = is_same && read_responses(pieces) == read_responses({changed});
        });
    }
    CHECK(is_same);
}

TEST_CASE("http response: an answer that is not as the RFC has it is refused") {
    struct row {
        std::string text;
        errc code;
    };
    using enum errc;
    auto const nul = "\0"s;
    for (auto const& [text, code] : std::vector<row>{
             {"HTTP/1.1 20\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 2000\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 099 x\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 2x0 x\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 +20 x\r\n\r\n", invalid_start_line},
             {"HTTP/1.1  200 x\r\n\r\n", invalid_start_line},
             {"HTTP/1.1\t200 x\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 200\tx\r\n\r\n", invalid_start_line},
             {"HTTP/1.1\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 \r\n\r\n", invalid_start_line},
             {"HTTP/1.1 200 x\ry\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 200 x" + nul + "\r\n\r\n", invalid_start_line},
             {"HTTP/1.1 200 OK\nA: b\r\n\r\n", invalid_start_line},
             {"ICY 200 OK\r\n\r\n", invalid_start_line},
             {"http/1.1 200 OK\r\n\r\n", invalid_start_line},
             {"\r\nHTTP/1.1 200 OK\r\n\r\n", invalid_start_line},
             {" HTTP/1.1 200 OK\r\n\r\n", invalid_start_line},
             {"HTTP/2.0 200 OK\r\n\r\n", unsupported_http_version},
             {"HTTP/1.9 200 OK\r\n\r\n", unsupported_http_version},
             {with("X : y\r\n"), invalid_field},
             {with("X: y\r\n folded\r\n"), invalid_field},
             {with("X: a\nY: b\r\n"), invalid_field},
             {with("X: a\rY: b\r\n"), invalid_field},
             {with("X: a" + nul + "\r\n"), invalid_field},
             {with("Content-Length: 5\r\nContent-Length: 6\r\n"), invalid_content_length},
             {with("Content-Length: -1\r\n"), invalid_content_length},
             {with("Content-Length: 5, 5, 6\r\n"), invalid_content_length},
             {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked, gzip\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding:\r\n"), invalid_transfer_coding},
             {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", invalid_transfer_coding},
             {with("Transfer-Encoding: gzip, chunked\r\n"), unknown_transfer_coding},
             {with("Transfer-Encoding: gzip\r\n"), unknown_transfer_coding},
             {with("Transfer-Encoding: identity\r\n"), unknown_transfer_coding},
             {with("Transfer-Encoding: chunked\r\n", "5;\nhello\r\n"), invalid_chunk},
             {with("Transfer-Encoding: chunked\r\n", "0x1\r\nh\r\n"), invalid_chunk},
         }) {
        auto const read = read_responses({text});
        CAPTURE(text);
        REQUIRE(read.failure);
        CHECK(read.failure->code == code);
        check_chunkings(text);
    }
}

TEST_CASE("http response: whether there is a body depends on the status and on the request") {
    struct row {
        std::string_view method;
        std::string_view status;
        bool has_body;
    };
    for (auto const& [method, status, has_body] : {
             row{"GET", "200", true},
             row{"GET", "404", true},
             row{"GET", "204", false},
             row{"GET", "304", false},
             row{"GET", "205", true},
             row{"HEAD", "200", false},
             row{"head", "200", true}, // another method
             row{"HEAD", "404", false},
             row{"CONNECT", "404", true},
             row{"POST", "299", true},
         }) {
        CAPTURE(method, status);
        for (auto const fields : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", ""}) {
            auto const head = "HTTP/1.1 " + std::string(status) + " x\r\n" + fields + "\r\n";
            auto const body = fields[0] == 'T' ? "5\r\nhello\r\n0\r\n\r\n" : "hello";
            auto const read = read_responses({head + (has_body ? body : "")}, method);
            CHECK_FALSE(read.failure);
            CHECK(read.parts.ends_with(has_body ? "\nbody hello\nend" : "\nend"));
            check_chunkings(head, method);
        }
    }
}

TEST_CASE("http response: an answer that ends HTTP leaves the rest to another protocol") {
    for (auto const& [method, text] : std::vector<std::pair<std::string_view, std::string>>{
             {"GET", "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\n\r\n"},
             {"CONNECT", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
         }) {
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            CAPTURE(text, cut);
            http::response_reader reader;
            reader.expect(method);
            support::http_feed feed(reader);
            feed.push(text.substr(0, cut));
            feed.push(text.substr(cut) + "\x81\x05");
            feed.push("hello");
            CHECK(feed.outcome().parts.ends_with("\nend"));
            CHECK(feed.left_over() == "\x81\x05hello");
            feed.finish();
            CHECK_FALSE(feed.outcome().failure);
            CHECK(reader.head().status / 100 <= 2);
        }
    }
}

TEST_CASE("http response: an answer to one request is read apart from that to the next") {
    http::response_reader reader;
    support::http_feed feed(reader);
    reader.expect("HEAD");
    feed.push("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    CHECK(reader.is_idle());
    reader.expect("GET");
    feed.push("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    CHECK(feed.outcome().parts.ends_with("body hello\nend"));
    CHECK(reader.is_idle());
}

TEST_CASE("http response: a connection that ends within an answer truncates it") {
    auto const text = corpus()[3];
    for (std::size_t size = 0; size <= text.size(); ++size) {
        CAPTURE(size);
        auto const read = read_responses({std::string_view(text).substr(0, size)});
        bool const is_whole = size == 0 || size == text.size();
        CHECK(read.failure.has_value() != is_whole);
        if (!is_whole) CHECK(read.failure == error{errc::truncated_message});
    }
    CHECK(read_responses({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"}).failure->code ==
          errc::truncated_message);
    CHECK(read_responses({"HTTP/1.1 200 OK\r\n\r\n"}).parts == "200 'OK' 1.1 close\nend");
    http::response_reader reader;
    std::string input = "HTTP/1.1 2";
    std::span<char> rest(input);
    CHECK_FALSE(reader.read(rest)->has_value());
    auto const failure = reader.finish().error();
    CHECK(reader.finish().error() == failure);
    CHECK(reader.read(rest).error() == failure);
}

TEST_CASE("http response: an interim answer announces another one") {
    http::response_reader reader;
    support::http_feed feed(reader);
    feed.push("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK_FALSE(reader.is_idle());
    feed.push("");
    CHECK_FALSE(reader.is_idle());
    feed.push("HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(reader.is_idle());
    CHECK(read_responses({"HTTP/1.1 100 Continue\r\n\r\n"}).failure == error{errc::truncated_message});
    CHECK(read_responses({"HTTP/1.1 100 Continue\r\n\r\n", ""}).failure == error{errc::truncated_message});
}

TEST_CASE("http response: a kept head still says that the body ends with the connection") {
    http::response_reader reader;
    {
        std::string text = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody";
        std::span<char> input(text);
        while (reader.read(input)->has_value()) {
        }
        CHECK_FALSE(reader.head().keep_alive);
        reader.keep_head();
    }
    http::response_reader moved(std::move(reader));
    CHECK_FALSE(moved.head().keep_alive);
    CHECK(moved.head().fields.find("X") == "y");
}

TEST_CASE("http response: each limit holds to the byte, in all chunkings") {
    struct row {
        http::limits at;
        http::limits below;
        std::string text;
        errc code;
    };
    auto const head = with("Content-Length: 0\r\n");
    auto const up_to_end = with("", "hello");
    for (auto const& [at, below, text, code] : std::vector<row>{
             {{.max_head = head.size()}, {.max_head = head.size() - 1}, head, errc::head_too_large},
             {{.max_head = 15}, {.max_head = 14}, "HTTP/1.1 200 OK", errc::head_too_large},
             {{.max_fields = 1}, {.max_fields = 0}, head, errc::too_many_fields},
             {{.max_body = 5}, {.max_body = 4}, up_to_end, errc::payload_too_large},
             {{.max_body = 5}, {.max_body = 4}, with("Content-Length: 5\r\n", "hello"), errc::payload_too_large},
             {{.max_body = 1},
              {.max_body = 0},
              with("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"),
              errc::payload_too_large},
         }) {
        CAPTURE(text);
        auto const whole = read_responses({text}, "GET", at);
        CHECK((!whole.failure || whole.failure->code == errc::truncated_message));
        auto const read = read_responses({text}, "GET", below);
        REQUIRE(read.failure);
        CHECK(read.failure->code == code);
        check_chunkings(text, "GET", at);
        check_chunkings(text, "GET", below);
    }
    // An answer without a body may say any length.
    CHECK_FALSE(read_responses({with("Content-Length: 5\r\n")}, "HEAD", {.max_body = 4}).failure);
}

TEST_CASE("http response: a head without its end is truncated") {
    CHECK(http::read_response_head("HTTP/1.1 200 OK\r\n").error() == error{errc::truncated_message, 17});
    CHECK(http::read_response_head(with("") + "x").error().code == errc::invalid_field);
    for (auto const& text : corpus())
        support::for_each_mutation(text.substr(0, text.find("\r\n\r\n") + 4),
                                   [](std::string_view s) { (void)http::read_response_head(s); });
}

} // namespace http_response_test
