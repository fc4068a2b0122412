// The chat itself: its members, and what they say in which room. Nothing here knows of a network.
//
// Several servers can be one chat. Each of them has the list of all rooms and the texts said there. It asks the others
// who else is in a room, and whether a nickname is taken. Pictures reach everybody, but only the server that got one
// keeps it for those who come later. A server that cannot reach the others goes on alone, and a nickname can get a
// second owner. When they are back, each side hears what was said on the other one meanwhile.
#pragma once

#include "neighbours.hpp"
#include "protocol.hpp"

#include <socketless/cluster/event.hpp>
#include <socketless/cluster/node.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/dispatcher.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
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

class application {
public:
    // Precondition: the server has connection state recovery, and skips no middlewares: who comes back after a loss
    // shows his secret again, which no other server has, and is let in as everybody is. `node` is null where there is
    // one server only.
    application(server& io, cluster::node* node) : io_(io), others_(io, node, what_others_want()) {
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
            if (!is_member(e.socket, room)) return;
            others_.to(room, [&](auto all) {
                all.except(e.socket).emit_volatile(is_typing, room, nickname(io_, e.socket)).ignore();
            });
        });
        handlers_.on_mismatch([this](event& e, error) { fail(e, "That was not understood."); });
    }

    void handle(event& e) {
        if (!others_.handle(e)) handlers_.dispatch(e);
    }
    void handle(cluster::event& e) { others_.handle(e); }

    // Precondition: the socket has been let in.
    [[nodiscard]] static std::string const& nickname(server const& io, socket_handle socket) {
        return io.data<person>(socket)->nickname;
    }

private:
    using clock = std::chrono::steady_clock;

    struct person {
        std::string nickname;
        std::string secret;
        std::optional<socket_handle> socket = {};      // while he is here
        std::optional<clock::time_point> lost_at = {}; // the connection; it may come back
        int asking = 0;                                // clients of his that wait to be let in
    };
    using person_ptr = std::shared_ptr<person>;

    struct room_record {
        std::deque<entry> history;
        std::size_t bytes = 0;          // of its pictures
        std::uint64_t last_dropped = 0; // id of an entry that is no longer in the history
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
        if (!who) who = std::make_shared<person>(person{.nickname = nickname, .secret = secret});
        if (who->secret != secret) return refuse_taken(e.socket);
        ++who->asking;
        others_.ask_if_taken(nickname, secret, [this, socket = e.socket, owner = who](bool taken) {
            --owner->asking;
            taken ? refuse_taken(socket) : let_in(socket, owner);
            forget_if_gone(*owner);
        });
    }

    void refuse_taken(socket_handle socket) { io_.refuse(socket, "That nickname is taken.").ignore(); }

    void let_in(socket_handle socket, person_ptr const& who) {
        disconnect(*who); // if he comes in twice, or comes back before we know that he has gone
        io_.set_data(socket, who);
        if (!io_.accept(socket)) return; // has given up
        who->socket = socket;
        who->lost_at.reset();
    }

    void disconnect(person& who) {
        auto const socket = std::exchange(who.socket, std::nullopt);
        if (!socket) return;
        io_.disconnect_connection(*socket);
        tell_rooms_of(*socket, "left");
    }

    void forget_if_gone(person const& who) {
        if (!who.socket && !who.lost_at && who.asking == 0) people_.erase(who.nickname);
    }

    // Another server asks. Its client that knows the secret takes the place of the one here.
    bool is_taken(std::string const& nickname, std::string const& secret) {
        forget_lost();
        auto const found = people_.find(nickname);
        if (found == people_.end()) return false;
        person_ptr const who = found->second;
        if (who->secret != secret) return true;
        disconnect(*who);
        who->lost_at.reset();
        forget_if_gone(*who);
        return false;
    }

    // Nicknames are kept for those who may come back.
    void forget_lost() {
        auto const oldest = clock::now() - io_.options().recovery->max_disconnection_duration;
        std::erase_if(people_, [oldest](auto const& p) {
            return p.second->lost_at && *p.second->lost_at < oldest && p.second->asking == 0;
        });
    }

    void greet(event const& e) {
        if (e.recovered) { // is in the same rooms again
            for (auto const name : io_.rooms_of(e.socket))
                if (may_open(name)) open(std::string(name));
            tell_rooms_of(e.socket, "came back");
        }
        io_.emit(e.socket, rooms, room_names()).ignore();
    }

    void part(event const& e) {
        auto* const who = io_.data<person>(e.socket);
        if (who == nullptr || who->socket != e.socket) return; // has not been let in, or has come in anew
        who->socket.reset();
        if (socketio::is_recoverable(e.reason)) {
            who->lost_at = clock::now();
            tell_rooms_of(e.socket, "lost the connection");
        } else {
            tell_rooms_of(e.socket, "left");
            forget_if_gone(*who);
        }
    }

    void tell_rooms_of(socket_handle socket, std::string_view what) {
        for (auto const room : io_.rooms_of(socket)) {
            tell(socket, room, what);
            close_if_empty(room);
        }
    }

    void tell(socket_handle socket, std::string_view room, std::string_view what) {
        others_.to(room,
                   [&](auto all) { all.except(socket).emit(presence, room, nickname(io_, socket), what).ignore(); });
    }

    //=== rooms ===//

    void enter(event& e, std::string const& name, std::uint64_t seen) {
        if (!is_room_name(name)) return fail(e, "That is no name of a room.");
        if (!may_open(name)) {
            close_empty_rooms(); // a server that has crashed leaves some
            return fail(e, "There are too many rooms.");
        }
        auto const& room = open(name);
        // Who has come back after a loss is in the room already. Recovery brings the pictures, but no texts that
        // servers have told each other.
        bool const is_new = io_.join(e.socket, name);
        if (is_new) tell(e.socket, name, "joined");
        auto const since = seen - std::min(seen, others_.overlap());
        for (entry const& old : room.history)
            if (old.id > since && (is_new || old.is_text())) io_.emit(e.socket, said, name, old).ignore();
        auto const ack = std::make_shared<socketio::ack_request>(std::move(e.ack));
        others_.gather_members(name, [this, ack](auto const& nicknames) {
            io_.acknowledge(*ack, json::object("members", nicknames)).ignore();
        });
    }

    void go(event& e, std::string const& name) {
        if (!is_member(e.socket, name)) return fail(e, "You are not in this room.");
        io_.leave(e.socket, name);
        tell(e.socket, name, "left");
        io_.acknowledge(e.ack, json::object()).ignore();
        close_if_empty(name);
    }

    // Other servers and Redis may say what they like.
    [[nodiscard]] bool may_open(std::string_view name) const {
        return is_room_name(name) && (rooms_.contains(name) || rooms_.size() < most_rooms);
    }
    room_record& open(std::string const& name) {
        if (!rooms_.contains(name)) others_.tell(news, name, std::vector<entry>());
        return open_here(name);
    }
    room_record& open_here(std::string const& name) {
        auto const [found, is_new] = rooms_.try_emplace(name);
        if (is_new) io_.in("/").emit(rooms, room_names()).ignore();
        return found->second;
    }

    void close_if_empty(std::string_view name) {
        if (!can_close(name)) return;
        others_.gather_members(name, [this, name = std::string(name)](auto const& nicknames) {
            if (!nicknames.empty() || !can_close(name)) return;
            close_here(name);
            others_.tell(closed, name);
        });
    }
    void close_here(std::string const& name) {
        rooms_.erase(name);
        io_.in("/").emit(rooms, room_names()).ignore();
    }
    void close_empty_rooms() {
        for (auto const& name : room_names()) close_if_empty(name);
    }
    // Nobody here keeps it open.
    [[nodiscard]] bool can_close(std::string_view name) const {
        auto const found = rooms_.find(name);
        return found != rooms_.end() && !found->second.is_permanent && io_.to(name).size() == 0;
    }

    [[nodiscard]] bool is_member(socket_handle socket, std::string_view name) const {
        return rooms_.contains(name) && io_.is_in(socket, name);
    }

    [[nodiscard]] std::vector<std::string> members_here(std::string_view name) const {
        std::vector<std::string> nicknames;
        io_.to(name).for_each([&](socket_handle member) { nicknames.push_back(nickname(io_, member)); });
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
        what.from = nickname(io_, e.socket);
        auto& room = rooms_[name];
        if (auto const* const old = find(room, what)) { // the acknowledgement was lost
            io_.acknowledge(e.ack, json::object("id", old->id)).ignore();
            return;
        }
        what.id = last_id_ = std::max(last_id_ + 1, milliseconds_since_1970());
        if (what.is_text()) {
            io_.to(name).except(e.socket).emit(said, name, what).ignore();
            others_.tell(news, name, std::vector{what}); // who show it to their members, and keep it
        } else {
            others_.to(name, [&](auto all) { all.except(e.socket).emit(said, name, what).ignore(); });
        }
        io_.acknowledge(e.ack, json::object("id", what.id)).ignore();
        keep(room, std::move(what));
    }

    static entry const* find(room_record const& room, entry const& what) {
        auto const is_same = [&](entry const& old) { return old.from == what.from && old.key == what.key; };
        auto const found = std::ranges::find_if(room.history, is_same);
        return found == room.history.end() ? nullptr : &*found;
    }

    // In the order of the ids: what other servers tell can be older than what is known.
    static void keep(room_record& room, entry what) {
        auto& history = room.history;
        room.bytes += what.picture.size();
        history.insert(std::ranges::upper_bound(history, what.id, {}, &entry::id), std::move(what));
        while (history.size() > history_entries || room.bytes > history_bytes) {
            room.bytes -= history.front().picture.size();
            room.last_dropped = std::max(room.last_dropped, history.front().id);
            history.pop_front();
        }
    }

    static std::uint64_t milliseconds_since_1970() {
        auto const now = std::chrono::system_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
    }

    void fail(event& e, std::string_view why) { io_.acknowledge(e.ack, json::object("error", why)).ignore(); }

    //=== the other servers ===//

    [[nodiscard]] neighbours::listener what_others_want() {
        return {
            .begin = [this] { tell_rooms(), show_members(); },
            .lose = [this] { close_empty_rooms(), show_members(); },
            .learn = [this](std::string const& name, std::vector<entry> texts) { learn(name, std::move(texts)); },
            .close = [this](std::string const& name) { can_close(name) ? close_here(name) : tell_room(name); },
            .is_taken = [this](std::string const& name, std::string const& secret) { return is_taken(name, secret); },
            .members = [this](std::string_view name) { return members_here(name); },
        };
    }

    // What the others may not know: texts of rooms with members here, and of those that are always there.
    void tell_rooms() {
        for (auto const& [name, room] : rooms_)
            if (!can_close(name)) tell_room(name);
    }
    void tell_room(std::string const& name) {
        auto const found = rooms_.find(name);
        if (found == rooms_.end()) return;
        std::vector<entry> texts;
        std::ranges::copy_if(found->second.history, std::back_inserter(texts), &entry::is_text);
        others_.tell(news, name, texts);
    }

    void learn(std::string const& name, std::vector<entry> texts) {
        if (!may_open(name)) return;
        auto& room = open_here(name);
        for (entry& what : texts) {
            if (what.id <= room.last_dropped || find(room, what) != nullptr) continue;
            last_id_ = std::max(last_id_, what.id);
            io_.to(name).emit(said, name, what).ignore();
            keep(room, std::move(what));
        }
    }

    // Others have come within reach, or are out of it.
    void show_members() {
        for (auto const& name : room_names()) {
            if (io_.to(name).size() == 0) continue;
            others_.gather_members(
                name, [this, name](auto const& nicknames) { io_.to(name).emit(members, name, nicknames).ignore(); });
        }
    }

    server& io_;
    neighbours others_;
    socketio::dispatcher handlers_;
    std::map<std::string, person_ptr, less_name> people_;
    std::map<std::string, room_record, std::less<>> rooms_;
    std::uint64_t last_id_ = 0;
};

} // namespace chat
