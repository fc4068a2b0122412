#include "tools/catch.hpp"
#include "tools/http_parts.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/http/request.hpp>
#include <socketless/http/status.hpp>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace http_request_test {

using namespace socketless;
using namespace std::string_literals;
using namespace std::string_view_literals;
using support::read_requests;

namespace {

http::request_head head_of(std::string_view text) {
    auto const head = http::read_request_head(text);
    CAPTURE(text);
    REQUIRE(head.has_value());
    return *head;
}

// A request whose first line and Host are good.
std::string with(std::string_view fields, std::string_view body = "") {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string get(std::string_view target, std::string_view host = "a") {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

constexpr auto good = "GET /a?b=c HTTP/1.1\r\nHost: example.com:80\r\nConnection: close\r\nX: \t y z \t\r\n\r\n"sv;
static_assert(http::read_request_head(good)->method == "GET");
static_assert(http::read_request_head(good)->target == "/a?b=c");
static_assert(http::read_request_head(good)->host == "example.com:80");
static_assert(!http::read_request_head(good)->keep_alive);
static_assert(http::read_request_head(good)->fields.find("x") == "y z");
static_assert(http::read_request_head("GET / HTTP/1.1\r\n\r\n").error().code == errc::invalid_host);
static_assert(std::is_nothrow_move_constructible_v<http::request_reader>);
static_assert(!std::is_copy_constructible_v<http::request_reader>);

// Requests of all kinds, each well-formed, one behind the other.
std::vector<std::string> const& corpus() {
    static std::vector<std::string> const all{
        std::string(good),
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=\"1\"\r\nhello\r\n00B\r\n, "
        "beautiful\r\n0\r\nTrailer: x\r\nB:\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "GET http://b/c?d HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\nX: \x80\xff\r\n\r\n",
    };
    return all;
}

// Whatever the pieces are, the outcome is the same.
void check_chunkings(std::string_view text, http::limits const& l = {}) {
    auto const whole = read_requests({text}, l);
    CAPTURE(text, whole.parts);
    CHECK(read_requests(support::each_byte(text), l) == whole);
    bool is_same = true;
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
        is_same = is_same && read_requests({text.substr(0, cut), text.substr(cut)}, l) == whole;
    CHECK(is_same);
}

} // namespace

TEST_CASE("http request: a head has a method, a target, a version and fields") {
    auto const head = head_of(good);
    CHECK(head.minor_version == 1);
    CHECK_FALSE(head.content_length);
    CHECK_FALSE(head.is_chunked);
    CHECK_FALSE(head.expects_continue);
    CHECK(head.fields.raw() == "Host: example.com:80\r\nConnection: close\r\nX: \t y z \t\r\n");
    auto const old = head_of("get / HTTP/1.0\r\n\r\n");
    CHECK(old.method == "get");
    CHECK(old.host.empty());
    CHECK(old.minor_version == 0);
    CHECK_FALSE(old.keep_alive);
}

TEST_CASE("http request: the authority of a target in absolute form counts, not Host") {
    struct row {
        std::string_view sent;
        std::string_view target;
        std::string_view host;
    };
    for (auto const& [sent, target, host] : {
             row{"/a", "/a", "a"},
             row{"//b/c", "//b/c", "a"},
             row{"/http://b/", "/http://b/", "a"},
             row{"http://b/c?d", "/c?d", "b"},
             row{"HTTPS://b:443/", "/", "b:443"},
             row{"ws://[::1]:3000/x", "/x", "[::1]:3000"},
             row{"wss://b", "", "b"},
             row{"http://b?x=/", "?x=/", "b"},
         }) {
        CAPTURE(sent);
        auto const text = get(sent);
        auto const head = head_of(text);
        CHECK(head.target == target);
        CHECK(head.host == host);
    }
}

TEST_CASE("http request: a connection is kept unless one of the sides says otherwise") {
    struct row {
        std::string_view fields;
        bool in_1_1;
        bool in_1_0;
    };
    for (auto const& [fields, in_1_1, in_1_0] : {
             row{"", true, false},
             row{"Connection: close\r\n", false, false},
             row{"Connection: keep-alive\r\n", true, true},
             row{"connection: x, CLOSE , y\r\n", false, false},
             row{"Connection: x\r\nConnection: Keep-Alive\r\n", true, true},
             row{"Connection: keep-alive, close\r\n", false, false},
             row{"Connection: closed\r\n", true, false},
             row{"Connection: \"close\"\r\n", true, false},
             row{"Proxy-Connection: close\r\n", true, false},
         }) {
        CAPTURE(fields);
        auto const rest = "\r\nHost: a\r\n" + std::string(fields) + "\r\n";
        CHECK(head_of("GET / HTTP/1.1" + rest).keep_alive == in_1_1);
        CHECK(head_of("GET / HTTP/1.0" + rest).keep_alive == in_1_0);
    }
}

TEST_CASE("http request: a client waits for 100 Continue only if a body comes, in HTTP/1.1") {
    CHECK(head_of(with("Expect: 100-continue\r\nContent-Length: 1\r\n")).expects_continue);
    CHECK(head_of(with("EXPECT: 100-Continue\r\nTransfer-Encoding: chunked\r\n")).expects_continue);
    CHECK_FALSE(head_of(with("Expect: 100-continue\r\nContent-Length: 0\r\n")).expects_continue);
    CHECK_FALSE(head_of(with("Expect: 100-continue\r\n")).expects_continue);
    CHECK_FALSE(head_of(with("Expect: other\r\nContent-Length: 1\r\n")).expects_continue);
    CHECK_FALSE(head_of("GET / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expects_continue);
}

TEST_CASE("http request: what servers and proxies read in different ways is refused, with the right status") {
    struct row {
        std::string text;
        errc code;
        int status = 400;
    };
    using enum errc;
    std::string const many_lengths(17, '1');
    auto const nul = "\0"s;
    for (auto const& [text, code, status] : std::vector<row>{
             // the length of the body
             {with("Content-Length: 5\r\nContent-Length: 6\r\n"), invalid_content_length},
             {with("Content-Length: 5, 6\r\n"), invalid_content_length},
             {with("Content-Length: 5,\r\n"), invalid_content_length},
             {with("Content-Length: ,5\r\n"), invalid_content_length},
             {with("Content-Length: 5,,5\r\n"), invalid_content_length},
             {with("Content-Length: ,\r\n"), invalid_content_length},
             {with("Content-Length:\r\n"), invalid_content_length},
             {with("Content-Length: +5\r\n"), invalid_content_length},
             {with("Content-Length: -5\r\n"), invalid_content_length},
             {with("Content-Length: 0x5\r\n"), invalid_content_length},
             {with("Content-Length: 5 5\r\n"), invalid_content_length},
             {with("Content-Length: 5.0\r\n"), invalid_content_length},
             {with("Content-Length: 1e1\r\n"), invalid_content_length},
             {with("Content-Length: 5;x\r\n"), invalid_content_length},
             {with("Content-Length: \"5\"\r\n"), invalid_content_length},
             {with("Content-Length: \xd9\xa5\r\n"), invalid_content_length},
             {with("Content-Length: " + many_lengths + "\r\n"), invalid_content_length},
             {with("Content-Length: 18446744073709551621\r\n"), invalid_content_length},
             // Transfer-Encoding
             {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), invalid_transfer_coding},
             {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", invalid_transfer_coding},
             {with("Transfer-Encoding: chunked, identity\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked, chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked,\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: ,chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: \t, chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: gzip,,chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding:\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: ,\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: identity\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: gzip\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: xchunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunkedx\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: \"chunked\"\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: 'chunked'\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked;q=1\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: chunked x\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: x chunked\r\n"), invalid_transfer_coding},
             {with("Transfer-Encoding: \x0b"
                   "chunked\r\n"),
              invalid_field},
             {with("Transfer-Encoding: gzip, chunked\r\n"), unknown_transfer_coding, 501},
             {with("Transfer-Encoding: identity, chunked\r\n"), unknown_transfer_coding, 501},
             {with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), unknown_transfer_coding, 501},
             // the grammar of fields
             {with("Transfer-Encoding : chunked\r\n"), invalid_field},
             {with("Content-Length\t: 5\r\n"), invalid_field},
             {with(" X: y\r\n"), invalid_field},
             {with("X: y\r\n folded\r\n"), invalid_field},
             {with("X: y\r\n\tfolded: z\r\n"), invalid_field},
             {with("X\r\n"), invalid_field},
             {with(": y\r\n"), invalid_field},
             {with("X y: z\r\n"), invalid_field},
             {with("X(: z\r\n"), invalid_field},
             {with("X\xc3\xa9: z\r\n"), invalid_field},
             {with("X: a" + nul + "b\r\n"), invalid_field},
             {with("X" + nul + ": b\r\n"), invalid_field},
             {with("X: a\rY: b\r\n"), invalid_field},
             {with("X: a\r\r\n"), invalid_field},
             {with("X: a\nY: b\r\n"), invalid_field},
             {with("X: a\n"), invalid_field},
             {with("X: a\x7f\r\n"), invalid_field},
             {with("X: a\x01\r\n"), invalid_field},
             {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", invalid_field},
             {"GET / HTTP/1.1\r\nHost: a\r\n\nX: y\r\n\r\n", invalid_field},
             // Host
             {"GET / HTTP/1.1\r\n\r\n", invalid_host},
             {"GET http://a/ HTTP/1.1\r\n\r\n", invalid_host},
             {with("Host: a\r\n"), invalid_host},
             {with("host: b\r\n"), invalid_host},
             {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", invalid_host},
             {get("/", "user@a"), invalid_host},
             {get("/", "a/b"), invalid_host},
             {get("/", "a?b"), invalid_host},
             {get("/", "a#b"), invalid_host},
             {get("/", "http://a"), invalid_host},
             {get("/", "a b"), invalid_host},
             {get("/", "a\\b"), invalid_host},
             {get("/", "caf\xc3\xa9"), invalid_host},
             {get("/", "a:b"), invalid_host},
             {get("/", "a:80:80"), invalid_host},
             {get("/", "a:+80"), invalid_host},
             {get("/", ":80"), invalid_host},
             {get("/", "[::1"), invalid_host},
             {get("/", "[]"), invalid_host},
             {get("/", "[::1]80"), invalid_host},
             {get("/", "::1"), invalid_host},
             {get("/", "a[b]"), invalid_host},
             {get("/", "a%"), invalid_host},
             {get("/", "a%2"), invalid_host},
             {get("/", "a%2x"), invalid_host},
             {get("/", "a:65536"), invalid_host},
             {get("/", "a:99999999999999999999"), invalid_host},
             {get("/", "[a]"), invalid_host},
             {get("/", "[fe80::1%25eth0]"), invalid_host},
             // the target
             {get("a"), invalid_start_line},
             {get(""), invalid_start_line},
             {get("*"), invalid_start_line},
             {get("?a"), invalid_start_line},
             {get("http"), invalid_start_line},
             {get("wss"), invalid_start_line},
             {get("http:/a"), invalid_start_line},
             {get("http:///a"), invalid_start_line},
             {get("http://"), invalid_start_line},
             {get("http://:80/"), invalid_start_line},
             {get("http://user@a/"), invalid_start_line},
             {get("http://a:b/"), invalid_start_line},
             {get("http://[::1/"), invalid_start_line},
             {get("ftp://a/"), invalid_start_line},
             {get("://a/"), invalid_start_line},
             {get("/a#b"), invalid_start_line},
             {get("/a b"), invalid_start_line},
             {get("/a\tb"), invalid_start_line},
             {get("/a\rb"), invalid_start_line},
             {get("/a" + nul), invalid_start_line},
             {get("/a\x7f"), invalid_start_line},
             {get("/caf\xc3\xa9"), invalid_start_line},
             {get("/ten-characters-\x1f"), invalid_start_line},
             {"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"CONNECT u@a:80 HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             // the first line
             {"GET / HTTP/1.1\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/1.1X\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", invalid_start_line},
             {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET /\r\n\r\n", invalid_start_line},
             {"GET\r\n\r\n", invalid_start_line},
             {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {" / HTTP/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / http/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/11\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/1,1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/1.x\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/+1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTQ/1.1\r\nHost: a\r\n\r\n", invalid_start_line},
             {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", unsupported_http_version, 505},
             {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", unsupported_http_version, 505},
             {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", unsupported_http_version, 505},
             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", unsupported_http_version, 505},
             {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\n"s, invalid_start_line},
         }) {
        auto const read = read_requests({text});
        CAPTURE(text);
        REQUIRE(read.failure);
        CHECK(read.failure->code == code);
        CHECK(http::status_of(read.failure->code) == status);
        CHECK(read.parts.empty());
        check_chunkings(text);
        // The head alone, without a reader.
        if (text.ends_with("\r\n\r\n") && !text.starts_with("PRI"))
            CHECK(http::read_request_head(text).error().code == code);
    }
}

TEST_CASE("http request: a length in several forms of the same number is one") {
    for (auto const fields : {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
                              "content-length:5 ,\t5\r\n", "Content-Length: 0000000000000005\r\n"}) {
        CAPTURE(fields);
        CHECK(head_of(with(fields)).content_length == 5u);
    }
    CHECK(head_of(with("Content-Length: 9007199254740991\r\n")).content_length == 9'007'199'254'740'991u);
}

TEST_CASE("http request: chunks are read in any case of the word") {
    for (auto const fields : {"Transfer-Encoding: chunked\r\n", "transfer-encoding:\tChunkeD \t\r\n"}) {
        CAPTURE(fields);
        CHECK(head_of(with(fields)).is_chunked);
    }
}

TEST_CASE("http request: a chunk that is not exactly as the RFC has it is refused") {
    auto const read = [](std::string_view body) {
        auto const text = with("Transfer-Encoding: chunked\r\n", body);
        check_chunkings(text);
        return read_requests({text});
    };
    auto const nul = "\0"s;
    for (auto const& body : std::vector<std::string>{
             "+5\r\nhello\r\n0\r\n\r\n",
             "-5\r\n",
             "0x5\r\nhello\r\n",
             " 5\r\nhello\r\n",
             "5 \r\nhello\r\n",
             "5\t;x\r\nhello\r\n",
             "\r\n5\r\nhello\r\n",
             "5\nhello\r\n",
             "5\r\rhello\r\n",
             "5\rhello\r\n",
             "g\r\n",
             ";x\r\n",
             "\r\n",
             "5\r\nhello0\r\n\r\n",
             "5\r\nhello\n0\r\n\r\n",
             "5\r\nhello\r0\r\n\r\n",
             "5\r\nhello\r\n\r\n",
             "5\r\nhello!\r\n",
             "10000000000000005\r\nhello\r\n",
             "fffffffffffffffff\r\n",
             "5;a\nb\r\nhello\r\n",
             "5;a\rb\r\nhello\r\n",
             "5;" + nul + "\r\nhello\r\n",
             "5;\x7f\r\nhello\r\n",
             "0\r\nX : y\r\n\r\n",
             "0\r\n X: y\r\n\r\n",
             "0\r\nX\r\n\r\n",
             "0\r\n: y\r\n\r\n",
             "0\r\nX: y\n\r\n",
             "0\r\nX: y\r\n z\r\n\r\n",
             "0\r\nX: \x01\r\n\r\n",
             "0\r\nX: y\r\r\n\r\n",
             "0\r\n\n",
             "0\n\n",
             "0\r\n\rG",
             "5,5\r\nhello\r\n",
             "5.\r\nhello\r\n",
             "0;\r\n\r\r",
         }) {
        CAPTURE(body);
        CHECK(read(body).failure == error{errc::invalid_chunk});
    }
    for (auto const& [body, contents] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
             {"0\r\n\r\n", ""},
             {"0000000000000000\r\n\r\n", ""},
             {"00000000000000005\r\nhello\r\n0\r\n\r\n", "hello"},
             {"5\r\nhello\r\n0\r\n\r\n", "hello"},
             {"a;x\r\n0123456789\r\nA;y=\"\\\"\"; z\r\n0123456789\r\n000;\r\n\r\n", "01234567890123456789"},
             {"2\r\n\r\n\r\n0\r\nX: y\r\nContent-Length: 7\r\n\r\n", "\r\n"},
         }) {
        CAPTURE(body);
        auto const out = read(body);
        CHECK_FALSE(out.failure);
        auto const text = contents.empty() ? "" : "\nbody " + std::string(contents);
        CHECK(out.parts == "POST /x @a 1.1 keep-alive chunked [Host=a] [Transfer-Encoding=chunked]" + text + "\nend");
        CHECK(out.is_idle);
    }
}

TEST_CASE("http request: an endless chunk is announced up to the limit only") {
    auto const read = [](std::string_view size, std::uint64_t max_body) {
        return read_requests({with("Transfer-Encoding: chunked\r\n", std::string(size) + "\r\n")},
                             {.max_body = max_body});
    };
    CHECK_FALSE(read("ffffffffffffffff", std::numeric_limits<std::uint64_t>::max()).failure);
    CHECK(read("ffffffffffffffff", ~std::uint64_t{0} - 1).failure == error{errc::payload_too_large});
    CHECK_FALSE(read("ffff", 0xffff).failure);
    CHECK(read("10000", 0xffff).failure == error{errc::payload_too_large});
}

TEST_CASE("http request: up to four empty lines may stand before a request") {
    auto const text = get("/");
    for (std::string empty; empty.size() <= 8; empty += "\r\n") {
        check_chunkings(empty + text + empty + text);
        CHECK(read_requests({empty + text}) == read_requests({text}));
    }
    check_chunkings("\r\n\r\n\r\n\r\n\r\n" + text);
    CHECK(read_requests({"\r\n\r\n\r\n\r\n\r\n"}).failure == error{errc::invalid_start_line});
    CHECK(read_requests({"\r\n\r\n"}).is_idle);
    CHECK_FALSE(read_requests({"\r\n\r"}).is_idle);
}

TEST_CASE("http request: the first error in a text is reported as soon as its line has ended") {
    CHECK(read_requests({"NONSENSE\r\n"}).failure == error{errc::invalid_start_line});
    CHECK(read_requests({"GET / HTTP/1.1\r\nX\r\n"}).failure == error{errc::invalid_field, 16});
    CHECK(read_requests({"GET / HTTP/1.1\r\nX\r\nY\n"}).failure == error{errc::invalid_field, 16});
    CHECK(read_requests({"\r\nGET / HTTP/1.1\r\nContent-Length: x\r\nX\r\n"}).failure ==
          error{errc::invalid_content_length, 16});
    CHECK_FALSE(read_requests({"NONSENSE"}).failure);
}

TEST_CASE("http request: a reader that has failed says so again") {
    http::request_reader reader;
    std::string bad = "x\r\n\r\n";
    std::span<char> input(bad);
    auto const first = reader.read(input).error();
    std::string text = get("/");
    input = text;
    CHECK(reader.read(input).error() == first);
    reader.keep_head();
    CHECK(input.size() == text.size());
}

TEST_CASE("http request: pipelined requests come in order, and each has its own head") {
    std::string all;
    std::string parts;
    for (auto const& text : corpus()) {
        all += text;
        auto const read = read_requests({text});
        CAPTURE(text);
        CHECK_FALSE(read.failure);
        CHECK(read.is_idle);
        CHECK(read.parts.ends_with("\nend"));
        parts += (parts.empty() ? "" : "\n") + read.parts;
    }
    auto const read = read_requests({all});
    CHECK_FALSE(read.failure);
    CHECK(read.parts == parts);
    check_chunkings(all);
    support::random_source random(5);
    bool is_same = true;
    for (int round = 0; round != 300; ++round)
        is_same = is_same && read_requests(support::random_cuts(all, 1 + random.below(60), random)) == read;
    CHECK(is_same);
}

TEST_CASE("http request: every prefix and every changed byte is the same in all chunkings") {
    bool is_same = true;
    support::random_source random(6);
    for (auto const& text : {corpus()[1], corpus()[4]}) {
        support::for_each_mutation(text, [&](std::string_view changed) {
            auto const pieces =
                random.one_in(16) ? support::each_byte(changed) : support::random_cuts(changed, 60, random);
            is_same = is_same && read_requests(pieces) == read_requests({changed});
        });
    }
    CHECK(is_same);
}

TEST_CASE("http request: a prefix is no error, and no end") {
    for (auto const& text : corpus()) {
        auto const whole = read_requests({text});
        for (std::size_t size = 0; size != text.size(); ++size) {
            CAPTURE(text, size);
            auto const read = read_requests({std::string_view(text).substr(0, size)});
            CHECK_FALSE(read.failure);
            CHECK_FALSE(read.parts.ends_with("end"));
            CHECK(whole.parts.starts_with(read.parts));
        }
    }
}

TEST_CASE("http request: each limit holds to the byte") {
    struct row {
        http::limits at;
        http::limits below;
        std::string text;
        errc code;
    };
    auto const head = with("X: 123456\r\n");
    auto const target = get("/" + std::string(99, 'x'));
    auto const fields = with("A:\r\nB:\r\nC:\r\n");
    auto const extras = with("Transfer-Encoding: chunked\r\n", "1;abc\r\nx\r\n0;de\r\nF: g\r\n\r\n");
    // Seven zeros more than a size has digits, and the empty line behind it.
    auto const zeros = with("Transfer-Encoding: chunked\r\n", std::string(23, '0') + "\r\n\r\n");
    for (auto const& [at, below, text, code] : std::vector<row>{
             {{.max_head = head.size()}, {.max_head = head.size() - 1}, head, errc::head_too_large},
             {{.max_target = 100}, {.max_target = 99}, target, errc::target_too_long},
             {{.max_fields = 4}, {.max_fields = 3}, fields, errc::too_many_fields},
             {{.max_extras = 13}, {.max_extras = 12}, extras, errc::payload_too_large},
             {{.max_extras = 9}, {.max_extras = 8}, zeros, errc::payload_too_large},
             {{.max_body = 5}, {.max_body = 4}, with("Content-Length: 5\r\n", "hello"), errc::payload_too_large},
             {{.max_body = 5},
              {.max_body = 4},
              with("Transfer-Encoding: chunked\r\n", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
              errc::payload_too_large},
             {{.max_body = 0}, {.max_fields = 0, .max_body = 0}, get("/"), errc::too_many_fields},
         }) {
        CAPTURE(text);
        CHECK_FALSE(read_requests({text}, at).failure);
        auto const read = read_requests({text}, below);
        REQUIRE(read.failure);
        CHECK(read.failure->code == code);
        check_chunkings(text, at);
        check_chunkings(text, below);
    }
    // A first line that alone goes beyond the head is its target's fault.
    auto const endless = "GET /" + std::string(100, 'x');
    CHECK(read_requests({endless}, {.max_head = 50}).failure == error{errc::target_too_long, 50});
    check_chunkings(endless, {.max_head = 50});
    check_chunkings(endless + " HTTP/1.1\r\n", {.max_head = 50});
    // What is beyond the limit is not looked at.
    auto const late = "GET / HTTP/1.1\r\nX: " + std::string(50, 'x') + "\n";
    CHECK(read_requests({late}, {.max_head = 50}).failure == error{errc::head_too_large, 50});
    check_chunkings(late, {.max_head = 50});
    check_chunkings(late, {.max_head = late.size()});
}

TEST_CASE("http request: limits of nothing and of everything are no trouble") {
    auto const most = std::numeric_limits<std::size_t>::max();
    for (auto const& text : corpus()) {
        check_chunkings(text, {.max_head = 0, .max_target = 0, .max_fields = 0, .max_extras = 0, .max_body = 0});
        check_chunkings(text, {.max_head = most, .max_target = most, .max_fields = most, .max_extras = most});
        CHECK(read_requests({text}, {.max_head = most}) == read_requests({text}));
    }
}

TEST_CASE("http request: a head is kept when it is asked for, wherever the reader goes") {
    http::request_reader reader;
    {
        std::string text = with("Content-Length: 2\r\n", "h");
        std::span<char> input(text);
        while (reader.read(input)->has_value()) {
        }
        reader.keep_head();
        reader.keep_head();
        std::fill(text.begin(), text.end(), '?');
    }
    http::request_reader moved(std::move(reader));
    CHECK(moved.head().method == "POST");
    CHECK(moved.head().fields.find("content-length") == "2");
    CHECK_FALSE(moved.is_idle());
    std::string rest = "i";
    std::span<char> input(rest);
    CHECK((*moved.read(input))->type == http::part_type::body);
    CHECK((*moved.read(input))->type == http::part_type::end);
    CHECK(moved.is_idle());
    CHECK(moved.head().host == "a");
    CHECK_FALSE(moved.read(input)->has_value());
    CHECK(moved.head().method.empty());
}

TEST_CASE("http request: a short head is kept where its reader goes") {
    http::request_reader reader;
    for (std::string piece : {"G / HTTP/1.0\r\n"s, "\r\n"s}) {
        std::span<char> input(piece);
        CHECK(reader.read(input).has_value());
    }
    http::request_reader moved(std::move(reader));
    reader = http::request_reader();
    CHECK(moved.head().method == "G");
    CHECK(moved.head().target == "/");
}

TEST_CASE("http request: a body may be changed in place") {
    http::request_reader reader;
    std::string text = with("Content-Length: 5\r\n", "hello");
    std::span<char> input(text);
    CHECK((*reader.read(input))->type == http::part_type::head);
    auto const body = **reader.read(input);
    REQUIRE(body.data.size() == 5);
    CHECK(body.data.data() == text.data() + text.size() - 5);
    body.data[0] = 'j';
    CHECK(text.ends_with("jello"));
}

TEST_CASE("http request: a head without its end is truncated, and nothing may stand behind it") {
    CHECK(http::read_request_head("GET / HTTP/1.1\r\nHost: a\r\n").error() == error{errc::truncated_message, 25});
    CHECK(http::read_request_head("").error() == error{errc::truncated_message, 0});
    CHECK(http::read_request_head(get("/") + "x").error().code == errc::invalid_field);
    CHECK(http::read_request_head("\r\n" + get("/")).error().code == errc::invalid_start_line);
    CHECK(http::read_request_head(get("/"), {.max_head = 10}).error() == error{errc::head_too_large, 10});
    for (auto const& text : corpus())
        support::for_each_mutation(text, [](std::string_view s) { (void)http::read_request_head(s); });
}

} // namespace http_request_test
