// Servers that act as one, each with clients of its own, joined by a bus in memory that delivers at once and in order.
//
// What a node tells, as readable lines. Nodes stand by their numbers, and clients for the ids of their sockets:
//
//     joined 1, left 1, dropped 3
//     event / ["x",1] <0102> from 2            "?" at the end if a reply is wanted
//     ack 1: 5 from 2, reply 1: {"a":1} from 2, sockets 1: c0 c3 from 2
//     complete 1: 3 of 4                       "whole" at the end if each node has said all
#pragma once

#include "drivers/counting_random.hpp"
#include "drivers/socket_lines.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>
#include <socketless/cluster/message_node.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

namespace cluster = socketless::cluster;

struct cluster_settings {
    socketless::server_options server = {};
    cluster::node_options node = {};
    cluster::heartbeat_options heartbeat = {};
};

class cluster_of {
public:
    using socket_handle = socketio::socket_handle;

    using settings = cluster_settings;

    // A server and its node.
    struct member {
        member(std::size_t number, settings const& s)
            : world(s.server, number + 1),
              node(world.server, s.node, s.heartbeat, counting_random(number + 100), world.now) {}

        stacks world;
        cluster::message_node node;
        bool is_up = true;                         // otherwise nothing of it runs, and nothing reaches it
        lines told;                                // by the node
        std::vector<cluster::reply_request> asked; // by other nodes
        std::function<void(cluster::event&)> on_event = [](cluster::event&) {};
        std::vector<std::size_t> clients; // their numbers in the cluster
    };

    struct client_place {
        std::size_t server;
        std::size_t number; // there
        socket_handle own;
        socket_handle socket; // the server's
        std::string sid;
        lines got; // events
    };

    explicit cluster_of(std::size_t servers, settings const& s = {}) {
        for (std::size_t i = 0; i != servers; ++i) add_server(s);
        settle();
        for (auto& m : members) m->told.clear();
    }

    // Both may stay as they are.
    std::function<bool(std::size_t from, std::size_t to, std::string_view bytes)> on_bus =
        [](std::size_t, std::size_t, std::string_view) { return true; }; // false: the message is lost
    std::function<void(std::size_t client, socketio::event&)> on_client_event = [](std::size_t, socketio::event&) {};

    bool brings_to_all = false; // even what is for one node

    std::vector<std::unique_ptr<member>> members;
    std::vector<client_place> clients;
    std::size_t published = 0; // messages

    std::size_t add_server(settings const& s = {}) {
        std::size_t const n = members.size();
        members.push_back(std::make_unique<member>(n, s));
        auto& world = members.back()->world;
        world.now = now();
        world.on_server_event = [this, n](socketio::event& e) {
            if (members[n]->node.handle(e)) return;
            if (e.type == socketio::event_type::connected) last_connected_ = e.socket;
        };
        world.on_client_event = [this, n](std::size_t i, socketio::event& e) {
            std::size_t const c = members[n]->clients[i];
            if (e.type == socketio::event_type::event) clients[c].got.push_back(show(e.packet));
            if (e.type == socketio::event_type::disconnected)
                clients[c].got.push_back("disconnected: " + std::string(name(e.reason)));
            if (e.type == socketio::event_type::connected && e.recovered) clients[c].got.emplace_back("recovered");
            on_client_event(c, e);
        };
        return n;
    }

    // A client that is connected to a server, and its socket is in these rooms.
    std::size_t connect(std::size_t server, std::vector<std::string> const& rooms = {}, std::string_view nsp = "/",
                        socketless::client_options options = {}) {
        auto& m = *members[server];
        std::size_t const c = clients.size();
        m.clients.push_back(c);
        clients.push_back({server, m.world.add(std::move(options)), {}, {}, {}, {}});
        auto const own = m.world.client(clients[c].number).connect(nsp);
        REQUIRE(own);
        last_connected_ = {};
        settle();
        auto const socket = last_connected_;
        REQUIRE(m.world.server.is_connected(socket));
        clients[c].own = *own;
        clients[c].socket = socket;
        clients[c].sid = m.world.server.sid(socket);
        for (auto const& room : rooms) REQUIRE(m.world.server.join(socket, room));
        return c;
    }

    cluster::message_node& node(std::size_t n) { return members[n]->node; }
    socketless::server& server(std::size_t n) { return members[n]->world.server; }
    [[nodiscard]] socketless::time_point now() const {
        return members.empty() ? socketless::time_point(std::chrono::hours(1)) : members.front()->world.now;
    }
    void die(std::size_t n) { members[n]->is_up = false; }

    // The events of a client, what a node has told: since they were asked for the last time.
    lines got(std::size_t client) { return std::exchange(clients[client].got, {}); }
    lines told(std::size_t n) { return std::exchange(members[n]->told, {}); }

    // Delivers until all run dry.
    void settle() {
        for (bool is_busy = true; is_busy;) {
            is_busy = false;
            for (std::size_t n = 0; n != members.size(); ++n) {
                if (!members[n]->is_up) continue;
                members[n]->world.settle();
                while (auto e = members[n]->node.poll_event()) note(n, *e);
                while (auto const t = members[n]->node.poll_transmit()) {
                    ++published;
                    in_flight_.push_back({n, std::string(t->to), std::string(t->bytes)});
                }
            }
            for (; !in_flight_.empty(); is_busy = true) {
                auto const sent = std::move(in_flight_.front());
                in_flight_.pop_front();
                deliver(sent);
            }
        }
    }

    // Lets time pass, in steps that end where a timer is due.
    void pass(socketless::milliseconds how_long) {
        auto const until = now() + how_long;
        for (bool is_last = false; !is_last;) {
            settle();
            auto next = next_timer();
            is_last = !next || *next > until;
            auto const then = is_last ? until : std::max(now(), *next);
            for (auto& m : members) {
                m->world.now = then;
                if (!m->is_up) continue;
                m->world.server.handle_timeout(then);
                for (auto& p : m->world.peers) p.client.handle_timeout(then);
                m->world.settle();
                m->node.handle_timeout(then);
            }
        }
        settle();
    }

private:
    struct flying {
        std::size_t from;
        std::string to; // a node; empty for all
        std::string bytes;
    };

    [[nodiscard]] std::optional<socketless::time_point> next_timer() {
        std::optional<socketless::time_point> next;
        for (auto& m : members) {
            if (!m->is_up) continue;
            next = socketless::earlier(next, m->world.server.poll_timeout());
            next = socketless::earlier(next, m->node.poll_timeout());
            for (auto const& p : m->world.peers) next = socketless::earlier(next, p.client.poll_timeout());
        }
        return next;
    }

    // A node gets its own messages too.
    void deliver(flying const& f) {
        for (std::size_t n = 0; n != members.size(); ++n) {
            bool const is_for = brings_to_all || f.to.empty() || f.to == node(n).id();
            if (is_for && members[n]->is_up && on_bus(f.from, n, f.bytes)) node(n).received(f.bytes, now());
        }
    }

    [[nodiscard]] std::string number_of(std::string_view id) const {
        for (std::size_t n = 0; n != members.size(); ++n)
            if (members[n]->node.id() == id) return std::to_string(n);
        return std::string(id);
    }
    [[nodiscard]] std::string client_of(std::string const& sid) const {
        for (std::size_t c = 0; c != clients.size(); ++c)
            if (clients[c].sid == sid) return "c" + std::to_string(c);
        return sid;
    }

    void note(std::size_t n, cluster::event& e) {
        members[n]->on_event(e);
        members[n]->told.push_back(line_of(e));
        if (e.reply) members[n]->asked.push_back(std::move(e.reply));
    }

    [[nodiscard]] std::string line_of(cluster::event const& e) const {
        using enum cluster::event_type;
        std::string const id = std::to_string(e.id);
        std::string const from = " from " + number_of(e.node);
        auto const answer = [&] {
            std::string text(e.answer.json().raw());
            for (auto const a : e.answer.attachments()) text += " <" + to_hex(socketless::as_characters(a)) + ">";
            return text;
        };
        switch (e.type) {
        case server_side_event:
            return "event " + std::string(e.nsp) + " " + show(e.packet) + from + (e.reply ? "?" : "");
        case ack: return "ack " + id + ": " + answer() + from;
        case reply: return "reply " + id + ": " + answer() + from;
        case sockets: {
            std::string line = "sockets " + id + ":";
            for (auto const s : e.sockets) line += " " + client_of(s.sid());
            return line + from;
        }
        case complete:
            return "complete " + id + ": " + std::to_string(e.answers) + " of " + std::to_string(e.expected) +
                   (e.is_whole ? ", whole" : "");
        case node_joined: return "joined " + number_of(e.node);
        case node_left: return "left " + number_of(e.node);
        case bus_connected: return "bus connected";
        case bus_lost: return "bus lost";
        case dropped: return "dropped " + std::to_string(e.dropped);
        }
        return "?";
    }

    std::deque<flying> in_flight_;
    socket_handle last_connected_;
};

} // namespace support
