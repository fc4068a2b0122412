// Servers that act as one, joined by a bad bus, with clients that come and go. What must hold is checked at each step:
//
//   each copy of a message that the bus brings does exactly what it says, once: events reach each socket of their
//     audience, and no other; rooms change, sockets disconnect, applications hear of server-side events
//   each request is completed once, by its deadline, and no answer comes to any other
//   nodes join and leave by turns
//
// and at the end, when the bus is good again: nothing waits, and all nodes know those that are there.
#pragma once

#include "drivers/counting_random.hpp"
#include "simulation/cluster_model.hpp"
#include "simulation/cluster_plan.hpp"
#include "simulation/cluster_timeline.hpp"
#include "tools/random.hpp"

#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/message_node.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class cluster_network {
public:
    cluster_network(std::uint64_t seed, cluster_figures& figures, std::string* trace)
        : random_(seed), plan_(draw_cluster_plan(random_)), figures_(figures), trace_(trace) {
        time_.now = socketless::time_point(std::chrono::hours(1));
    }

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
    using message = socketless::cluster::detail::message;
    using message_type = socketless::cluster::detail::message_type;
    static constexpr milliseconds longest_timeout{2'000};

    // A server and its node, from its start to its end.
    struct life {
        life(std::size_t at, socketless::server_options const& options,
             socketless::cluster::node_options const& of_node, cluster_plan const& plan, std::uint64_t number,
             socketless::time_point now)
            : place(at), server(options, counting_random(number), now),
              node(server, of_node, plan.heartbeat, counting_random(number + 1'000'000), now) {}

        std::size_t place;
        socketless::server server;
        socketless::cluster::message_node node;
        bool is_closed = false;
        std::map<std::uint64_t, std::size_t> channels{}; // the clients
        std::optional<std::size_t> joining{};
        std::map<std::string, bool, std::less<>> known{}; // nodes that have joined, and whether they are there
        std::map<std::uint64_t, cluster_request> requests{};
        std::vector<socketless::time_point> asks{}; // of others, for acknowledgements: when they end at the latest
        std::vector<std::uint64_t> fetches{};       // requests for sockets that have yet to be published
        socketless::time_point held_until{};        // its messages are not fetched before
        std::uint64_t sent_at_close = ~std::uint64_t{0};
        std::uint64_t polled = 0;          // messages
        socketless::time_point due{};      // of its timer
        socketless::time_point due_late{}; // when that is called
    };

    //=== time ===//

    [[nodiscard]] milliseconds below(milliseconds most) {
        return milliseconds(static_cast<std::int64_t>(random_.below(static_cast<std::size_t>(most.count()) + 1)));
    }

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

    void pass_time(life& l) {
        l.server.handle_timeout(time_.now);
        l.node.handle_timeout(time_.now);
    }

    void fail(std::string what) {
        note(what);
        if (wrong_.empty()) wrong_ = std::move(what);
    }
    void note(std::string_view what) {
        if (trace_ == nullptr) return;
        auto const ms = std::chrono::duration_cast<milliseconds>(time_.now.time_since_epoch()).count() - 3'600'000;
        trace_->append(std::to_string(ms)).append(" ").append(what).append("\n");
    }
    [[nodiscard]] static std::string named(std::size_t n) { return "node " + std::to_string(n); }

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
    void receive(std::size_t n, std::uint64_t channel, std::string text) {
        lives_[n]->server.websocket_received(channel, {socketless::frame_kind::text, text}, time_.now);
        pump(n);
    }
    void cut(std::size_t i) {
        auto& c = clients_[i];
        life& l = *lives_[c.life];
        c.is_open = c.is_connected = false;
        l.channels.erase(c.channel);
        l.server.channel_closed(c.channel, time_.now);
        pump(c.life);
    }

    // A client of the node that is connected, if there is one.
    [[nodiscard]] std::optional<std::size_t> any_client(std::size_t n) {
        std::vector<std::size_t> own;
        for (std::size_t i = 0; i != clients_.size(); ++i)
            if (clients_[i].life == n && clients_[i].is_connected) own.push_back(i);
        return own.empty() ? std::nullopt : std::optional(random_.pick(own));
    }
    // The id of a socket of any node.
    [[nodiscard]] std::string any_sid() {
        return clients_.empty() ? std::string("nobody") : clients_[random_.below(clients_.size())].sid;
    }
    [[nodiscard]] std::string any_room() {
        return random_.one_in(4) ? any_sid() : std::string(random_.pick(cluster_rooms));
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
    // The handle means nothing to others, the id does.
    static void name_client(cluster_audience& a, std::vector<cluster_client> const& clients) {
        if (a.except_client) a.except.push_back(clients[*a.except_client].sid);
        a.except_client.reset();
    }

    // The number of a new event; it reaches this node's own sockets at once.
    std::uint64_t begin_emission(std::size_t n, cluster_audience const& whom) {
        emissions_.push_back({.sender = n, .whom = whom});
        return emissions_.size() - 1;
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
        expect_events(n, number);
        emissions_[number].asked = expected_.size();
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

    //=== what must come of a message ===//

    [[nodiscard]] static bool changes_rooms(message_type type) {
        return type == message_type::sockets_join || type == message_type::sockets_leave ||
               type == message_type::disconnect_sockets;
    }
    // The number in an event, of clients or servers.
    [[nodiscard]] static std::optional<std::uint64_t> number_of(message const& m) {
        if (m.type != message_type::broadcast && m.type != message_type::server_side_emit) return std::nullopt;
        return number_in(m.payload());
    }
    [[nodiscard]] static std::uint64_t number_in(socketless::json::text array) {
        auto second = array.elements().begin();
        return (*++second).get<std::uint64_t>().value_or(0);
    }

    template <class F>
    void for_each_of(std::size_t n, cluster_audience const& whom, F f) {
        for (std::size_t i = 0; i != clients_.size(); ++i)
            if (clients_[i].life == n && whom.has(clients_[i], i)) f(clients_[i]);
    }
    [[nodiscard]] std::vector<std::string> sids_of(std::size_t n, cluster_audience const& whom) {
        std::vector<std::string> sids;
        for_each_of(n, whom, [&](cluster_client& c) { sids.push_back(c.sid); });
        std::ranges::sort(sids);
        return sids;
    }
    void expect_events(std::size_t n, std::uint64_t number) {
        auto const& whom = emissions_[number].whom;
        for (std::size_t i = 0; i != clients_.size(); ++i)
            if (clients_[i].life == n && whom.has(clients_[i], i)) expected_.push_back({i, number});
    }
    void expect(std::size_t n) {
        cluster_audience const whom{read_.nsp, read_.rooms, read_.except, {}};
        switch (read_.type) {
        case message_type::broadcast:
            expect_events(n, *number_of(read_));
            if (read_.request_id.empty()) break;
            emissions_[*number_of(read_)].asked += expected_.size();
            lives_[n]->asks.push_back(time_.now + read_.timeout.value_or(longest_timeout) + plan_.lateness);
            break;
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

    // Drains a node; all that was expected has come then, and nothing else.
    void pump(std::size_t n) {
        life& l = *lives_[n];
        for (bool is_busy = true; is_busy && wrong_.empty();) {
            is_busy = false;
            while (auto e = l.server.poll_event()) take(n, *e), is_busy = true;
            while (auto const t = l.server.poll_transmit(buffer_)) take(n, *t), is_busy = true;
            while (auto e = l.node.poll_event()) take(n, *e), is_busy = true;
            if (time_.now < l.held_until) continue;
            while (auto const t = l.node.poll_transmit()) ++l.polled, publish(n, *t), is_busy = true;
        }
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

    random_source random_;
    cluster_plan plan_;
    cluster_figures& figures_;
    std::string* trace_;
    std::string wrong_;
    std::size_t steps_ = 0;
    cluster_timeline time_;
    socketless::time_point end_;

    std::vector<std::unique_ptr<life>> lives_; // null: it has ended
    std::vector<std::size_t> places_;          // the lives that are there
    std::vector<cluster_client> clients_;
    std::vector<cluster_emission> emissions_{{.sender = 0}}; // numbers begin at 1
    std::uint64_t last_channel_ = 0;

    std::vector<socketless::time_point> blocked_;                                    // links, until then
    std::map<std::pair<std::size_t, std::size_t>, socketless::time_point> last_due_; // by lives
    message read_;
    std::string buffer_;

    // Until the next pump has run dry.
    std::vector<std::pair<std::size_t, std::uint64_t>> expected_;
    std::vector<std::pair<std::size_t, std::uint64_t>> got_;
    std::vector<std::uint64_t> expected_from_servers_;
    std::vector<std::uint64_t> got_from_servers_;
};

} // namespace support
