// A whole server and whole clients, joined in memory without a network: each receives at once what the other transmits.
#pragma once

#include "drivers/counting_random.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

// The callbacks get the events; `on_message` sees frames and bodies as they pass.
class stacks {
public:
    using event = socketless::socketio::event;
    using transmit = socketless::engineio::transmit;

    struct peer {
        explicit peer(socketless::client_options options, std::uint64_t number, socketless::time_point now)
            : client(std::move(options), counting_random(number), now) {}

        socketless::client client;
        bool is_cut = false; // its transports are dead: nothing passes, and all that is opened fails
        // The client's names of channels and exchanges that are under way, and the server's.
        std::map<std::uint64_t, std::uint64_t> channels;
        std::map<std::uint64_t, std::uint64_t> exchanges;
    };

    // Servers with different numbers have different secrets.
    explicit stacks(socketless::server_options options = {}, std::uint64_t number = 1)
        : server(std::move(options), counting_random(number), now) {}

    std::function<void(event&)> on_server_event = [](event&) {};
    std::function<void(std::size_t client, event&)> on_client_event = [](std::size_t, event&) {};
    // A message of a WebSocket or a body of an exchange.
    std::function<void(std::size_t client, bool to_server, std::string_view data)> on_wire = [](std::size_t, bool,
                                                                                                std::string_view) {};

    socketless::time_point now{std::chrono::hours(1)};
    socketless::server server;
    std::deque<peer> peers;

    std::size_t add(socketless::client_options options = {}) {
        peers.emplace_back(std::move(options), 1000 + peers.size(), now);
        return peers.size() - 1;
    }
    socketless::client& client(std::size_t i) { return peers[i].client; }

    // Delivers until all sides run dry.
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            for (std::size_t i = 0; i != peers.size(); ++i) busy |= pump_client(i);
            busy |= pump_server();
        }
    }

    // Lets time pass, in steps that end where a timer is due.
    void pass(socketless::milliseconds how_long) {
        auto const until = now + how_long;
        settle();
        for (;;) {
            auto next = server.poll_timeout();
            for (peer const& p : peers) next = socketless::earlier(next, p.client.poll_timeout());
            bool const is_last = !next || *next > until;
            now = is_last ? until : std::max(now, *next);
            server.handle_timeout(now);
            for (peer& p : peers) p.client.handle_timeout(now);
            settle();
            if (is_last) return;
        }
    }

    // The connection of a client breaks; both sides learn it. Nothing passes until `mend`.
    void cut(std::size_t i) {
        peer& p = peers[i];
        p.is_cut = true;
        for (auto const& [own, servers] : std::exchange(p.channels, {})) {
            server.channel_closed(servers, now);
            drain_server();
            p.client.channel_closed(own, now);
            drain_client(i);
        }
        for (auto const& [own, servers] : std::exchange(p.exchanges, {})) {
            owners_.erase(servers);
            server.http_aborted(servers, now);
            drain_server();
            p.client.http_failed(own, now);
            drain_client(i);
        }
        settle();
    }
    void mend(std::size_t i) { peers[i].is_cut = false; }

private:
    struct owner {
        std::size_t client;
        std::uint64_t own;
    };

    bool drain_client(std::size_t i) {
        bool any = false;
        while (auto e = peers[i].client.poll_event()) {
            on_client_event(i, *e);
            any = true;
        }
        return any;
    }
    bool drain_server() {
        bool any = false;
        while (auto e = server.poll_event()) {
            on_server_event(*e);
            any = true;
        }
        return any;
    }

    bool pump_client(std::size_t i) {
        bool busy = drain_client(i);
        while (auto const t = peers[i].client.poll_transmit(client_buffer_)) {
            from_client(i, *t);
            drain_server();
            drain_client(i);
            busy = true;
        }
        return busy;
    }
    bool pump_server() {
        bool busy = drain_server();
        while (auto const t = server.poll_transmit(server_buffer_)) {
            from_server(*t);
            drain_server();
            busy = true;
        }
        return busy;
    }

    void from_client(std::size_t i, transmit const& t) {
        using enum socketless::engineio::transmit_type;
        peer& p = peers[i];
        switch (t.type) {
        case get:
        case post: {
            if (p.is_cut) return p.client.http_failed(t.id, now);
            auto const id = ++last_name_;
            owners_[id] = {i, t.id};
            p.exchanges[t.id] = id;
            body_ = t.data.data;
            if (t.type == post) on_wire(i, true, body_);
            bool const binary = t.data.kind == socketless::frame_kind::binary;
            auto const method =
                t.type == get ? socketless::engineio::http_method::get : socketless::engineio::http_method::post;
            server.http_received({id, method, t.target, binary, body_}, now);
            break;
        }
        case open_websocket: {
            if (p.is_cut || server.websocket_refusal(t.target)) return p.client.channel_closed(t.id, now);
            auto const id = ++last_name_;
            owners_[id] = {i, t.id};
            p.channels[t.id] = id;
            server.websocket_opened(id, t.target, now);
            p.client.channel_opened(t.id, now);
            break;
        }
        case send:
            on_wire(i, true, t.data.data);
            server.websocket_received(p.channels.at(t.id), t.data, now);
            break;
        case close:
            if (auto const found = p.channels.find(t.id); found != p.channels.end()) {
                server.channel_closed(found->second, now);
                owners_.erase(found->second);
                p.channels.erase(found);
            }
            break;
        case abort:
            if (auto const found = p.exchanges.find(t.id); found != p.exchanges.end()) {
                server.http_aborted(found->second, now);
                owners_.erase(found->second);
                p.exchanges.erase(found);
            }
            break;
        default: break;
        }
    }

    void from_server(transmit const& t) {
        using enum socketless::engineio::transmit_type;
        auto const found = owners_.find(t.id);
        if (found == owners_.end()) return; // it has been cut
        auto const [i, own] = found->second;
        peer& p = peers[i];
        if (t.type == respond) {
            owners_.erase(found);
            p.exchanges.erase(own);
            answer_ = t.data.data;
            on_wire(i, false, answer_);
            bool const binary = t.content == socketless::engineio::content_type::binary;
            p.client.http_response(own, t.status, binary, answer_, now);
        } else if (t.type == send) {
            on_wire(i, false, t.data.data);
            p.client.websocket_received(own, t.data, now);
        } else if (t.type == close) {
            owners_.erase(found);
            p.channels.erase(own);
            p.client.channel_closed(own, now);
        }
        drain_client(i);
    }

    std::uint64_t last_name_ = 0;
    std::map<std::uint64_t, owner> owners_; // by the server's names
    std::string client_buffer_;
    std::string server_buffer_;
    std::string body_;
    std::string answer_;
};

} // namespace support
