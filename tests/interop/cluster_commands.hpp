// What tests ask of servers that act as one. WHO is {"rooms":[...],"except":[...]}: sockets of all servers; either may
// be missing.
//
//     tell WHO args...            the event told, with args, for all of them
//     whisper WHO args...         the same, volatile
//     ask-all WHO MS args...      the event question; gathers their acknowledgements
//     join-all WHO room, leave-all WHO room
//     kick-all WHO, drop-all WHO  disconnects them, and their connections too
//     fetch WHO                   gathers what there is to know of each
//     note args...                each other server emits the event noted, with args, to its own clients
//     survey args...              gathers replies of the other servers, each of which is args
//
// Who has something gathered gets the event answer for each, and then complete, with whether all have answered, and how
// many have.
#pragma once

#include <socketless/cluster/audience.hpp>
#include <socketless/cluster/event.hpp>
#include <socketless/cluster/node.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cluster_test {

using namespace socketless;
using socketio::spread;

class commands {
public:
    commands(server& io, cluster::node& node) : io_(io), node_(node) {}

    void take(socketio::event const& e) {
        auto const name = e.name();
        if (name == "note") {
            node_.server_side_emit(e.nsp, "note", spread(e.args())).ignore();
        } else if (name == "survey") {
            gather(e.socket, node_.server_side_emit_with_ack(e.nsp, std::nullopt, "survey", spread(e.args())));
        } else {
            auto const args = list(e.args());
            if (!args.empty()) take(e, crowd(args.front().json()), std::span(args).subspan(1));
        }
    }

    void handle(cluster::event& e) {
        using enum cluster::event_type;
        if (e.type == server_side_event) return take_from_server(e);
        auto const found = gathered_.find(e.id);
        if (found == gathered_.end()) return;
        auto& [socket, count] = found->second;
        if (e.type == ack || e.type == reply) {
            ++count;
            io_.emit(socket, "answer", e.answer).ignore();
        } else if (e.type == sockets) {
            for (auto const s : e.sockets) {
                ++count;
                auto const about =
                    json::object("id", s.sid(), "rooms", s.rooms(), "data", s.data(), "handshake", s.handshake());
                io_.emit(socket, "answer", about).ignore();
            }
        } else if (e.type == complete) {
            io_.emit(socket, "complete", e.is_whole && e.answers == e.expected, count).ignore();
            gathered_.erase(found);
        }
    }

private:
    static std::vector<socketio::argument> list(socketio::arguments args) {
        std::vector<socketio::argument> all;
        for (auto const argument : args) all.push_back(argument);
        return all;
    }

    struct crowd {
        std::vector<std::string> rooms;
        std::vector<std::string> except;

        explicit crowd(json::text who) : rooms(names(who, "rooms")), except(names(who, "except")) {}
        static std::vector<std::string> names(json::text who, std::string_view key) {
            auto const found = who.find(key);
            if (!found) return {};
            return found->get<std::vector<std::string>>().value_or(std::vector<std::string>());
        }
    };

    void take(socketio::event const& e, crowd const& who, std::span<socketio::argument const> rest) {
        auto all = node_.in(e.nsp);
        for (std::string const& room : who.rooms) all.to(room);
        for (std::string const& room : who.except) all.except(room);
        auto const name = e.name();
        auto const word = rest.empty() ? std::string() : rest.front().get<std::string>().value_or("");
        if (name == "tell") all.emit("told", spread(rest)).ignore();
        if (name == "whisper") all.emit_volatile("told", spread(rest)).ignore();
        if (name == "ask-all" && !rest.empty()) {
            milliseconds const timeout(rest.front().get<std::uint32_t>().value_or(0));
            auto const question = rest.subspan(1);
            gather(e.socket, all.emit_with_ack(timeout, "question", spread(question)));
        }
        if (name == "join-all") all.join(word).ignore();
        if (name == "leave-all") all.leave(word).ignore();
        if (name == "kick-all") all.disconnect().ignore();
        if (name == "drop-all") all.disconnect_connections().ignore();
        if (name == "fetch") gather(e.socket, all.fetch_sockets());
    }

    void gather(socketio::socket_handle socket, result<std::uint64_t> const& id) {
        if (id) gathered_[*id] = {socket, 0};
    }

    void take_from_server(cluster::event& e) {
        auto const args = list(e.args());
        if (e.reply)
            node_.reply(e.reply, args).ignore();
        else
            io_.in(e.nsp).emit("noted", spread(args)).ignore();
    }

    struct asker {
        socketio::socket_handle socket;
        std::size_t count = 0; // of what has been gathered
    };

    server& io_;
    cluster::node& node_;
    std::unordered_map<std::uint64_t, asker> gathered_;
};

} // namespace cluster_test
