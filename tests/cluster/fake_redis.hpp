// A Redis in memory, and servers that use it: as much of Pub/Sub as nodes want.
#pragma once

#include "drivers/stacks.hpp"

#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/redis_node.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

namespace cluster = socketless::cluster;

class fake_redis {
public:
    using connection = cluster::redis_connection;
    using reply = cluster::redis_reply;
    using words = std::vector<std::string>;

    struct member {
        member(std::size_t number, cluster::node_options const& options, cluster::redis_options const& redis,
               socketless::server_options const& server)
            : world(server), node(world.server, options, redis, counting_random(100 + number), world.now) {}

        stacks world;
        cluster::redis_node node;
        std::set<std::string> channels;
        std::set<std::string> patterns;
        std::vector<words> commands; // since they were asked for the last time
        std::vector<std::string> told;
        std::vector<std::string> got; // by its clients
        socketless::socketio::socket_handle last_connected;
        bool replies = true; // otherwise the commands are done, and nothing is said
        bool confirms = true;
        std::string error; // otherwise the reply to each PUBLISH and PUBSUB
    };

    std::vector<std::unique_ptr<member>> members;

    std::size_t add(cluster::node_options const& options = {}, cluster::redis_options const& redis = {},
                    socketless::server_options const& server = {}) {
        std::size_t const n = members.size();
        members.push_back(std::make_unique<member>(n, options, redis, server));
        member& m = *members.back();
        m.world.server.declare_matching([](std::string_view, socketless::json::text) { return true; });
        m.world.on_server_event = [&m](socketless::socketio::event& e) {
            if (m.node.handle(e)) return;
            if (e.type == socketless::socketio::event_type::connected) m.last_connected = e.socket;
        };
        m.world.on_client_event = [&m](std::size_t c, socketless::socketio::event& e) {
            if (e.type != socketless::socketio::event_type::event) return;
            m.got.push_back(std::to_string(c) + std::string(e.packet.packet.data.raw()));
            if (e.ack) m.world.client(c).acknowledge(e.ack, "ok", 2).ignore();
        };
        return n;
    }
    // One that is connected to Redis.
    std::size_t add_connected(cluster::node_options const& options = {}, cluster::redis_options const& redis = {},
                              socketless::server_options const& server = {}) {
        std::size_t const n = add(options, redis, server);
        connect(n);
        settle();
        members[n]->told.clear();
        members[n]->commands.clear();
        return n;
    }

    cluster::redis_node& node(std::size_t n) { return members[n]->node; }
    socketless::time_point now(std::size_t n) { return members[n]->world.now; }
    void connect(std::size_t n) {
        node(n).connected(connection::commands, now(n));
        node(n).connected(connection::subscriptions, now(n));
    }
    void lose(std::size_t n, connection c) {
        if (c == connection::subscriptions) {
            members[n]->channels.clear();
            members[n]->patterns.clear();
        }
        node(n).lost(c, now(n));
    }

    // A client of a server, in a namespace.
    socketless::socketio::socket_handle join(std::size_t n, std::string_view nsp = "/",
                                             std::vector<std::string> const& rooms = {}) {
        member& m = *members[n];
        auto const c = m.world.add();
        m.world.client(c).connect(nsp).ignore();
        settle();
        for (auto const& room : rooms) static_cast<void>(m.world.server.join(m.last_connected, room));
        return m.last_connected;
    }

    // Until nobody has anything to say.
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            for (std::size_t n = 0; n != members.size(); ++n) {
                member& m = *members[n];
                m.world.settle();
                while (auto e = m.node.poll_event()) m.told.push_back(show(*e, m));
                while (auto c = m.node.poll_transmit()) {
                    busy = true;
                    words const w(c->words.begin(), c->words.end());
                    m.commands.push_back(w);
                    run(n, c->token, w);
                }
            }
        }
    }
    void pass(std::size_t n, socketless::milliseconds how_long) {
        members[n]->world.pass(how_long);
        node(n).handle_timeout(now(n));
        settle();
    }

    void publish(std::string_view channel, std::string_view bytes) {
        for (std::size_t n = 0; n != members.size(); ++n) deliver(n, channel, bytes);
    }
    void push(std::size_t n, std::vector<std::string_view> const& texts) {
        std::vector<reply> elements;
        for (auto const t : texts) elements.push_back({.type = reply::kind::text, .text = t, .elements = {}});
        node(n).pushed({.type = reply::kind::array, .text = {}, .elements = elements}, now(n));
    }

    std::vector<words> commands(std::size_t n) { return std::exchange(members[n]->commands, {}); }
    std::vector<std::string> told(std::size_t n) { return std::exchange(members[n]->told, {}); }
    std::vector<std::string> got(std::size_t n) { return std::exchange(members[n]->got, {}); }

    // What the application of a member does with an event.
    std::function<void(member&, cluster::event&)> on_event = [](member&, cluster::event&) {};

private:
    std::string show(cluster::event& e, member& m) {
        using enum cluster::event_type;
        switch (e.type) {
        case server_side_event: {
            std::string line = "event " + std::string(e.packet.packet.data.raw());
            on_event(m, e);
            return line;
        }
        case ack: return "ack " + std::string(e.answer.json().raw());
        case cluster::event_type::reply: return "reply " + std::string(e.answer.json().raw());
        case sockets: return "sockets " + std::to_string(e.sockets.size());
        case complete:
            return "complete " + std::to_string(e.answers) + "/" + std::to_string(e.expected) +
                   (e.is_whole ? "" : " not whole");
        case node_joined: return "joined";
        case node_left: return "left";
        case bus_connected: return "connected";
        case bus_lost: return "lost";
        case dropped: return "dropped " + std::to_string(e.dropped);
        }
        return "";
    }

    void run(std::size_t n, std::uint64_t token, words const& w) {
        member& m = *members[n];
        if (w[0] == "PUBLISH" || w[0] == "PUBSUB") {
            reply const failed{.type = reply::kind::error, .text = m.error, .elements = {}};
            if (!m.error.empty()) return m.node.replied(token, failed, now(n));
            std::int64_t count = 0;
            for (auto const& other : members) count += other->channels.contains(w[w[0] == "PUBLISH" ? 1 : 2]) ? 1 : 0;
            if (w[0] == "PUBLISH") publish(w[1], w[2]);
            if (!m.replies) return;
            reply const number{.type = reply::kind::integer, .text = {}, .integer = count, .elements = {}};
            if (w[0] == "PUBLISH") return m.node.replied(token, number, now(n));
            reply const both[] = {{.type = reply::kind::text, .text = w[2], .elements = {}}, number};
            return m.node.replied(token, {.type = reply::kind::array, .text = {}, .elements = both}, now(n));
        }
        bool const begins = w[0].find("UN") == std::string::npos;
        auto& all = w[0].starts_with('P') ? m.patterns : m.channels;
        std::string_view const what = w[0] == "SUBSCRIBE"     ? "subscribe"
                                      : w[0] == "PSUBSCRIBE"  ? "psubscribe"
                                      : w[0] == "UNSUBSCRIBE" ? "unsubscribe"
                                                              : "punsubscribe";
        for (std::size_t i = 1; i != w.size(); ++i) {
            begins ? static_cast<void>(all.insert(w[i])) : static_cast<void>(all.erase(w[i]));
            if (m.confirms) push(n, {what, w[i], "1"});
        }
    }

    void deliver(std::size_t n, std::string_view channel, std::string_view bytes) {
        member& m = *members[n];
        if (m.channels.contains(std::string(channel))) push(n, {"message", channel, bytes});
        for (auto const& pattern : std::set<std::string>(m.patterns)) {
            auto const begin = cluster::detail::unescape_glob(std::string_view(pattern).substr(0, pattern.size() - 1));
            if (channel.starts_with(begin)) push(n, {"pmessage", pattern, channel, bytes});
        }
    }
};

} // namespace support
