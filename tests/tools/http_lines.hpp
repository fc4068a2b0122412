// Requests of HTTP as JSON lines, to compare the reader with others'.
#pragma once

#include "tools/hex.hpp"

#include <socketless/core/error.hpp>
#include <socketless/http/part.hpp>
#include <socketless/http/request.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace support {

// One request, all its texts in hexadecimal, but for the end of its object.
inline std::string begin_of(socketless::http::request_head const& h) {
    std::string line = R"({"method":")" + to_hex(h.method) + R"(","target":")" + to_hex(h.target);
    line += R"(","version":)" + std::to_string(h.minor_version);
    line += R"(,"keepAlive":)" + std::string(h.keep_alive ? "true" : "false") + R"(,"fields":[)";
    bool is_first = true;
    for (socketless::http::field const f : h.fields) {
        line += (is_first ? "\"" : ",\"") + to_hex(f.name) + "\",\"" + to_hex(f.value) + '"';
        is_first = false;
    }
    return line + R"(],"body":")";
}

// The requests of a connection whose bytes are a line of hexadecimal text, and the error behind them:
//
//     {"requests":[{"method":"474554", ..., "body":"", "ended":true}],"error":"invalid_field"}
inline std::optional<std::string> decode_http_requests(std::string_view line) {
    using socketless::http::part_type;
    auto bytes = from_hex(line);
    if (!bytes) return std::nullopt;
    socketless::http::request_reader reader;
    std::span<char> input(*bytes);
    std::string answer = R"({"requests":[)";
    bool is_open = false;
    bool is_first = true;
    std::string failure;
    for (;;) {
        auto const part = reader.read(input);
        if (!part) failure = name(part.error().code);
        if (!part || !*part) break;
        switch ((*part)->type) {
        case part_type::head:
            answer += (is_first ? "" : ",") + begin_of(reader.head());
            is_first = false;
            is_open = true;
            break;
        case part_type::body: answer += to_hex({(*part)->data.data(), (*part)->data.size()}); break;
        case part_type::end:
            answer += R"(","ended":true})";
            is_open = false;
            break;
        }
    }
    if (is_open) answer += R"(","ended":false})";
    return answer + "]" + (failure.empty() ? "" : R"(,"error":")" + failure + '"') + "}";
}

} // namespace support
