// What the chat and its page say to each other: events, and what they carry.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace chat {

using namespace socketless;
using socketio::typed_event;

// A text or a picture in a room.
struct entry {
    std::string key; // its author knows it by this, and says it again until it is acknowledged
    std::string text = {};
    std::vector<std::byte> picture = {};
    std::string_view type = {}; // of the picture; empty for a text
    std::string from = {};
    std::uint64_t id = 0; // when it was said, in milliseconds since 1970, and greater than any known before

    [[nodiscard]] bool is_text() const { return type.empty(); }
};

inline void write_json(json::writer& out, entry const& e) {
    out.begin_object().member("id", e.id).member("key", e.key).member("from", e.from);
    if (e.is_text())
        out.member("text", e.text);
    else
        out.member("type", e.type).member("picture", e.picture);
    out.end_object();
}

// Of a text, as another server has said it: pictures do not come this way.
inline result<void> read_json(json::text from, entry& to) {
    auto const read = [from](std::string_view key, auto& value) {
        auto const found = from.find(key);
        auto got = found ? found->get<std::remove_reference_t<decltype(value)>>() : error{errc::wrong_kind};
        if (got) value = std::move(*got);
        return got.has_value();
    };
    bool const is_good = read("id", to.id) && read("key", to.key) && read("from", to.from) && read("text", to.text);
    return is_good ? result<void>() : error{errc::wrong_kind};
}

// Events of a client for a room. All but typing are acknowledged by an object: the one below, or {"error":text}. The
// auth of a client names it: {"nickname":text,"secret":text}; a nickname belongs to whoever knows its secret.
//
//     join room, the last id that it has seen    {"members":[text...]}, after what was said there since
//     leave room                                 {}
//     say room, key, text                        {"id":number}
//     show room, key, picture                    {"id":number}
//     typing room
inline constexpr typed_event<std::string, std::uint64_t> join{"join"};
inline constexpr typed_event<std::string> leave{"leave"};
inline constexpr typed_event<std::string, std::string, std::string> say{"say"};
inline constexpr typed_event<std::string, std::string, byte_view> show{"show"};
inline constexpr typed_event<std::string> typing{"typing"};

// Events for a client: which rooms there are; of a room: who is there, who has done what, what was said, who is typing.
inline constexpr typed_event<std::vector<std::string>> rooms{"rooms"};
inline constexpr typed_event<std::string, std::vector<std::string>> members{"members"};
inline constexpr typed_event<std::string, std::string, std::string> presence{"presence"};
inline constexpr typed_event<std::string, entry> said{"said"};
inline constexpr typed_event<std::string, std::string> is_typing{"is typing"};

// In bytes. The page allows a third of it in UTF-16 units, none of which takes more than three.
inline constexpr std::size_t longest_name = 60;
inline constexpr std::size_t longest_text = 6'000;
inline constexpr std::size_t longest_key = 40;
inline constexpr std::size_t largest_picture = 3'000'000;
inline constexpr std::size_t most_rooms = 30;
// The history of each room, for those who come in.
inline constexpr std::size_t history_entries = 100;
inline constexpr std::size_t history_bytes = 4'000'000;

// Neither empty nor too long, no control characters of ASCII, no space at the ends. Two names may look alike all the
// same: Unicode has characters that cannot be seen, or that change how others are shown.
inline bool is_name(std::string_view name) {
    auto const is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    return !name.empty() && name.size() <= longest_name && name.front() != ' ' && name.back() != ' ' &&
           std::ranges::none_of(name, is_control);
}

// The '#' tells names of rooms from ids of sockets, which are rooms too.
inline bool is_room_name(std::string_view name) {
    return is_name(name) && name.starts_with('#') && name.size() > 1;
}

// The type of a picture that browsers show without running anything in it: by its first bytes, not by its author's
// word.
inline std::string_view picture_type(byte_view picture) {
    using namespace std::string_view_literals;
    auto const bytes = as_characters(picture);
    if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return "image/png";
    if (bytes.starts_with("\xff\xd8\xff"sv)) return "image/jpeg";
    if (bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) return "image/gif";
    if (bytes.starts_with("RIFF"sv) && bytes.substr(0, 12).ends_with("WEBP"sv)) return "image/webp";
    return {};
}

// "Ada" and "ada" are one name.
struct less_name {
    bool operator()(std::string_view a, std::string_view b) const {
        auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
        return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
    }
};

} // namespace chat
