// The chat itself: its members, and what they say in which room. Nothing here knows of a network.
#pragma once

#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/dispatcher.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chat {

using namespace socketless;
using socketio::event;
using socketio::event_type;
using socketio::socket_handle;
using socketio::typed_event;

// A text or a picture in a room.
struct entry {
    std::string key; // its author knows it by this, and says it again until it is acknowledged
    std::string text = {};
    std::vector<std::byte> picture = {};
    std::string_view type = {}; // of the picture; empty for a text
    std::string from = {};
    std::uint64_t id = 0; // when it was said, in milliseconds since 1970, and greater than any before
};

inline void write_json(json::writer& out, entry const& e) {
    out.begin_object().member("id", e.id).member("key", e.key).member("from", e.from);
    if (e.type.empty())
        out.member("text", e.text);
    else
        out.member("type", e.type).member("picture", e.picture);
    out.end_object();
}

// Events of a client for a room. All but typing are acknowledged by an object: the one below, or {"error":text}. The
// auth of a client names it: {"nickname":text,"secret":text}; a nickname belongs to whoever knows its secret.
//
//     join room, the last id that it has seen    {"members":[text...]}, and then what was said there since
//     leave room                                 {}
//     say room, key, text                        {"id":number}
//     show room, key, picture                    {"id":number}
//     typing room
inline constexpr typed_event<std::string, std::uint64_t> join{"join"};
inline constexpr typed_event<std::string> leave{"leave"};
inline constexpr typed_event<std::string, std::string, std::string> say{"say"};
inline constexpr typed_event<std::string, std::string, byte_view> show{"show"};
inline constexpr typed_event<std::string> typing{"typing"};

// Events for a client: which rooms there are; of a room: who has done what, what was said, who is typing.
inline constexpr typed_event<std::vector<std::string>> rooms{"rooms"};
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

class application {
public:
    // Precondition: the server has connection state recovery.
    explicit application(server& io) : io_(io) {
        for (auto const* const name : {"#lobby", "#music", "#pictures"}) rooms_[name].is_permanent = true;
        io_.declare("/", admission::ask);
        handlers_.on(event_type::connecting, [this](event& e) { admit(e); });
        handlers_.on(event_type::connected, [this](event& e) { greet(e); });
        handlers_.on(event_type::disconnected, [this](event& e) { part(e); });
        handlers_.on(join, [this](event& e, std::string const& room, std::uint64_t seen) { enter(e, room, seen); });
        handlers_.on(leave, [this](event& e, std::string const& room) { go(e, room); });
        handlers_.on(say, [this](event& e, std::string const& room, std::string key, std::string text) {
            if (text.empty() || text.size() > longest_text) return fail(e, "That is nothing, or too long.");
            publish(e, room, {.key = std::move(key), .text = std::move(text)});
        });
        handlers_.on(show, [this](event& e, std::string const& room, std::string key, byte_view picture) {
            if (picture.size() > largest_picture) return fail(e, "That picture is too large.");
            auto const type = picture_type(picture);
            if (type.empty()) return fail(e, "That is no picture: PNG, JPEG, GIF and WebP are.");
            publish(e, room, {.key = std::move(key), .picture = {picture.begin(), picture.end()}, .type = type});
        });
        handlers_.on(typing, [this](event& e, std::string const& room) {
            if (is_member(e.socket, room))
                io_.to(room).except(e.socket).emit_volatile(is_typing, room, nickname(e.socket)).ignore();
        });
        handlers_.on_mismatch([this](event& e, error) { fail(e, "That was not understood."); });
    }

    void handle(event& e) { handlers_.dispatch(e); }

private:
    using clock = std::chrono::steady_clock;

    struct person {
        std::string nickname;
        std::string secret;
        socket_handle socket = {};
        std::optional<clock::time_point> lost_at = {}; // the connection; it may come back
    };

    struct room_record {
        std::deque<entry> history;
        std::size_t bytes = 0; // of its pictures
        bool is_permanent = false;
    };

    //=== who is there ===//

    void admit(event const& e) {
        auto const text = [&e](std::string_view key) {
            auto const value = e.data.find(key);
            return value ? value->get<std::string>().value_or("") : std::string();
        };
        auto const nickname = text("nickname");
        auto const secret = text("secret");
        if (!is_name(nickname) || secret.empty() || secret.size() > longest_key) {
            io_.refuse(e.socket, "That is no nickname.").ignore();
            return;
        }
        forget_lost();
        auto& who = people_[nickname];
        if (who && who->secret != secret) {
            io_.refuse(e.socket, "That nickname is taken.").ignore();
            return;
        }
        if (!who) {
            who = std::make_shared<person>(person{.nickname = nickname, .secret = secret});
        } else if (!who->lost_at) { // comes in twice, or comes back before we know that he has gone
            io_.disconnect_connection(who->socket);
            tell_rooms_of(who->socket, "left");
        }
        who->socket = e.socket;
        who->lost_at.reset();
        io_.set_data(e.socket, who);
        io_.accept(e.socket).ignore();
    }

    // Nicknames are kept for those who may come back.
    void forget_lost() {
        auto const oldest = clock::now() - io_.options().recovery->max_disconnection_duration;
        std::erase_if(people_, [oldest](auto const& p) { return p.second->lost_at && *p.second->lost_at < oldest; });
    }

    void greet(event const& e) {
        if (e.recovered) { // is in the same rooms again, and what was said there follows
            for (auto const name : io_.rooms_of(e.socket)) open(std::string(name));
            tell_rooms_of(e.socket, "came back");
        }
        io_.emit(e.socket, rooms, room_names()).ignore();
    }

    void part(event const& e) {
        auto& who = *io_.data<person>(e.socket);
        if (who.socket != e.socket) return; // has come in anew
        if (socketio::is_recoverable(e.reason)) {
            who.lost_at = clock::now();
            tell_rooms_of(e.socket, "lost the connection");
        } else {
            people_.erase(who.nickname);
            tell_rooms_of(e.socket, "left");
        }
    }

    void tell_rooms_of(socket_handle socket, std::string_view what) {
        for (auto const room : io_.rooms_of(socket)) {
            tell(socket, room, what);
            close_if_empty(room);
        }
    }

    void tell(socket_handle socket, std::string_view room, std::string_view what) {
        io_.to(room).except(socket).emit(presence, room, nickname(socket), what).ignore();
    }

    [[nodiscard]] std::string const& nickname(socket_handle socket) const { return io_.data<person>(socket)->nickname; }

    //=== rooms ===//

    // The '#' tells names of rooms from ids of sockets, which are rooms too.
    void enter(event& e, std::string const& name, std::uint64_t seen) {
        if (!is_name(name) || !name.starts_with('#') || name.size() == 1) return fail(e, "That is no name of a room.");
        if (!rooms_.contains(name) && rooms_.size() == most_rooms) return fail(e, "There are too many rooms.");
        auto const& room = open(name);
        if (io_.join(e.socket, name)) tell(e.socket, name, "joined");
        io_.acknowledge(e.ack, json::object("members", members(name))).ignore();
        for (entry const& old : room.history)
            if (old.id > seen) io_.emit(e.socket, said, name, old).ignore();
    }

    void go(event& e, std::string const& name) {
        if (!is_member(e.socket, name)) return fail(e, "You are not in this room.");
        io_.leave(e.socket, name);
        tell(e.socket, name, "left");
        io_.acknowledge(e.ack, json::object()).ignore();
        close_if_empty(name);
    }

    room_record& open(std::string const& name) {
        auto const [found, is_new] = rooms_.try_emplace(name);
        if (is_new) io_.in("/").emit(rooms, room_names()).ignore();
        return found->second;
    }

    void close_if_empty(std::string_view name) {
        auto const found = rooms_.find(name);
        if (found == rooms_.end() || found->second.is_permanent || io_.to(name).size() != 0) return;
        rooms_.erase(found);
        io_.in("/").emit(rooms, room_names()).ignore();
    }

    [[nodiscard]] bool is_member(socket_handle socket, std::string_view name) const {
        return rooms_.contains(name) && io_.is_in(socket, name);
    }

    [[nodiscard]] std::vector<std::string> members(std::string_view name) {
        std::vector<std::string> nicknames;
        io_.to(name).for_each([&](socket_handle member) { nicknames.push_back(nickname(member)); });
        return nicknames;
    }

    [[nodiscard]] std::vector<std::string> room_names() const {
        std::vector<std::string> names;
        for (auto const& [name, record] : rooms_) names.push_back(name);
        return names;
    }

    //=== what is said ===//

    void publish(event& e, std::string const& name, entry what) {
        if (!is_member(e.socket, name)) return fail(e, "You are not in this room.");
        if (what.key.size() > longest_key) return fail(e, "That was not understood.");
        what.from = nickname(e.socket);
        auto& history = rooms_[name].history;
        auto const is_same = [&](entry const& old) { return old.from == what.from && old.key == what.key; };
        auto const old = std::ranges::find_if(history, is_same);
        if (old != history.end()) { // the acknowledgement was lost
            io_.acknowledge(e.ack, json::object("id", old->id)).ignore();
            return;
        }
        what.id = last_id_ = std::max(last_id_ + 1, milliseconds_since_1970());
        io_.to(name).except(e.socket).emit(said, name, what).ignore();
        io_.acknowledge(e.ack, json::object("id", what.id)).ignore();
        keep(rooms_[name], std::move(what));
    }

    static void keep(room_record& room, entry what) {
        room.bytes += what.picture.size();
        room.history.push_back(std::move(what));
        while (room.history.size() > history_entries || room.bytes > history_bytes) {
            room.bytes -= room.history.front().picture.size();
            room.history.pop_front();
        }
    }

    static std::uint64_t milliseconds_since_1970() {
        auto const now = std::chrono::system_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
    }

    void fail(event& e, std::string_view why) { io_.acknowledge(e.ack, json::object("error", why)).ignore(); }

    server& io_;
    socketio::dispatcher handlers_;
    std::map<std::string, std::shared_ptr<person>, less_name> people_;
    std::map<std::string, room_record, std::less<>> rooms_;
    std::uint64_t last_id_ = 0;
};

} // namespace chat
