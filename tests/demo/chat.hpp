// A chat: the applications of a server and of its clients. Nothing here knows of a network.
#pragma once

#include <socketless/socketless.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace chat {

using namespace socketless;
using socketio::event;
using socketio::event_type;
using socketio::socket_handle;
using socketio::typed_event;

// Events of clients: who they are (acknowledged with the number of members), a text, a picture (acknowledged with the
// number of those who have seen it).
inline constexpr typed_event<std::string> join{"join"};
inline constexpr typed_event<std::string> say{"say"};
inline constexpr typed_event<std::string, byte_view> picture{"picture"};
// Events for the others in the room: who has come, who says what, whose picture this is (they acknowledge it).
inline constexpr typed_event<std::string> joined{"joined"};
inline constexpr typed_event<std::string, std::string> said{"said"};
inline constexpr typed_event<std::string, std::string, byte_view> shown{"shown"};
// The event for those in /admin.
inline constexpr typed_event<std::size_t> members{"members"};

inline constexpr milliseconds patience{5'000};
inline constexpr std::string_view room = "garden";

// The applications write what they see into it.
using diary = std::function<void(std::string const&)>;

// All calls of the applications succeed here; if one failed, the diary would say so.
template <class T>
void tell_failure(result<T> const& done, diary const& tell) {
    if (!done) tell("fails: " + std::string(message(done.error().code)));
}

class server_application {
public:
    server_application(server& server, diary tell) : server_(server), tell_(std::move(tell)) {
        server_.declare("/admin", admission::ask);
    }

    void handle(event& e) {
        switch (e.type) {
        case event_type::connecting: return admit(e);
        case event_type::connected: return greet(e);
        case event_type::event: return take(e);
        case event_type::acks_complete: return answer(e);
        case event_type::disconnected:
            if (e.nsp == "/") tell_(name_of(e.socket) + " is gone: " + std::string(name(e.reason)));
            return;
        default: return;
        }
    }

private:
    void admit(event const& e) {
        auto const token = e.data.find("token").value_or(json::text());
        bool const is_known = token.equals("open sesame");
        tell_(std::string("somebody with the ") + (is_known ? "right" : "wrong") + " token asks for " +
              std::string(e.nsp));
        tell_failure(is_known ? server_.accept(e.socket) : server_.refuse(e.socket, "wrong token"), tell_);
    }

    void greet(event const& e) {
        if (e.recovered && server_.is_in(e.socket, room)) tell_(name_of(e.socket) + " is back in the room");
        if (e.nsp == "/admin") tell_failure(server_.emit(e.socket, members, server_.to(room).size()), tell_);
    }

    void take(event& e) {
        if (e.name() == join.name) {
            if (auto const name = e.get(join)) let_in(e, *name);
        } else if (e.name() == say.name) {
            if (auto const text = e.get(say))
                tell_failure(others(e.socket).emit(said, name_of(e.socket), *text), tell_);
        } else if (e.name() == picture.name) {
            if (auto const args = e.get(picture)) show(e, std::get<0>(*args), std::get<1>(*args));
        }
    }

    void let_in(event& e, std::string const& name) {
        server_.set_data(e.socket, std::make_shared<std::string>(name));
        server_.join(e.socket, room);
        tell_failure(others(e.socket).emit(joined, name), tell_);
        tell_failure(server_.acknowledge(e.ack, server_.to(room).size()), tell_);
    }

    void show(event& e, std::string const& title, byte_view bytes) {
        auto const id = others(e.socket).emit_with_ack(patience, shown, name_of(e.socket), title, bytes);
        tell_failure(id, tell_);
        if (id) unanswered_[*id] = std::move(e.ack);
    }

    // All who were shown a picture have answered, or their time is over: its owner learns how many have.
    void answer(event const& e) {
        auto const found = unanswered_.find(e.id);
        if (found == unanswered_.end()) return;
        tell_failure(server_.acknowledge(found->second, e.answers), tell_);
        unanswered_.erase(found);
    }

    [[nodiscard]] audience others(socket_handle sender) { return server_.to(room).except(sender); }

    [[nodiscard]] std::string name_of(socket_handle socket) const {
        auto const* const name = server_.data<std::string>(socket);
        return name == nullptr ? "a socket" : *name;
    }

    server& server_;
    diary tell_;
    std::map<std::uint64_t, socketio::ack_request> unanswered_;
};

class client_application {
public:
    client_application(client& client, std::string name, diary tell)
        : client_(client), name_(std::move(name)), tell_(std::move(tell)) {}

    //=== what its user does ===//

    void enter() {
        auto const socket = client_.connect();
        tell_failure(socket, tell_);
        if (socket) chat_ = *socket;
    }
    void enter_admin(std::string_view token) {
        tell_failure(client_.connect("/admin", json::object("token", token)), tell_);
    }
    void say_to_all(std::string const& text) { tell_failure(client_.emit(chat_, say, text), tell_); }
    void show_to_all(std::string const& title, byte_view bytes) {
        tell_failure(client_.emit_with_ack(chat_, patience, picture, title, bytes), tell_);
    }
    void leave() { client_.close(); }

    //=== what its user sees ===//

    void handle(event& e) {
        switch (e.type) {
        case event_type::connected: return begin(e);
        case event_type::connect_error: return tell_(std::string(e.nsp) + " refuses: " + std::string(e.message.raw()));
        case event_type::upgraded: return tell_("has moved to a WebSocket");
        case event_type::event: return take(e);
        case event_type::ack: return note(e);
        case event_type::reconnecting: return tell_("tries again to connect");
        case event_type::disconnected:
            if (is_recoverable(e.reason)) tell_("has lost the connection: " + std::string(name(e.reason)));
            return;
        default: return;
        }
    }

private:
    void begin(event const& e) {
        if (e.nsp != "/") return tell_("is let into " + std::string(e.nsp));
        bool const is_same = e.recovered && e.sid == sid_;
        tell_(is_same ? "is connected again, by the same id" : "is connected");
        sid_ = e.sid;
        if (e.recovered) return; // it is in the room still
        auto const id = client_.emit_with_ack(chat_, patience, join, name_);
        tell_failure(id, tell_);
        if (id) entering_ = *id;
    }

    void take(event& e) {
        if (e.name() == joined.name) {
            if (auto const who = e.get(joined)) tell_("sees that " + *who + " has come");
        } else if (e.name() == said.name) {
            auto const args = e.get(said);
            if (!args) return;
            auto const& [who, text] = *args;
            tell_("hears " + who + ": " + text);
        } else if (e.name() == shown.name) {
            auto const args = e.get(shown);
            if (!args) return;
            auto const& [who, title, bytes] = *args;
            tell_("sees " + who + "'s " + title + ", " + std::to_string(bytes.size()) + " bytes");
            tell_failure(client_.acknowledge(e.ack, "beautiful"), tell_);
        } else if (e.name() == members.name) {
            if (auto const count = e.get(members)) tell_("learns that " + std::to_string(*count) + " are in the room");
        }
    }

    void note(event const& e) {
        auto const count = e.get<std::size_t>();
        if (e.outcome != socketio::ack_outcome::answered || !count) return tell_("gets no answer");
        if (e.id == entering_)
            tell_("is in the room, " + std::to_string(*count) + " in all");
        else
            tell_("learns that " + std::to_string(*count) + " saw it");
    }

    client& client_;
    std::string name_;
    diary tell_;
    socket_handle chat_;
    std::string sid_;
    std::uint64_t entering_ = 0; // the acknowledgement of `join`
};

} // namespace chat
