// What websocket_fuzz.cpp compares a reader with: a plain reading of RFC 6455 that has all of the stream at once, and
// copies whatever it likes.
#pragma once

#include <socketless/text/utf8.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/message_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

using namespace socketless;

// The events of a stream, and the error that ended it.
struct reading {
    struct event {
        websocket::message_event_type type;
        frame_kind kind;
        websocket::close_code code;
        std::string data;

        friend bool operator==(event const&, event const&) = default;
    };

    std::vector<event> events;
    std::optional<errc> failure;

    void add(websocket::message_event const& e) { events.push_back({e.type, e.kind, e.code, std::string(e.text())}); }
    friend bool operator==(reading const&, reading const&) = default;
};

// Whether some text begins with `s`.
inline bool can_become_utf8(std::string_view s) {
    auto const bad = utf8::validate(s);
    if (bad) return true;
    std::string const cut(s.substr(bad.error().offset));
    if (cut.size() > 3) return false;
    for (char const a : {'\x80', '\x90', '\xa0'}) // each second byte's range has one of these
        for (std::size_t more = 1; more != 4; ++more)
            if (utf8::validate(cut + a + std::string(more - 1, '\x80'))) return true;
    return false;
}

class plain_reader {
public:
    plain_reader(websocket::role r, websocket::reader_limits const& limits, std::string_view stream)
        : is_server_(r == websocket::role::server), limits_(limits), rest_(stream) {}

    reading run() {
        while (read_frame()) {
        }
        return out_;
    }

private:
    static constexpr auto no_code = websocket::close_code::no_status_received;

    bool fail(errc code) {
        out_.failure = code;
        return false;
    }

    // False at the end of the stream, after an error and after a close frame.
    bool read_frame() {
        using enum errc;
        if (rest_.size() < 2) return false;
        unsigned const first = byte();
        unsigned const second = byte();
        unsigned const code = first & 15u;
        bool const is_last = first >= 128;
        bool const is_short = code >= 8;
        if ((first / 16u) % 8u != 0) return fail(reserved_bits);
        if ((code > 2 && code < 8) || code > 10) return fail(unknown_opcode);
        if ((second >= 128) != is_server_) return fail(invalid_masking);
        if (is_short && (!is_last || second % 128 > 125)) return fail(invalid_control_frame);
        if (!is_short && (code == 0) != is_in_message_) return fail(unexpected_fragment);
        if (code == 0 && fragments_ == limits_.max_fragments) return fail(too_many_fragments);

        std::uint64_t length = second % 128;
        if (length > 125) {
            std::size_t const size = length == 126 ? 2 : 8;
            if (rest_.size() < size) return false;
            length = 0;
            for (std::size_t i = 0; i != size; ++i) length = length * 256 + byte();
            if (length < (size == 2 ? 126u : 65'536u) || length > INT64_MAX) return fail(invalid_length);
        }
        if (!is_short && length + message_.size() > limits_.max_message) return fail(payload_too_large);
        std::string key(4, '\0');
        if (is_server_) {
            if (rest_.size() < 4) return false;
            for (char& c : key) c = static_cast<char>(byte());
        }
        std::string payload(rest_.substr(0, static_cast<std::size_t>(length)));
        bool const is_whole = payload.size() == length;
        rest_.remove_prefix(payload.size());
        for (std::size_t i = 0; i != payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
        if (is_short) return is_whole && read_control(code, payload);
        return read_data(code, payload, is_whole, is_last);
    }

    bool read_data(unsigned code, std::string const& payload, bool is_whole, bool is_last) {
        if (code != 0) is_text_ = code == 1;
        is_in_message_ = true;
        ++fragments_;
        message_ += payload;
        if (is_text_ && !can_become_utf8(message_)) return fail(errc::invalid_utf8);
        if (!is_whole) return false;
        if (!is_last) return true;
        if (is_text_ && !utf8::validate(message_)) return fail(errc::invalid_utf8);
        auto const kind = is_text_ ? frame_kind::text : frame_kind::binary;
        out_.events.push_back({websocket::message_event_type::message, kind, no_code, message_});
        message_.clear();
        fragments_ = 0;
        is_in_message_ = false;
        return true;
    }

    bool read_control(unsigned code, std::string const& payload) {
        if (code != 8) {
            auto const type = code == 9 ? websocket::message_event_type::ping : websocket::message_event_type::pong;
            out_.events.push_back({type, frame_kind::binary, no_code, payload});
            return true;
        }
        reading::event close{websocket::message_event_type::close, frame_kind::binary, no_code, {}};
        if (!payload.empty()) {
            if (payload.size() == 1) return fail(errc::invalid_close_code);
            unsigned const number =
                static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
            bool const is_reserved = number == 1004 || number == 1005 || number == 1006;
            bool const is_good = (number > 999 && number < 1015 && !is_reserved) || (number > 2999 && number < 5000);
            if (!is_good) return fail(errc::invalid_close_code);
            close.code = static_cast<websocket::close_code>(number);
            close.data = payload.substr(2);
            if (!utf8::validate(close.data)) return fail(errc::invalid_utf8);
        }
        out_.events.push_back(close);
        return false;
    }

    unsigned byte() {
        auto const b = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return b;
    }

    bool is_server_;
    websocket::reader_limits limits_;
    std::string_view rest_;
    reading out_;
    std::string message_;
    std::size_t fragments_ = 0;
    bool is_in_message_ = false;
    bool is_text_ = false;
};

inline reading read_plainly(websocket::role r, websocket::reader_limits const& limits, std::string_view stream) {
    return plain_reader(r, limits, stream).run();
}

} // namespace fuzz
