// Servers that act as one, joined by a bad bus, with clients that come and go. What must hold is checked at each step:
//
//   each copy of a message that the bus brings does exactly what it says, once: events reach each socket of their
//     audience, and no other; rooms change, sockets disconnect, applications hear of server-side events
//   each request is completed once, by its deadline, and no answer comes to any other
//   nodes join and leave by turns
//
// and at the end, when the bus is good again: nothing waits, and all nodes know those that are there.
#pragma once

#include "simulation/cluster_ledger.hpp"
#include "simulation/cluster_model.hpp"
#include "simulation/cluster_plan.hpp"

#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/message_node.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class cluster_network final : cluster_ledger {
public:
    cluster_network(std::uint64_t seed, cluster_figures& figures, std::string* trace)
        : cluster_ledger(seed, figures, trace) {}

    // What went wrong; empty if nothing did.
    std::string run() {
        ++figures_.schedules;
        places_.resize(plan_.nodes);
        blocked_.resize(plan_.nodes * plan_.nodes);
        for (std::size_t p = 0; p != plan_.nodes; ++p) begin_life(p);
        for (std::size_t p = 0; p != plan_.nodes; ++p) pump(places_[p]);
        // All know each other by then.
        auto const begin = time_.now + plan_.delay * 2 + milliseconds(1);
        end_ = begin + plan_.duration;
        for (std::size_t i = 0; i != plan_.actions; ++i) time_.at(begin + below(plan_.duration), [this] { act(); });
        run_until(end_);
        run_until(end_ + std::max(plan_.settling(), longest_timeout) * 2);
        if (wrong_.empty()) check_end();
        return wrong_;
    }

private:
    void run_until(socketless::time_point end) {
        while (wrong_.empty()) {
            std::size_t whose = lives_.size();
            auto next = time_.next();
            for (std::size_t const n : places_) {
                life& l = *lives_[n];
                auto const due = socketless::earlier(l.node.poll_timeout(), l.server.poll_timeout());
                if (!due) continue;
                if (*due != l.due) {
                    l.due = *due;
                    l.due_late = std::max(time_.now, *due + below(plan_.lateness));
                }
                if (next && *next <= l.due_late) continue;
                next = l.due_late;
                whose = n;
            }
            if (!next || *next > end) break;
            if (++figures_.steps, ++steps_ == 200'000) return fail("it does not end");
            time_.now = std::max(time_.now, *next);
            if (whose == lives_.size()) {
                time_.run_next();
            } else {
                pass_time(*lives_[whose]);
                lives_[whose]->due = {};
                pump(whose);
            }
        }
        time_.now = std::max(time_.now, end);
    }

    //=== nodes ===//

    void begin_life(std::size_t place) {
        socketless::server_options options;
        options.engine.ping_interval = std::chrono::hours(1);
        if (plan_.has_recovery) options.recovery.emplace();
        socketless::cluster::node_options of_node;
        of_node.max_timeout = longest_timeout;
        std::size_t const n = lives_.size();
        lives_.push_back(std::make_unique<life>(place, options, of_node, plan_, random_(), time_.now));
        lives_[n]->server.declare("/n");
        places_[place] = n;
        note(named(n) + " begins at " + std::to_string(place));
        for (std::size_t i = random_.below(4); i != 0; --i) connect(n);
    }

    // A node dies, or has been closed, and another takes its place.
    void restart(std::size_t n) {
        auto const place = lives_[n]->place;
        note(named(n) + " dies");
        for (auto& c : clients_)
            if (c.life == n) c.is_open = c.is_connected = false;
        lives_[n].reset();
        begin_life(place);
        pump(places_[place]);
    }

    //=== clients ===//

    void connect(std::size_t n) {
        life& l = *lives_[n];
        std::uint64_t const channel = ++last_channel_;
        l.channels[channel] = clients_.size();
        clients_.push_back({.life = n, .channel = channel, .nsp = cluster_namespaces[random_.one_in(3) ? 1 : 0]});
        auto& c = clients_.back();
        l.joining = clients_.size() - 1;
        l.server.websocket_opened(channel, "/socket.io/?EIO=4&transport=websocket", time_.now);
        receive(n, channel, c.nsp == "/" ? "40" : "40/n,");
        auto& connected = clients_.back();
        if (!connected.is_connected) return fail("a client was not let in");
        for (auto const room : cluster_rooms)
            if (random_.one_in(2)) {
                connected.set(room, true);
                if (!l.server.join(connected.socket, room)) fail("a socket cannot join");
            }
    }
    void cut(std::size_t i) {
        auto& c = clients_[i];
        life& l = *lives_[c.life];
        c.is_open = c.is_connected = false;
        l.channels.erase(c.channel);
        l.server.channel_closed(c.channel, time_.now);
        pump(c.life);
    }

    //=== what the applications do ===//

    void act() {
        std::size_t const n = random_.pick(places_);
        if (perhaps_fail(n)) return;
        pass_time(*lives_[n]);
        switch (random_.below(12)) {
        case 0: connect(n); break;
        case 1:
            if (auto const c = any_client(n)) cut(*c);
            break;
        case 2:
        case 3:
        case 4: emit(n, random_.one_in(4)); break;
        case 5:
        case 6: emit_with_ack(n); break;
        case 7: change(n); break;
        case 8: disconnect(n); break;
        case 9: fetch(n); break;
        case 10: emit_to_servers(n); break;
        case 11: ask_servers(n); break;
        default: break;
        }
        pump(n);
    }

    [[nodiscard]] cluster_audience draw_audience(std::size_t n) {
        cluster_audience a;
        a.nsp = cluster_namespaces[random_.one_in(3) ? 1 : 0];
        for (std::size_t i = random_.below(3); i != 0; --i) a.to.push_back(any_room());
        if (random_.one_in(3)) a.except.push_back(any_room());
        if (random_.one_in(4)) a.except_client = any_client(n);
        return a;
    }
    [[nodiscard]] socketless::cluster::audience audience_of(std::size_t n, cluster_audience const& a) {
        auto whom = lives_[n]->node.in(a.nsp);
        for (auto const& room : a.to) whom.to(room);
        for (auto const& room : a.except) whom.except(room);
        if (a.except_client) whom.except(clients_[*a.except_client].socket);
        return whom;
    }
    void emit(std::size_t n, bool is_volatile) {
        auto const whom = draw_audience(n);
        auto const number = begin_emission(n, whom);
        note(named(n) + " emits " + std::to_string(number));
        ++figures_.broadcasts;
        expect_events(n, number);
        auto const io = audience_of(n, whom);
        bool const is_binary = random_.one_in(4);
        auto const bytes = socketless::as_bytes("\x01\x02");
        auto const done = is_volatile ? io.emit_volatile("b", number)
                          : is_binary ? io.emit("b", number, bytes)
                                      : io.emit("b", number);
        if (!done) fail("emit fails");
        name_client(emissions_[number].whom, clients_);
        check_published(n, number);
    }
    [[nodiscard]] milliseconds draw_timeout() {
        return plan_.is_tight ? milliseconds(random_.between(0, 100)) : longest_timeout;
    }
    void emit_with_ack(std::size_t n) {
        auto const whom = draw_audience(n);
        auto const number = begin_emission(n, whom);
        ++figures_.broadcasts;
        emissions_[number].asked = expect_events(n, number);
        auto const timeout = draw_timeout();
        auto const id = audience_of(n, whom).emit_with_ack(timeout, "b", number);
        name_client(emissions_[number].whom, clients_);
        if (!id) return fail("emit_with_ack fails");
        note(named(n) + " asks clients " + std::to_string(*id) + " by " + std::to_string(number));
        add_request(n, *id, {cluster_request_kind::acks, time_.now + timeout, number});
        check_published(n, number);
    }
    void change(std::size_t n) {
        auto const whom = draw_audience(n);
        std::string const room(random_.pick(cluster_rooms));
        bool const joins = random_.one_in(2);
        note(named(n) + (joins ? " joins all to " : " takes all out of ") + room);
        auto const io = audience_of(n, whom);
        for_each_of(n, whom, [&](cluster_client& c) { c.set(room, joins); });
        if (!(joins ? io.join(room) : io.leave(room))) fail("change of a room fails");
        check_rooms(n);
    }
    void disconnect(std::size_t n) {
        auto whom = draw_audience(n);
        if (whom.to.empty()) whom.to.push_back(any_sid());
        note(named(n) + " disconnects");
        auto const io = audience_of(n, whom);
        for_each_of(n, whom, [&](cluster_client& c) { c.is_connected = false; });
        if (!(random_.one_in(2) ? io.disconnect() : io.disconnect_connections())) fail("disconnect fails");
        check_rooms(n);
    }
    void fetch(std::size_t n) {
        auto const whom = draw_audience(n);
        auto const timeout = draw_timeout();
        auto const own = sids_of(n, whom);
        auto const sent = lives_[n]->node.counts().sent;
        auto const id = audience_of(n, whom).fetch_sockets(timeout);
        if (!id) return fail("fetch_sockets fails");
        note(named(n) + " fetches sockets " + std::to_string(*id));
        auto& r = add_request(n, *id, {cluster_request_kind::sockets, time_.now + timeout, 0, whom});
        name_client(r.whom, clients_);
        r.sids[std::string(lives_[n]->node.id())].push_back(own);
        if (lives_[n]->node.counts().sent != sent) lives_[n]->fetches.push_back(*id);
    }
    void emit_to_servers(std::size_t n) {
        auto const number = begin_emission(n, {});
        note(named(n) + " tells servers " + std::to_string(number));
        if (!lives_[n]->node.server_side_emit("/n", "s", number)) fail("server_side_emit fails");
        check_published(n, number);
    }
    void ask_servers(std::size_t n) {
        auto const number = begin_emission(n, {});
        auto const timeout = draw_timeout();
        auto const id = lives_[n]->node.server_side_emit_with_ack("/", timeout, "s", number);
        if (!id) return fail("server_side_emit_with_ack fails");
        note(named(n) + " asks servers " + std::to_string(*id) + " by " + std::to_string(number));
        add_request(n, *id, {cluster_request_kind::replies, time_.now + timeout, number});
        check_published(n, number);
    }
    //=== faults ===//

    [[nodiscard]] bool happens(cluster_fault f) {
        if (!plan_.has(f) || time_.now >= end_ || !random_.one_in(plan_.fault_rate)) return false;
        ++figures_.faults[static_cast<std::size_t>(f)];
        return true;
    }
    // Whether something befalls the node instead of what it would do.
    [[nodiscard]] bool perhaps_fail(std::size_t n) {
        using enum cluster_fault;
        if (lives_[n]->is_closed && random_.one_in(3)) return restart(n), true;
        if (happens(node_dies)) return restart(n), true;
        if (happens(node_closes)) {
            note(named(n) + " closes");
            pass_time(*lives_[n]);
            lives_[n]->node.close();
            lives_[n]->is_closed = true;
            lives_[n]->sent_at_close = lives_[n]->node.counts().sent;
            pump(n); // says goodbye
            return true;
        }
        if (happens(bus_slow)) {
            lives_[n]->held_until = time_.now + below(remaining(plan_.heartbeat.timeout));
            time_.at(lives_[n]->held_until, [this, n] {
                if (lives_[n] != nullptr) pump(n);
            });
            return true;
        }
        if (happens(partition)) {
            std::size_t const link = random_.below(blocked_.size());
            auto const how_long = below(remaining(plan_.heartbeat.timeout * 2));
            blocked_[link] = std::max(blocked_[link], time_.now + how_long);
            if (random_.one_in(2)) {
                std::size_t const back = link % plan_.nodes * plan_.nodes + link / plan_.nodes;
                blocked_[back] = std::max(blocked_[back], time_.now + how_long);
            }
            return true;
        }
        return false;
    }

    // No fault outlasts what the applications do.
    [[nodiscard]] milliseconds remaining(milliseconds most) const {
        return std::min(most, std::chrono::duration_cast<milliseconds>(end_ - time_.now));
    }

    //=== the bus ===//

    void publish(std::size_t n, socketless::cluster::bus_transmit const& t) {
        ++figures_.published;
        auto const bytes = std::make_shared<std::string>(t.bytes);
        if (!read(*bytes)) return fail("a node sends what cannot be read");
        if (lives_[n]->polled > lives_[n]->sent_at_close) return fail("a node that has closed sends");
        if (auto const number = number_of(read_)) emissions_[*number].is_published = true;
        if (read_.type == message_type::fetch_sockets) {
            if (lives_[n]->fetches.empty()) return fail("sockets are fetched unasked");
            lives_[n]->requests.at(lives_[n]->fetches.front()).wire_id = read_.request_id;
            lives_[n]->fetches.erase(lives_[n]->fetches.begin());
        }
        for (std::size_t const other : places_) {
            bool const is_for = t.to.empty() || plan_.brings_to_all || lives_[other]->node.id() == t.to;
            if (is_for) send(n, other, bytes);
        }
    }
    void send(std::size_t from, std::size_t to, std::shared_ptr<std::string> const& bytes) {
        std::size_t const link = lives_[from]->place * plan_.nodes + lives_[to]->place;
        if (time_.now < blocked_[link]) return note("blocked");
        if (happens(cluster_fault::message_lost)) return note("lost");
        auto& last = last_due_[{from, to}];
        for (int copies = happens(cluster_fault::message_doubled) ? 2 : 1; copies != 0; --copies) {
            auto due = time_.now + below(plan_.delay);
            if (!happens(cluster_fault::message_overtakes)) last = due = std::max(due, last);
            bool const is_cut = happens(cluster_fault::message_cut);
            time_.at(due, [this, to, bytes, is_cut] { is_cut ? bring_part(to, *bytes) : bring(to, *bytes); });
        }
    }
    void bring(std::size_t n, std::string const& bytes) {
        if (lives_[n] == nullptr) return;
        ++figures_.brought;
        if (!read(bytes)) return fail("a message of a node cannot be read");
        life& l = *lives_[n];
        if (!l.is_closed && read_.uid != l.node.id()) expect(n);
        l.server.handle_timeout(time_.now);
        l.node.received(bytes, time_.now);
        pump(n);
        if (changes_rooms(read_.type)) check_rooms(n);
    }
    void bring_part(std::size_t n, std::string const& bytes) {
        if (lives_[n] == nullptr) return;
        auto const ignored = lives_[n]->node.counts().ignored;
        lives_[n]->node.received(std::string_view(bytes).substr(0, random_.below(bytes.size())), time_.now);
        pump(n);
        if (lives_[n]->node.counts().ignored != ignored + 1) fail("a part of a message is not ignored");
    }
    [[nodiscard]] bool read(std::string const& bytes) {
        return socketless::cluster::detail::decode(bytes, read_, {}, 1'000);
    }

    void pump(std::size_t n) override {
        life& l = *lives_[n];
        for (bool is_busy = true; is_busy && wrong_.empty();) {
            is_busy = false;
            while (auto e = l.server.poll_event()) take(n, *e), is_busy = true;
            while (auto const t = l.server.poll_transmit(buffer_)) take(n, *t), is_busy = true;
            while (auto e = l.node.poll_event()) take(n, *e), is_busy = true;
            if (time_.now < l.held_until) continue;
            while (auto const t = l.node.poll_transmit()) ++l.polled, publish(n, *t), is_busy = true;
        }
        check_arrivals(n);
    }

    std::size_t steps_ = 0;
    socketless::time_point end_; // of what is drawn
    std::uint64_t last_channel_ = 0;
    std::vector<socketless::time_point> blocked_;                                    // links, until then
    std::map<std::pair<std::size_t, std::size_t>, socketless::time_point> last_due_; // by lives
    std::string buffer_;
};

} // namespace support
