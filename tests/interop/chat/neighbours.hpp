// The other servers of a chat that has several: what this one tells them, asks them and hears from them. Where there
// are none, or while they cannot be reached, every question is answered at once by what this server knows.
#pragma once

#include "protocol.hpp"

#include <socketless/cluster/audience.hpp>
#include <socketless/cluster/event.hpp>
#include <socketless/cluster/node.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace chat {

// Events of a server for the others:
//
//     hello                        it has begun, or has been away: what is there to know?
//     news room, texts             there is this room, and this was said there; the others may know some of it already
//     closed room                  nobody is there any more, on any server
//     is taken nickname, secret    somebody wants to come in there; the reply is whether the secret is a wrong one
inline constexpr typed_event<> hello{"hello"};
inline constexpr typed_event<std::string, std::vector<entry>> news{"news"};
inline constexpr typed_event<std::string> closed{"closed"};
inline constexpr typed_event<std::string, std::string> is_taken{"is taken"};

class neighbours {
public:
    // What the chat does when they ask or tell it something.
    struct listener {
        std::function<void()> begin; // they are there from now on, or one of them has begun anew
        std::function<void()> lose;  // they cannot be reached
        std::function<void(std::string const& room, std::vector<entry> texts)> learn;
        std::function<void(std::string const& room)> close;
        std::function<bool(std::string const& nickname, std::string const& secret)> is_taken;
        std::function<std::vector<std::string>(std::string_view room)> members;
    };

    // `node` is null where there is one server only.
    neighbours(server& io, cluster::node* node, listener chat) : io_(io), node_(node), chat_(std::move(chat)) {}

    // Calls `act` with the sockets of a room on all servers: an audience of the node or of the server.
    template <class Act>
    void to(std::string_view room, Act act) {
        node_ != nullptr ? act(node_->to(room)) : act(io_.to(room));
    }

    // Emits an event to the other servers. It is lost if they cannot be reached.
    template <class Event, class... Args>
    void tell(Event const& name, Args const&... args) {
        if (is_up_) node_->server_side_emit("/", name, args...).ignore();
    }

    // Calls `then` with whether the nickname belongs to somebody with another secret on another server. A server that
    // does not answer in time has no say.
    void ask_if_taken(std::string const& nickname, std::string const& secret, std::function<void(bool)> then) {
        auto const id =
            is_up_ ? node_->server_side_emit_with_ack("/", std::nullopt, is_taken, nickname, secret) : unreachable;
        if (!id) return then(false);
        asked_[*id].then = [then = std::move(then)](answers const& got) { then(got.is_taken); };
    }

    // Calls `then` with the nicknames of a room's members on all servers that answer in time.
    void gather_members(std::string_view room, std::function<void(std::vector<std::string> const&)> then) {
        auto const id = is_up_ ? node_->to(room).fetch_sockets() : unreachable;
        if (!id) return then(chat_.members(room));
        asked_[*id].then = [then = std::move(then)](answers const& got) { then(got.nicknames); };
    }

    // By how much, in milliseconds, the id of a message can be less than that of one which has come before.
    [[nodiscard]] std::uint64_t overlap() const { return node_ != nullptr ? 10'000 : 0; }

    // Shows the node an event of the server. Returns whether it was for the node only.
    [[nodiscard]] bool handle(socketio::event const& e) { return node_ != nullptr && node_->handle(e); }

    void handle(cluster::event& e) {
        using enum cluster::event_type;
        if (e.type == bus_connected) {
            is_up_ = true;
            tell(hello);
            chat_.begin();
        } else if (e.type == bus_lost) {
            is_up_ = false;
            chat_.lose();
        } else if (e.type == server_side_event) {
            hear(e);
        } else if (auto const asked = asked_.find(e.id); asked != asked_.end()) {
            note_answer(asked->second, e);
            if (e.type == complete) {
                auto const all = asked_.extract(asked);
                all.mapped().then(all.mapped());
            }
        }
    }

private:
    // What a question has brought so far.
    struct answers {
        bool is_taken = false;
        std::vector<std::string> nicknames = {};
        std::function<void(answers const&)> then = {};
    };

    static constexpr result<std::uint64_t> unreachable = error{errc::not_connected};

    static void note_answer(answers& got, cluster::event const& e) {
        if (e.type == cluster::event_type::reply && e.answer.get<bool>().value_or(false)) got.is_taken = true;
        for (auto const socket : e.sockets)
            if (auto nickname = socket.data().get<std::string>()) got.nicknames.push_back(std::move(*nickname));
    }

    void hear(cluster::event& e) {
        if (e.name() == hello.name) {
            chat_.begin();
        } else if (e.name() == news.name) {
            if (auto args = e.get<std::string, std::vector<entry>>())
                chat_.learn(std::get<0>(*args), std::move(std::get<1>(*args)));
        } else if (e.name() == closed.name) {
            if (auto const room = e.get<std::string>()) chat_.close(*room);
        } else if (e.name() == is_taken.name) {
            auto const args = e.get<std::string, std::string>();
            if (args) node_->reply(e.reply, std::apply(chat_.is_taken, *args)).ignore();
        }
    }

    server& io_;
    cluster::node* node_;
    listener chat_;
    bool is_up_ = false; // the others can be reached
    std::unordered_map<std::uint64_t, answers> asked_;
};

} // namespace chat
