// What must come of what servers that act as one do, and whether it came: events at clients and servers, rooms and
// answers.
#pragma once

#include "simulation/cluster_model.hpp"
#include "simulation/cluster_scene.hpp"

#include <socketless/cluster/event.hpp>
#include <socketless/cluster/message_node.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace support {

class cluster_ledger : protected cluster_scene {
protected:
    using cluster_scene::cluster_scene;
    ~cluster_ledger() = default;

    //=== what is asked ===//

    // The number of a new event; it reaches this node's own sockets at once.
    std::uint64_t begin_emission(std::size_t n, cluster_audience const& whom) {
        emissions_.push_back({.sender = n, .whom = whom});
        return emissions_.size() - 1;
    }
    cluster_request& add_request(std::size_t n, std::uint64_t id, cluster_request r) {
        auto const added = lives_[n]->requests.emplace(id, std::move(r));
        if (!added.second) fail("an id of a request is used again");
        return added.first->second;
    }

    // With all others there, what is emitted goes to them.
    void check_published(std::size_t n, std::uint64_t number) {
        pump(n);
        if (plan_.is_calm && plan_.nodes > 1 && !emissions_[number].is_published) fail("an event is not published");
    }

    //=== what must come of a message ===//

    [[nodiscard]] static bool changes_rooms(message_type type) {
        return type == message_type::sockets_join || type == message_type::sockets_leave ||
               type == message_type::disconnect_sockets;
    }
    // Returns how many clients are to get it.
    std::size_t expect_events(std::size_t n, std::uint64_t number) {
        auto const& whom = emissions_[number].whom;
        for (std::size_t i = 0; i != clients_.size(); ++i)
            if (clients_[i].life == n && whom.has(clients_[i], i)) expected_.push_back({i, number});
        return expected_.size();
    }
    void expect(std::size_t n) {
        cluster_audience const whom{read_.nsp, read_.rooms, read_.except, {}};
        switch (read_.type) {
        case message_type::broadcast: {
            auto const number = *number_of(read_);
            auto const asked = expect_events(n, number);
            if (read_.request_id.empty()) break;
            emissions_[number].asked += asked;
            lives_[n]->asks.push_back(time_.now + read_.timeout.value_or(longest_timeout) + plan_.lateness);
            break;
        }
        case message_type::server_side_emit: expected_from_servers_.push_back(*number_of(read_)); break;
        case message_type::sockets_join:
        case message_type::sockets_leave:
            ++figures_.changes;
            for_each_of(n, whom, [&](cluster_client& c) {
                for (auto const& room : read_.others) c.set(room, read_.type == message_type::sockets_join);
            });
            break;
        case message_type::disconnect_sockets:
            ++figures_.changes;
            for_each_of(n, whom, [](cluster_client& c) { c.is_connected = false; });
            break;
        case message_type::fetch_sockets:
            for (auto const& asker : lives_) {
                if (asker == nullptr || asker->node.id() != read_.uid) continue;
                for (auto& [id, r] : asker->requests)
                    if (r.wire_id == read_.request_id)
                        r.sids[std::string(lives_[n]->node.id())].push_back(sids_of(n, r.whom));
            }
            break;
        default: break;
        }
    }
    void check_rooms(std::size_t n) {
        pump(n);
        for (auto const& c : clients_) {
            if (c.life != n) continue;
            if (lives_[n]->server.is_connected(c.socket) != c.is_connected) return fail("a socket is there or not");
            if (!c.is_connected) continue;
            for (auto const room : cluster_rooms)
                if (lives_[n]->server.is_in(c.socket, room) != c.is_in(room)) return fail("a socket is in other rooms");
        }
    }

    //=== what came of it ===//

    // All that was expected has come, and nothing else.
    void check_arrivals(std::size_t n) {
        life& l = *lives_[n];
        std::ranges::sort(expected_);
        std::ranges::sort(got_);
        if (expected_ != got_) fail(named(n) + ": clients get other events: " + list(got_) + "not" + list(expected_));
        if (expected_from_servers_ != got_from_servers_) fail(named(n) + ": other server-side events");
        figures_.events += got_.size();
        figures_.server_side_events += got_from_servers_.size();
        expected_.clear();
        got_.clear();
        expected_from_servers_.clear();
        got_from_servers_.clear();
        bool const is_held = time_.now < l.held_until;
        if (is_held ? l.polled > l.node.counts().sent : l.polled != l.node.counts().sent)
            fail("messages are counted otherwise than polled");
        check_request_count(l);
        if (l.node.counts().dropped != 0) fail("messages are dropped");
        auto const there = std::ranges::count_if(l.known, [](auto const& known) { return known.second; });
        if (l.node.node_count() != static_cast<std::size_t>(there)) fail("another number of nodes than was told");
    }
    // What waits is what was asked for, and not yet over.
    void check_request_count(life& l) {
        std::erase_if(l.asks, [&](auto const due) { return due < time_.now; });
        auto const own = std::ranges::count_if(l.requests, [](auto const& r) { return !r.second.is_complete; });
        auto const count = l.node.request_count();
        if (count < static_cast<std::size_t>(own) || count > static_cast<std::size_t>(own) + l.asks.size())
            fail("another number of requests waits");
    }
    [[nodiscard]] static std::string list(std::vector<std::pair<std::size_t, std::uint64_t>> const& events) {
        std::string s = " ";
        for (auto const& [client, number] : events)
            s += std::to_string(number) + " to " + std::to_string(client) + ", ";
        return s;
    }

    void take(std::size_t n, socketless::socketio::event& e) {
        life& l = *lives_[n];
        if (l.node.handle(e)) return;
        using enum socketless::socketio::event_type;
        if (e.type == ack || e.type == acks_complete) return fail("the application gets the node's acknowledgements");
        if (e.type == connected) {
            auto& c = clients_[*std::exchange(l.joining, std::nullopt)];
            c.is_connected = true;
            c.socket = e.socket;
            c.sid = l.server.sid(e.socket);
        }
        if (e.type == disconnected)
            for (auto const& c : clients_)
                if (c.life == n && c.socket == e.socket && c.is_connected) fail("a socket is lost");
    }

    void take(std::size_t n, socketless::engineio::transmit const& t) {
        auto const at = lives_[n]->channels.find(t.id);
        if (at == lives_[n]->channels.end()) return;
        std::size_t const i = at->second;
        if (t.type == socketless::engineio::transmit_type::close) {
            clients_[i].is_open = false;
            lives_[n]->channels.erase(at);
        }
        bool const is_packet = t.type == socketless::engineio::transmit_type::send &&
                               t.data.kind == socketless::frame_kind::text && t.data.data.starts_with('4');
        if (!is_packet) return;
        auto const p = socketless::socketio::decode(t.data.data.substr(1));
        if (!p) return fail("a client gets what it cannot read");
        using enum socketless::socketio::packet_type;
        if (p->type != event && p->type != binary_event) return;
        std::uint64_t const number = number_in(p->data);
        got_.push_back({i, number});
        if (p->id) perhaps_answer(i, *p->id, number);
        if (!plan_.is_calm) return;
        auto& last = clients_[i].last[emissions_[number].sender];
        if (number <= last) fail("the order of a sender is not kept");
        last = number;
    }
    void perhaps_answer(std::size_t i, std::uint64_t ack_id, std::uint64_t number) {
        if (random_.one_in(6)) return;
        time_.after(milliseconds(random_.between(0, 50)), [this, i, ack_id, number] {
            auto const& c = clients_[i];
            if (!c.is_open || !c.is_connected) return;
            pass_time(*lives_[c.life]);
            pump(c.life);
            ++emissions_[number].answered;
            receive(c.life, c.channel, (c.nsp == "/" ? "43" : "43/n,") + std::to_string(ack_id) + "[7]");
        });
    }

    void take(std::size_t n, socketless::cluster::event& e) {
        life& l = *lives_[n];
        using enum socketless::cluster::event_type;
        switch (e.type) {
        case node_joined:
        case node_left: {
            bool const is_there = e.type == node_joined;
            auto const known = l.known.emplace(e.node, false).first;
            if (known->second == is_there) fail("a node joins or leaves twice");
            known->second = is_there;
            ++(is_there ? figures_.joined : figures_.left);
            if (!is_there && plan_.is_calm) fail("a node is lost");
            return;
        }
        case server_side_event: {
            auto const number = number_in(e.packet.packet.data);
            got_from_servers_.push_back(number);
            if (e.reply) perhaps_reply(n, std::move(e.reply), number);
            return;
        }
        default: break;
        }
        auto const found = l.requests.find(e.id);
        if (found == l.requests.end()) return fail("an event of an unknown request");
        auto& r = found->second;
        if (r.is_complete) return fail("an event of a request that is complete");
        if (e.type == complete) return take_complete(r, e);
        using kind = cluster_request_kind;
        bool const fits = r.kind == kind::acks      ? e.type == ack
                          : r.kind == kind::replies ? e.type == reply
                                                    : e.type == sockets;
        if (!fits) return fail("an answer of another kind");
        ++figures_.answers;
        if (r.kind != kind::sockets) {
            if (e.answer.get<int>() != 7) fail("another answer than was given");
            ++r.answers;
            return;
        }
        if (e.node != l.node.id()) ++r.answers;
        std::vector<std::string> sids;
        for (auto const socket : e.sockets) sids.push_back(socket.sid());
        std::ranges::sort(sids);
        auto const may = r.sids.find(e.node);
        if (may == r.sids.end() || std::ranges::find(may->second, sids) == may->second.end())
            fail("other sockets than there were");
    }

    void take_complete(cluster_request& r, socketless::cluster::event const& e) {
        r.is_complete = true;
        ++(e.is_whole ? figures_.whole : figures_.partial);
        if (time_.now > r.deadline + plan_.lateness) fail("a request is complete too late");
        if (e.answers != r.answers) fail("other answers are counted than were told");
        if (e.answers > e.expected) fail("more answers than were expected");
        if (!plan_.is_calm || plan_.is_tight) return;
        auto const& emission = emissions_[r.emission];
        switch (r.kind) {
        case cluster_request_kind::acks:
            if (e.expected != emission.asked) fail("others are expected to acknowledge than were asked");
            if (e.answers != emission.answered) fail("an acknowledgement is lost");
            if (e.answers == e.expected && !e.is_whole) fail("all have acknowledged, but the request is not whole");
            break;
        case cluster_request_kind::replies:
            if (e.expected != plan_.nodes - 1) fail("another number of nodes is asked");
            if (e.answers != emission.answered) fail("a reply is lost");
            break;
        case cluster_request_kind::sockets:
            if (e.answers != plan_.nodes - 1 || !e.is_whole) fail("not all nodes say which sockets they have");
            break;
        }
    }

    void perhaps_reply(std::size_t n, socketless::cluster::reply_request request, std::uint64_t number) {
        if (random_.one_in(6)) return;
        auto const kept = std::make_shared<socketless::cluster::reply_request>(std::move(request));
        time_.after(milliseconds(random_.between(0, 50)), [this, n, kept, number] {
            if (lives_[n] == nullptr) return;
            pass_time(*lives_[n]);
            pump(n);
            ++emissions_[number].answered;
            if (!lives_[n]->node.reply(*kept, 7)) fail("reply fails");
            if (*kept || lives_[n]->node.reply(*kept, 8)) fail("a reply is given twice");
            pump(n);
        });
    }

    //=== the end ===//

    void check_end() {
        auto const open = [this](std::size_t n) { return !lives_[n]->is_closed; };
        auto const there = static_cast<std::size_t>(std::ranges::count_if(places_, open));
        for (std::size_t const n : places_) {
            life const& l = *lives_[n];
            for (auto const& [id, r] : l.requests)
                if (!r.is_complete) fail("a request is never complete");
            if (l.node.request_count() != 0) fail("a request waits for ever");
            if (l.node.node_count() != (l.is_closed ? 0 : there - 1)) fail("a node does not know who is there");
        }
    }

private:
    // Until the next pump has run dry.
    std::vector<std::pair<std::size_t, std::uint64_t>> expected_;
    std::vector<std::pair<std::size_t, std::uint64_t>> got_;
    std::vector<std::uint64_t> expected_from_servers_;
    std::vector<std::uint64_t> got_from_servers_;
};

} // namespace support
