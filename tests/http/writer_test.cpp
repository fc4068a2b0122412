#include "tools/catch.hpp"
#include "tools/http_parts.hpp"
#include "tools/random.hpp"

#include <socketless/http/writer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace http_writer_test {

using namespace socketless;
using namespace std::string_literals;
using namespace std::string_view_literals;
using http::field;

namespace {

constexpr bool writes_in_constant_expressions() {
    std::array<char, 64> buffer{};
    std::array const fields{field{"A", "b"}};
    auto const size = http::write_response_head(std::span<char>(buffer), 200, fields);
    return size && std::string_view(buffer.data(), *size) == "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
}
static_assert(writes_in_constant_expressions());

} // namespace

TEST_CASE("http writer: a head of a request is its line, its fields and an empty line") {
    std::string out = "before";
    CHECK(http::write_request_head(out, "GET", "/x?y#z", {}) == "GET /x?y#z HTTP/1.1\r\n\r\n"sv.size());
    CHECK(out == "beforeGET /x?y#z HTTP/1.1\r\n\r\n");
    out.clear();
    std::vector<field> const fields{{"Host", "a"}, {"Empty", ""}, {"Host", "\tb \xff"}};
    CHECK(http::write_request_head(out, "M-SEARCH", "*", fields).has_value());
    CHECK(out == "M-SEARCH * HTTP/1.1\r\nHost: a\r\nEmpty: \r\nHost: \tb \xff\r\n\r\n");
}

TEST_CASE("http writer: a head of an answer is its status, its fields and an empty line") {
    std::string out;
    CHECK(http::write_response_head(out, 404, std::array{field{"A", "b"}}).has_value());
    CHECK(out == "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n");
    out.clear();
    CHECK(http::write_response_head(out, 999, {}).has_value());
    CHECK(out == "HTTP/1.1 999 \r\n\r\n");
    out.clear();
    CHECK(http::write_response_head(out, 100, {}).has_value());
    CHECK(out == "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_CASE("http writer: chunks are a size, data and the last one") {
    std::string out;
    CHECK(http::write_chunk(out, "hello") == 10u);
    CHECK(http::write_chunk(out, "") == 0u);
    CHECK(http::write_chunk(out, std::string(0x1a0, 'x')).has_value());
    CHECK(http::write_last_chunk(out) == 5u);
    CHECK(out == "5\r\nhello\r\n1a0\r\n" + std::string(0x1a0, 'x') + "\r\n0\r\n\r\n");
}

TEST_CASE("http writer: nothing that would break the message is written") {
    std::string out = "before";
    using enum errc;
    for (auto const method : {""sv, "G T"sv, "GET\r\n"sv, "G\0"sv, "GET /"sv, "\xc3\xa9"sv, "GET:"sv})
        CHECK(http::write_request_head(out, method, "/", {}) == error{invalid_start_line});
    for (auto const target : {""sv, "/a b"sv, "/a\r\nX: y"sv, "/\n"sv, "/\t"sv, "/\0"sv, "/\x7f"sv, "/caf\xc3\xa9"sv,
                              " /"sv, "/long-enough\rx"sv, "/ HTTP/1.1\r\n\r\n"sv})
        CHECK(http::write_request_head(out, "GET", target, {}) == error{invalid_start_line});
    for (int const status : {-1, 0, 99, 1000, 2000000000}) {
        CAPTURE(status);
        CHECK(http::write_response_head(out, status, {}) == error{invalid_start_line});
    }
    for (auto const& bad : {field{"", "x"}, field{"A B", "x"}, field{"A:", "x"}, field{"A\r\nB", "x"},
                            field{"A", "x\r\nB: y"}, field{"A", "x\ny"}, field{"A", "x\r"}, field{"A", "\0"sv},
                            field{"A", "long enough for a word\r\n"}, field{"A", "\x7f"}, field{"\xc3\xa9", "x"}}) {
        std::array const fields{field{"Good", "x"}, bad};
        CHECK(http::write_request_head(out, "GET", "/", fields) == error{invalid_field, 1});
        CHECK(http::write_response_head(out, 200, fields) == error{invalid_field, 1});
    }
    CHECK(out == "before");
}

TEST_CASE("http writer: a buffer that is too small is told the size that is enough") {
    std::array<char, 100> buffer{};
    std::span<char> const whole(buffer);
    std::array const fields{field{"A", "b"}};
    auto const size = http::write_request_head(whole, "GET", "/", fields).value();
    CHECK(http::write_request_head(whole.first(size), "GET", "/", fields) == size);
    CHECK(http::write_request_head(whole.first(size - 1), "GET", "/", fields) == error{errc::buffer_too_small, size});
    CHECK(http::write_response_head(whole.first(0), 200, {}) == error{errc::buffer_too_small, 19});
    CHECK(http::write_chunk(whole.first(9), "hello") == error{errc::buffer_too_small, 10});
    CHECK(http::write_last_chunk(whole.first(4)) == error{errc::buffer_too_small, 5});
}

TEST_CASE("http writer: what it writes, the readers read") {
    std::vector<field> const fields{{"Host", "example.com"}, {"Transfer-Encoding", "chunked"}, {"X", "y"}};
    support::random_source random(7);
    for (int round = 0; round != 50; ++round) {
        std::string wire;
        std::string body;
        REQUIRE(http::write_request_head(wire, "POST", "/a?b", fields).has_value());
        auto const answer_begin = wire.size();
        REQUIRE(http::write_response_head(wire, 200, fields).has_value());
        std::string chunks;
        for (int n = random.between(0, 4); n != 0; --n) {
            auto const piece = random.bytes(random.below(300));
            body += piece;
            REQUIRE(http::write_chunk(chunks, piece).has_value());
        }
        REQUIRE(http::write_last_chunk(chunks).has_value());
        auto const rest = " 1.1 keep-alive chunked [Host=example.com] [Transfer-Encoding=chunked] [X=y]" +
                          (body.empty() ? "" : "\nbody " + body) + "\nend";
        CHECK(support::read_requests({std::string_view(wire).substr(0, answer_begin), chunks}).parts ==
              "POST /a?b @example.com" + rest);
        CHECK(support::read_responses({std::string_view(wire).substr(answer_begin), chunks}).parts ==
              "200 'OK'" + rest);
    }
}

} // namespace http_writer_test
