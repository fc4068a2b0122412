// Captures: the recorded happenings between a client and a server, one JSON object a line, as
// tests/data/captures/README.md describes them.
#pragma once

#include "tools/hex.hpp"

#include <socketless/socketless.hpp>

#include <cstddef>
#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

using namespace socketless;

enum class side : std::uint8_t { client, server };

enum class happening_kind : std::uint8_t {
    http_request,
    http_response,
    http_aborted,
    websocket_open,
    websocket_message,
    websocket_close,
    websocket_refused,
};

inline constexpr std::pair<std::string_view, happening_kind> happening_names[] = {
    {"http_request", happening_kind::http_request},           {"http_response", happening_kind::http_response},
    {"http_aborted", happening_kind::http_aborted},           {"websocket_open", happening_kind::websocket_open},
    {"websocket_message", happening_kind::websocket_message}, {"websocket_close", happening_kind::websocket_close},
    {"websocket_refused", happening_kind::websocket_refused},
};

[[nodiscard]] constexpr bool is_http(happening_kind k) noexcept {
    return k <= happening_kind::http_aborted;
}

// The body of a request or an answer, or a WebSocket message.
struct content {
    frame_kind kind = frame_kind::text;
    std::string bytes;
};

struct happening {
    std::size_t line = 0;   // of a capture
    std::uint64_t time = 0; // milliseconds since the start
    side from = side::client;
    std::string client = {}; // its name, where there are several
    happening_kind kind = happening_kind::http_request;
    std::uint64_t number = 0; // of the exchange or the channel
    std::string method = {};
    std::string target = {};
    std::optional<std::uint64_t> status = {};
    std::string content_type = {};
    std::optional<content> body = {};
};

// Reads the lines of a capture. `complaint` says what is wrong with a line.
class capture_reader {
public:
    [[nodiscard]] bool read(std::istream& in) {
        for (std::string text; std::getline(in, text);) {
            happening h;
            h.line = happenings_.size() + 1;
            if (auto const wrong = read_line(text, h)) {
                complaint_ = "line " + std::to_string(h.line) + ": " + *wrong;
                return false;
            }
            happenings_.push_back(std::move(h));
        }
        if (happenings_.empty()) complaint_ = "nothing in it";
        return !happenings_.empty();
    }

    [[nodiscard]] std::vector<happening> const& happenings() const noexcept { return happenings_; }
    [[nodiscard]] std::string const& complaint() const noexcept { return complaint_; }

private:
    using trouble = std::optional<std::string>;

    trouble read_line(std::string_view text, happening& h) {
        auto const line = json::validate(text);
        if (!line) return std::string(message(line.error().code)) + ", at byte " + std::to_string(line.error().offset);
        if (!line->is(json::kind::object)) return "not an object";

        if (!read_integer(*line, "t", h.time)) return "\"t\" is not a number of milliseconds";
        auto const from = line->find("from").value_or(json::text());
        if (!from.equals("client") && !from.equals("server")) return "\"from\" is neither client nor server";
        h.from = from.equals("client") ? side::client : side::server;

        auto const kind = read_kind(line->find("happening").value_or(json::text()));
        if (!kind) return "\"happening\" is none that is known";
        h.kind = *kind;
        auto const number = is_http(h.kind) ? "exchange" : "channel";
        if (!read_integer(*line, number, h.number)) return '"' + std::string(number) + "\" is not a number";

        for (auto [name, member] :
             {std::pair("method", &h.method), {"target", &h.target}, {"content_type", &h.content_type}})
            if (!read_string(*line, name, *member)) return '"' + std::string(name) + "\" is not a string";
        if (line->find("status") && !read_integer(*line, "status", h.status.emplace()))
            return "\"status\" is not a number";
        if (!read_content(*line, h.body)) return "\"text\" is not a string, or \"binary\" not hexadecimal";
        return check_order(h);
    }

    // A request is made before it is answered, and a WebSocket opened before it carries anything.
    trouble check_order(happening const& h) {
        using enum happening_kind;
        bool const first = h.kind == http_request || h.kind == websocket_open;
        bool& known = known_[{is_http(h.kind), h.number}];
        if (h.kind == websocket_message && !h.body) return "a message without \"text\" or \"binary\"";
        if (h.kind == websocket_refused) return std::nullopt;
        if (first == known) {
            auto const what = (is_http(h.kind) ? "exchange " : "channel ") + std::to_string(h.number);
            return what + (first ? " begins twice" : " has not begun");
        }
        known = true;
        return std::nullopt;
    }

    static std::optional<happening_kind> read_kind(json::text wanted) {
        for (auto const& [name, kind] : happening_names)
            if (wanted.equals(name)) return kind;
        return std::nullopt;
    }

    static bool read_integer(json::text line, std::string_view name, std::uint64_t& into) {
        auto const value = line.find(name).value_or(json::text()).get<std::uint64_t>();
        if (value) into = *value;
        return value.has_value();
    }

    static bool read_string(json::text line, std::string_view name, std::string& into) {
        auto const member = line.find(name);
        if (!member) return true;
        auto value = member->get<std::string>();
        if (value) into = std::move(*value);
        return value.has_value();
    }

    static bool read_content(json::text line, std::optional<content>& into) {
        if (line.find("text")) return read_string(line, "text", into.emplace().bytes);
        if (!line.find("binary")) return true;
        std::string hex;
        if (!read_string(line, "binary", hex)) return false;
        auto bytes = support::from_hex(hex);
        if (bytes) into = content{frame_kind::binary, std::move(*bytes)};
        return bytes.has_value();
    }

    std::vector<happening> happenings_;
    std::map<std::pair<bool, std::uint64_t>, bool> known_;
    std::string complaint_;
};

} // namespace demo
