// A Redis in memory, and servers that use it: as much of Pub/Sub, streams and keys as nodes want.
#pragma once

#include "drivers/stacks.hpp"

#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/stream_entry.hpp>
#include <socketless/cluster/redis_node.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
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
            : world(server, number + 1), node(world.server, options, redis, counting_random(100 + number), world.now) {}

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
        std::string error; // otherwise the reply to each PUBLISH, PUBSUB and XADD

        std::uint64_t reading = 0; // the token of an XREAD that waits
        std::string read_to;       // the id behind which it reads
        bool reads = true;         // otherwise nothing is said to it
    };

    struct entry {
        std::string id;
        words fields;
    };
    // Those of all members.
    std::vector<entry> stream;
    std::map<std::string, std::string> keys;
    std::map<std::string, std::string> lifetimes; // of keys, as they were set
    std::size_t page = 1'000;                     // entries that an XRANGE gives at most

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
        for (auto const c : {connection::commands, connection::subscriptions, connection::reader})
            node(n).connected(c, now(n));
    }
    void lose(std::size_t n, connection c) {
        if (c == connection::reader) members[n]->reading = 0;
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
                    if (c->connection != connection::reader) m.commands.push_back(w);
                    run(n, c->token, w);
                }
                busy = read(n) || busy;
            }
        }
    }
    void pass(std::size_t n, socketless::milliseconds how_long) {
        members[n]->world.pass(how_long);
        node(n).handle_timeout(now(n));
        settle();
    }

    // An entry that somebody adds. The ids count up.
    std::string add_entry(words fields) {
        std::string const id = std::to_string(1'000 + clock++) + "-0";
        stream.push_back({id, std::move(fields)});
        return id;
    }
    std::uint64_t clock = 0;

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

    //=== what Redis does ===//

    // Replies that own what they borrow.
    struct parts {
        std::deque<std::string> texts;
        std::deque<std::vector<reply>> arrays;

        reply text(std::string t) {
            texts.push_back(std::move(t));
            return {.type = reply::kind::text, .text = texts.back(), .elements = {}};
        }
        reply array(std::vector<reply> elements) {
            arrays.push_back(std::move(elements));
            return {.type = reply::kind::array, .text = {}, .elements = arrays.back()};
        }
        reply list(std::vector<entry> const& entries) {
            std::vector<reply> all;
            for (entry const& e : entries) {
                std::vector<reply> fields;
                for (auto const& word : e.fields) fields.push_back(text(word));
                all.push_back(array({text(e.id), array(std::move(fields))}));
            }
            return array(std::move(all));
        }
    };

    [[nodiscard]] static auto number(std::string const& id) { return cluster::detail::stream_id::read(id).value(); }

    // From the first id to the last one.
    [[nodiscard]] std::vector<entry> range(std::string const& first, std::string const& last, std::size_t most) const {
        std::vector<entry> found;
        for (entry const& e : stream)
            if (number(e.id) >= number(first) && (last == "+" || number(e.id) <= number(last)) && found.size() < most)
                found.push_back(e);
        return found;
    }

    // Answers an XREAD, if there is something to read.
    bool read(std::size_t n) {
        member& m = *members[n];
        if (m.reading == 0 || !m.reads) return false;
        std::vector<entry> found;
        for (entry const& e : stream)
            if (number(e.id) > number(m.read_to)) found.push_back(e);
        if (found.empty()) return false;
        parts p;
        m.node.replied(std::exchange(m.reading, 0), p.array({p.array({p.text("socket.io"), p.list(found)})}), now(n));
        return true;
    }

    // The reply to a command on keys and streams.
    reply done(words const& w, parts& p) {
        if (w[0] == "XADD") return p.text(add_entry({w.begin() + 6, w.end()}));
        if (w[0] == "XRANGE") return p.list(range(w[2], w[3], w.size() > 4 ? page : 1));
        if (w[0] == "XREVRANGE") {
            if (stream.empty()) return p.list({});
            return p.list({stream.back()});
        }
        if (w[0] == "SET") {
            keys[w[1]] = w[2];
            lifetimes[w[1]] = w[3] + " " + w[4];
            return p.text("OK");
        }
        if (w[0] == "GETDEL") {
            auto const kept = keys.extract(w[1]);
            return kept.empty() ? reply{} : p.text(kept.mapped());
        }
        if (w[0] == "DEL")
            return {.type = reply::kind::integer, .text = {}, .integer = keys.erase(w[1]) != 0 ? 1 : 0, .elements = {}};
        return {.type = reply::kind::error, .text = "ERR unknown command", .elements = {}};
    }

    // False if it is another command.
    bool run_on_data(member& m, std::uint64_t token, words const& w) {
        parts p;
        reply said;
        if (w[0] == "XREAD") {
            m.reading = token;
            m.read_to = w.back();
            return true;
        }
        if (w[0] == "XADD" && !m.error.empty()) {
            said = {.type = reply::kind::error, .text = m.error, .elements = {}};
        } else if (w[0].starts_with('X') || w[0] == "SET" || w[0] == "DEL" || w[0] == "GETDEL") {
            said = done(w, p);
        } else {
            return false;
        }
        if (m.replies) m.node.replied(token, said, m.world.now);
        return true;
    }

    //=== Pub/Sub ===//

    void run(std::size_t n, std::uint64_t token, words const& w) {
        member& m = *members[n];
        if (run_on_data(m, token, w)) return;
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
