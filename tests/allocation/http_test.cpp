// What HTTP readers allocate: nothing for what lies in the input, and an idle one owns nothing. Linked with
// allocation_test.cpp, which counts.

#include "tools/catch.hpp"
#include "tools/memory.hpp"

#include <socketless/http/request.hpp>
#include <socketless/http/response.hpp>
#include <socketless/http/whole_body.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace allocation_http_test {

using namespace socketless;
using namespace socketless::http;
using support::memory_in_use;

namespace {

// Reads in chunks of this size. Returns the most memory that was in use at once, of what came during it.
template <class Reader>
std::size_t peak(Reader& reader, std::span<char> bytes, std::size_t step) {
    std::size_t const before = memory_in_use();
    std::size_t most = before;
    while (!bytes.empty()) {
        auto input = bytes.first(std::min(step, bytes.size()));
        bytes = bytes.subspan(input.size());
        for (;;) {
            auto const part = reader.read(input);
            most = std::max(most, memory_in_use());
            if (!part || !*part) break;
        }
    }
    return most - before;
}

std::string request_with(std::size_t field_size) {
    return "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: " + std::string(field_size, 'x') +
           "\r\n\r\n5;extension\r\nhello\r\n0\r\nTrailer: x\r\n\r\n";
}

} // namespace

TEST_CASE("http readers: what lies in one input is read without memory", "[allocation]") {
    request_reader requests;
    auto wire = request_with(3'000);
    wire += wire;
    CHECK(peak(requests, wire, wire.size()) == 0);
    response_reader answers;
    std::string answer = "HTTP/1.1 200 OK\r\nX: " + std::string(3'000, 'x') + "\r\nContent-Length: 2\r\n\r\nhi";
    CHECK(peak(answers, answer, answer.size()) == 0);
}

TEST_CASE("http readers: an idle one owns no memory, however long the message was", "[allocation]") {
    std::size_t const before = memory_in_use();
    {
        auto wire = request_with(10'000);
        std::size_t const with_wire = memory_in_use();
        request_reader reader;
        auto const most = peak(reader, wire, 1);
        CHECK(most > 10'000);
        CHECK(most < 40'000);
        CHECK(reader.is_idle());
        CHECK(memory_in_use() == with_wire);
    }
    CHECK(memory_in_use() == before);
}

TEST_CASE("http readers: what a peer only announces takes no memory", "[allocation]") {
    for (std::string wire : {"POST / HTTP/1.0\r\nContent-Length: 9007199254740991\r\n\r\nx",
                             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"}) {
        request_reader reader;
        CHECK(peak(reader, wire, wire.size()) == 0);
    }
}

TEST_CASE("http readers: a body or trailers without end take no memory", "[allocation]") {
    std::string wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    request_reader reader;
    CHECK(peak(reader, wire, wire.size()) == 0);
    std::string chunk = "1;x\r\na\r\n";
    for (int i = 0; i != 1'000; ++i) CHECK(peak(reader, chunk, 3) == 0);
    std::string trailers = "0\r\n" + std::string(1'000, 'x');
    CHECK(peak(reader, trailers, 10) == 0);
}

TEST_CASE("http whole body: one piece takes no memory, several take what has come", "[allocation]") {
    std::string piece(1'000, 'x');
    std::size_t const before = memory_in_use();
    whole_body body;
    body.add(piece);
    CHECK(memory_in_use() == before);
    for (int i = 0; i != 9; ++i) body.add(piece);
    CHECK(memory_in_use() - before >= 10'000);
    CHECK(memory_in_use() - before <= 21'000);
    body.clear();
    CHECK(memory_in_use() == before);
}

} // namespace allocation_http_test
