// Frames of WebSocket as a peer sends them, good or bad, and what a reader makes of them, as lines.
#pragma once

#include "tools/mutations.hpp"

#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/message_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace support {

using namespace socketless;

inline constexpr websocket::role both_roles[] = {websocket::role::client, websocket::role::server};

inline std::string_view name_of(websocket::role r) {
    return r == websocket::role::client ? "client" : "server";
}

inline websocket::role peer_of(websocket::role r) {
    return r == websocket::role::client ? websocket::role::server : websocket::role::client;
}

inline char byte_of(std::uint64_t value) {
    return static_cast<char>(static_cast<unsigned char>(value & 0xffu));
}

// Writes the frames that a reader of this role can receive, each with another key if they are masked.
class frames {
public:
    explicit frames(websocket::role reader) noexcept : reader_(reader) {}

    frames& add(websocket::opcode code, std::string_view payload, websocket::fragment f = websocket::fragment::last) {
        if (reader_ == websocket::role::client) {
            wire_ += websocket::frame_header(code, payload.size(), f).view();
            wire_ += payload;
            return *this;
        }
        key_number_ = key_number_ * 1664525 + 1013904223;
        websocket::mask_key const key{byte_of(key_number_ >> 24u), byte_of(key_number_ >> 16u),
                                      byte_of(key_number_ >> 8u), byte_of(key_number_)};
        wire_ += websocket::frame_header(code, payload.size(), key, f).view();
        wire_ += payload;
        char* const copy = wire_.data() + wire_.size() - payload.size();
        for (std::size_t i = 0; i != payload.size(); ++i) copy[i] = static_cast<char>(copy[i] ^ key[i % 4]);
        return *this;
    }
    frames& part(websocket::opcode code, std::string_view payload) {
        return add(code, payload, websocket::fragment::not_last);
    }
    frames& text(std::string_view payload) { return add(websocket::opcode::text, payload); }
    frames& binary(std::string_view payload) { return add(websocket::opcode::binary, payload); }
    frames& ping(std::string_view payload) { return add(websocket::opcode::ping, payload); }
    frames& pong(std::string_view payload) { return add(websocket::opcode::pong, payload); }
    frames& close(std::string_view body) { return add(websocket::opcode::close, body); }
    frames& close(std::uint32_t code, std::string_view reason = {}) {
        std::string body{byte_of(code >> 8u), byte_of(code)};
        return close(body += reason);
    }

    // A frame of any first byte, unmasked or with a key of zeros.
    frames& raw(unsigned first_byte, std::string_view payload = {}) {
        wire_ += byte_of(first_byte);
        wire_ += byte_of((reader_ == websocket::role::server ? 0x80u : 0u) | payload.size());
        if (reader_ == websocket::role::server) wire_.append(4, '\0');
        wire_ += payload;
        return *this;
    }
    // The start of a frame: its opcode, and these bytes of its length.
    frames& start(websocket::opcode code, unsigned short_length, std::string_view extended_length = {}) {
        wire_ += byte_of(0x80u | static_cast<unsigned>(code));
        wire_ += byte_of((reader_ == websocket::role::server ? 0x80u : 0u) | short_length);
        wire_ += extended_length;
        return *this;
    }
    frames& bytes(std::string_view any) {
        wire_ += any;
        return *this;
    }

    [[nodiscard]] std::string const& wire() const noexcept { return wire_; }

private:
    websocket::role reader_;
    std::uint32_t key_number_ = 1;
    std::string wire_;
};

using lines = std::vector<std::string>;

// "text hello", "binary ...", "ping ...", "pong ...", "close 1000 reason", "close": an event in one line.
inline std::string line_of(websocket::message_event const& e) {
    using enum websocket::message_event_type;
    std::string const data(e.text());
    switch (e.type) {
    case message: return (e.kind == frame_kind::text ? "text " : "binary ") + data;
    case ping: return "ping " + data;
    case pong: return "pong " + data;
    case close: break;
    }
    if (e.code == websocket::close_code::no_status_received) return "close";
    return "close " + std::to_string(static_cast<unsigned>(e.code)) + (data.empty() ? "" : " " + data);
}

// Reads one chunk, in memory of its size. Returns false after an error, whose name is the last line.
inline bool read_chunk(websocket::message_reader& reader, std::string_view chunk, lines& out) {
    exact_copy const memory(chunk);
    std::span<char> input = memory.span();
    for (;;) {
        auto const event = reader.read(input);
        if (!event) {
            out.push_back("error " + std::string(name(event.error().code)));
            return false;
        }
        if (!*event) return true;
        out.push_back(line_of(**event));
        // What was returned belongs to the caller, who may write there.
        std::fill((*event)->data.begin(), (*event)->data.end(), '?');
    }
}

inline lines read_chunks(websocket::role r, std::vector<std::string> const& chunks,
                         websocket::reader_limits const& limits = {}) {
    websocket::message_reader reader(r, limits);
    lines out;
    for (std::string const& chunk : chunks)
        if (!read_chunk(reader, chunk, out)) break;
    return out;
}

inline std::vector<std::string> byte_by_byte(std::string_view wire) {
    std::vector<std::string> chunks;
    for (char const c : wire) chunks.emplace_back(1, c);
    return chunks;
}

} // namespace support
