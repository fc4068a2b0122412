// Clients and a server on the tiny network, as their I/O and their applications see them: drained after each input,
// told to the ledger, their wires read.
#pragma once

#include "simulation/ends.hpp"
#include "simulation/stack_application.hpp"
#include "simulation/stack_clients.hpp"
#include "simulation/stack_scene.hpp"
#include "simulation/stack_wire.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

template <class Wires>
class stack_peers final : private sides {
public:
    stack_peers(stack_scene<Wires>& scene, stack_clients<Wires>& clients, stack_application<Wires>& application)
        : scene_(scene), sim_(scene.sim), wires_(scene.wires), model_(scene.model), acks_(scene.acks),
          clients_(clients), application_(application), wire_(model_, scene.figures) {
        wires_.attach(*this);
    }
    stack_peers(stack_peers const&) = delete;
    stack_peers& operator=(stack_peers const&) = delete;

private:
    using state = joining::state;

    //=== the clients ===//

    void pump_client(std::size_t i) override {
        auto& c = wires_.clients[i].session;
        wires_.drain_client(
            i,
            [this, i](socketio::event& e) {
                clients_.check_idle(i);
                client_event(i, e);
            },
            [this, i](engineio::transmit const& t) {
                clients_.check_idle(i);
                client_transmit(i, t);
            });
        clients_.check_idle(i);
        sim_.ledger.expect(c.queued() <= c.options().max_queued, "a client queues more than it may");
        sim_.ledger.expect(c.buffered() <= c.options().max_buffered, "a client buffers more than it may");
        sim_.ledger.expect(!c.is_open() || clients_.users[i].is_open, "a client is open that was not said to be");
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp) {
            client_socket const& s = model_.socket(i, nsp);
            if (s.handle)
                sim_.ledger.expect(c.is_connected(*s.handle) == s.at.has_value(), "a socket is connected, or not");
        }
        if (c.is_idle()) wires_.check_nothing_left(i);
        wires_.set_client_timer(i);
    }

    void client_timed_out(std::size_t i) override { acks_.check_client_deadlines(i, sim_.now); }

    void client_event(std::size_t i, socketio::event& e) {
        sim_.note("client ", i, ": ", event_names[static_cast<std::size_t>(e.type)], " ", e.nsp, " ",
                  e.packet.packet.data.raw(), has_reason(e.type) ? name(e.reason) : std::string_view());
        switch (e.type) {
        case socketio::event_type::opened: return opened(i, e);
        case socketio::event_type::open_failed:
        case socketio::event_type::closed: return closed(i, e);
        case socketio::event_type::upgraded: ++scene_.figures.upgraded; return;
        case socketio::event_type::reconnecting:
            ++scene_.figures.reconnecting;
            sim_.ledger.expect(e.attempt == clients_.users[i].attempts.value_or(e.attempt),
                               "attempts to connect again are not counted");
            return;
        case socketio::event_type::reconnect_failed:
            ++scene_.figures.reconnect_failed;
            sim_.ledger.expect(clients_.users[i].has_given_up,
                               "a client gives up before it has tried as often as it may");
            return;
        case socketio::event_type::acks_complete: return sim_.ledger.fail("a client is told of a broadcast");
        default: return socket_event(i, e);
        }
    }

    void socket_event(std::size_t i, socketio::event& e) {
        std::size_t const nsp = namespace_of(e.nsp);
        if (nsp == namespace_count) return sim_.ledger.fail("an event of an unknown namespace");
        client_socket& s = model_.socket(i, nsp);
        if (!s.handle || e.socket != *s.handle) return sim_.ledger.fail("an event of an unknown socket");
        using enum socketio::event_type;
        if (e.type == ack) return acks_.ended_at_client(i, e, sim_.now);
        if (!clients_.users[i].is_open || !wires_.clients[i].attempt)
            return sim_.ledger.fail("an event of a connection that is not open");
        if (e.type == connecting) {
            sim_.ledger.expect(s.wanted && !s.at && !s.is_asked, "auth is asked for at a wrong time");
            s.is_asked = true;
            clients_.authenticate(i, nsp);
        } else if (e.type == connected) {
            bool const is_v3 = wires_.clients[i].session.options().revision == engineio::revision::v3;
            bool const is_late = is_v3 && nsp == root_nsp && !clients_.users[i].wanted_root;
            model_.connected_at_client(i, *wires_.clients[i].attempt, e, is_late);
            if (sim_.random.one_in(3)) clients_.emit(i, nsp);
        } else if (e.type == connect_error) {
            refused(i, nsp, e);
        } else if (e.type == event) {
            auto const number = model_.event_at_client(i, e);
            if (number && e.ack) clients_.answer(i, {std::move(e.ack), *number, *s.at});
            if (sim_.random.one_in(20)) clients_.emit(i, nsp);
            if (sim_.random.one_in(100)) clients_.leave(i, nsp);
        } else if (e.type == disconnected) {
            model_.disconnected_at_client(i, *wires_.clients[i].attempt, e);
            acks_.disconnected_at_client(i, nsp);
            clients_.users[i].may_be_idle = true;
            if (sim_.random.one_in(3) && !s.wanted && !scene_.is_ending) clients_.join(i, nsp);
        }
    }

    void refused(std::size_t i, std::size_t nsp, socketio::event const& e) {
        client_socket& s = model_.socket(i, nsp);
        sim_.ledger.expect(s.wanted && !s.at && !s.is_asked, "a socket is refused that is not to be connected");
        s.wanted = false;
        clients_.users[i].may_be_idle = true;
        auto const why = e.message.get<std::string>().value_or("");
        if (why == "Too many namespaces") {
            ++scene_.figures.too_many_namespaces;
            return sim_.ledger.expect(wires_.server.options().sockets.max_sockets < 10,
                                      "there are not too many namespaces");
        }
        if (why == "Invalid namespace") {
            ++scene_.figures.unknown;
            return sim_.ledger.expect(nsp == unknown_nsp, "a namespace is unknown that is known");
        }
        auto const& all = model_.link_of(*wires_.clients[i].attempt).joinings[nsp];
        if (all.empty() || model_.joinings()[all.back()].at != state::refused)
            return sim_.ledger.fail("a socket is refused by nobody");
        sim_.ledger.expect(why == "not you: " + std::to_string(all.back()), "another reason is given for a refusal");
        if (auto const n = e.data.find("joining"))
            sim_.ledger.expect(n->get<std::uint64_t>().value_or(0) == all.back(), "the data of a refusal");
        if (sim_.random.one_in(3) && !scene_.is_ending) clients_.join(i, nsp);
    }

    void opened(std::size_t i, socketio::event const& e) {
        ++scene_.figures.opened;
        if (e.attempt != 0) ++scene_.figures.reconnected;
        sim_.ledger.expect(e.attempt == clients_.users[i].attempts.value_or(e.attempt),
                           "attempts to connect again are not counted");
        clients_.users[i].attempts = 0;
        clients_.users[i].wanted_root = model_.socket(i, root_nsp).wanted && !model_.socket(i, root_nsp).asks_for_auth;
        sim_.ledger.expect(!std::exchange(clients_.users[i].is_open, true), "a client is opened twice");
        auto const& c = wires_.clients[i].session;
        ++sim_.figures.opened_over[static_cast<std::size_t>(c.transport())];
        ++sim_.figures.opened_with[c.options().revision == engineio::revision::v4];
    }

    void closed(std::size_t i, socketio::event const& e) {
        auto& u = clients_.users[i];
        bool const was_open = std::exchange(u.is_open, false);
        sim_.ledger.expect(was_open || e.type == socketio::event_type::open_failed || !u.wants_connection,
                           "a connection is closed that was not open");
        if (!was_open) ++scene_.figures.open_failed;
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp) {
            sim_.ledger.expect(!model_.socket(i, nsp).at, "a socket outlives its connection");
            model_.socket(i, nsp).is_asked = false;
        }
        bool was_left = false;
        if (auto const a = std::exchange(wires_.clients[i].attempt, std::nullopt)) {
            was_left = sim_.ledger.at(*a).close_asked;
            sim_.ledger.expect(fits_client(*a, was_open), "a connection ends though nothing was wrong");
            sim_.ledger.at(*a).closed = true;
        }
        count_attempt(i, was_left);
        if (!scene_.is_ending && sim_.random.one_in(4)) scene_.later([this, i] { clients_.start(i); });
    }

    // A connection is lost: the client opens another, unless it has tried too often. If the client left it, it may have
    // been lost before.
    void count_attempt(std::size_t i, bool was_left) {
        auto& u = clients_.users[i];
        auto const& c = wires_.clients[i].session;
        bool const may_try = u.attempts.value_or(0) < c.options().reconnection_attempts.value_or(0xffffffff);
        bool const tries = c.options().reconnection && may_try && u.wants_connection;
        bool const is_known = !was_left && u.attempts;
        sim_.ledger.expect(!is_known || c.is_idle() == !tries, "a client tries to connect again, or not");
        u.has_given_up = c.is_idle();
        if (u.attempts) *u.attempts = tries ? *u.attempts + 1 : 0;
        if (!is_known) u.attempts.reset();
    }

    [[nodiscard]] bool fits_client(std::size_t a, bool was_open) {
        attempt const& t = sim_.ledger.at(a);
        link const& l = model_.link_of(a);
        if (t.faulty || t.close_asked || l.server_ended || application_.is_shut_down || (!t.may_open && !was_open))
            return true;
        if (wires_.server.options().sockets.max_sockets < namespace_count) return true; // see check_reason
        return sim_.now - t.begun >= wires_.server.options().sockets.connect_timeout && !was_joined(l);
    }

    // Whether any socket of a connection was ever connected.
    [[nodiscard]] bool was_joined(link const& l) {
        return std::any_of(l.joinings.begin(), l.joinings.end(), [this](auto const& all) {
            return std::any_of(all.begin(), all.end(), [this](auto n) { return model_.joinings()[n].was_accepted(); });
        });
    }

    void client_transmit(std::size_t i, engineio::transmit const& t) {
        using enum engineio::transmit_type;
        bool const begins = t.type == get || t.type == open_websocket || t.type == open_stream;
        if (begins && !clients_.users[i].is_open) begin_attempt(i);
        bool const is_end = t.type == abort || t.type == close;
        auto const& attempt = wires_.clients[i].attempt;
        if (!is_end && !attempt) return sim_.ledger.fail("a client sends something while it is not open");
        auto const on_packet = [&](socketio::message const& m) {
            wire_.up(i, *attempt, wires_.clients[i].session.options().retries, m);
        };
        if (t.type == post) check_wire(model_.link_of(*attempt).up.body(t.data, on_packet));
        if (auto const ch = wires_.channel_of_client(i, t.id); ch && t.type == send)
            check_wire(watch(model_.link_of(ch->attempt).up, ch->is_stream, t.data, on_packet));
        wires_.carry_from_client(i, t);
    }

    void begin_attempt(std::size_t i) {
        // The client tries another transport.
        bool was_faulty = false;
        if (wires_.clients[i].attempt) {
            sim_.ledger.at(*wires_.clients[i].attempt).closed = true;
            was_faulty = sim_.ledger.at(*wires_.clients[i].attempt).faulty;
        }
        ++sim_.figures.attempts;
        auto const a = sim_.ledger.begin_attempt(i, was_faulty || wires_.server_peer.frozen || scene_.is_uncertain);
        wires_.clients[i].attempt = a;
        sim_.ledger.at(a).may_open = sim_.plan.may_open(sim_.plan.clients[i]);
        sim_.ledger.at(a).begun = sim_.now;
        sim_.ledger.at(a).close_asked = !clients_.users[i].wants_connection;
        model_.begin_link(sim_.plan.clients[i].revision, wires_.server.options().sockets.parser);
    }

    template <class F>
    static bool watch(wire_watch& w, bool is_stream, socketless::frame f, F on_packet) {
        return is_stream ? w.stream(f.data, on_packet) : w.frame(f, on_packet);
    }
    void check_wire(bool good) { sim_.ledger.expect(good, "what is sent cannot be read"); }

    std::string_view garbage() override { return sim_.random.one_in(2) ? "9" : "4garbage"; }

    //=== the server ===//

    void pump_server() override {
        wires_.drain_server(
            [this](socketio::event& e) {
                scene_.is_in_event = true;
                server_event(e);
                scene_.is_in_event = false;
            },
            [this](engineio::transmit const& t) { server_transmit(t); });
        check_server();
        wires_.set_server_timer();
    }

    void server_timed_out() override {
        acks_.check_server_deadlines(sim_.now - milliseconds(1)); // the resolution of its timers
    }

    void server_event(socketio::event& e) {
        using enum socketio::event_type;
        sim_.note("server: ", event_names[static_cast<std::size_t>(e.type)], " ", e.nsp, " ", e.sid, " ",
                  e.packet.packet.data.raw(), has_reason(e.type) ? name(e.reason) : std::string_view());
        auto n = model_.joining_of(e.socket);
        if (e.type == acks_complete) return acks_.completed_at_server(e);
        if (e.type == ack) {
            acks_.ended_at_server(n, e, sim_.now);
            // The socket ends: nothing is sent to it any more.
            if (n && e.outcome == socketio::ack_outcome::disconnected) model_.joinings()[*n].is_lost = true;
            if (n && sim_.random.one_in(20)) application_.broadcast();
            return;
        }
        if (e.type == connecting || (e.type == connected && !n)) {
            joining& j = model_.begin_joining(wires_.origin(), e);
            bool const skips = e.type == connected && e.recovered; // the application decided before
            sim_.ledger.expect(is_asked_for(j.nsp) == (e.type == connecting) || skips,
                               "the server asks the application, or does not, against the rule");
            n = model_.joining_of(e.socket);
            if (e.type == connecting) return application_.decide(*n);
            model_.accepted(j, wires_.server.sid(e.socket), sim_.now);
        }
        if (!n) return sim_.ledger.fail("an event of a socket that is not there");
        joining& j = model_.joinings()[*n];
        if (e.type == connected) {
            bool const same = e.recovered == j.is_recovered && e.sid == j.sid && namespace_of(e.nsp) == j.nsp;
            sim_.ledger.expect(same && j.was_accepted(), "a socket is connected in another way");
            if (sim_.random.one_in(3)) application_.change_rooms(*n);
            if (sim_.random.one_in(3)) application_.emit(*n);
        } else if (e.type == event) {
            auto const number = model_.event_at_server(*n, e);
            if (number && e.ack) application_.answer({std::move(e.ack), *number, *n});
            if (sim_.random.one_in(20)) application_.emit(*n);
            if (sim_.random.one_in(30)) application_.broadcast();
            if (sim_.random.one_in(100)) application_.disconnect(*n);
        } else if (e.type == disconnected) {
            check_socket(j);
            model_.disconnected_at_server(*n, e, sim_.now);
            acks_.disconnected_at_server(*n);
            check_reason(j, e.reason);
            if (sim_.random.one_in(10)) application_.broadcast();
        }
    }

    void check_reason(joining const& j, disconnect_reason reason) {
        attempt const& t = sim_.ledger.at(j.attempt);
        link const& l = model_.link_of(j.attempt);
        using enum disconnect_reason;
        if (reason == server_shutting_down)
            return sim_.ledger.expect(application_.is_shut_down, "a socket ends as if the server shut down");
        // If few sockets are allowed, messages of a client to a socket that the server has disconnected may close its
        // connection.
        if (reason == forced_server_close && wires_.server.options().sockets.max_sockets < namespace_count) return;
        if (reason == forced_server_close)
            return sim_.ledger.expect(!was_joined(l) &&
                                          sim_.now - t.begun >= wires_.server.options().sockets.connect_timeout,
                                      "the server closes a connection by itself");
        if (reason == client_namespace_disconnect || reason == server_namespace_disconnect) return;
        sim_.ledger.expect(reason <= queue_overflow, "a socket is disconnected with a reason of a client's");
        sim_.ledger.expect(t.faulty || t.close_asked || t.closed, "a socket is disconnected though nothing was wrong");
    }

    void server_transmit(engineio::transmit const& t) {
        using enum engineio::transmit_type;
        auto const packets_of = [this](std::size_t attempt) {
            return [this, attempt](socketio::message const& m) { wire_.down(attempt, m); };
        };
        if (t.type == respond) {
            auto const attempt = t.status == 200 ? wires_.attempt_of_get(t.id) : std::nullopt;
            if (attempt) check_wire(model_.link_of(*attempt).down.body(t.data, packets_of(*attempt)));
        } else if (auto const ch = wires_.channel_of_server(t.id); ch && t.type == send) {
            check_wire(watch(model_.link_of(ch->attempt).down, ch->is_stream, t.data, packets_of(ch->attempt)));
        }
        wires_.carry_from_server(t);
    }

    //=== what there is ===//

    void check_server() {
        std::array<std::size_t, namespace_count> members{};
        std::size_t sockets = 0;
        bool const all = sim_.random.one_in(8);
        for (std::size_t const n : model_.live()) {
            joining const& j = model_.joinings()[n];
            if (j.at == state::asked) continue;
            ++sockets;
            ++members[j.nsp];
            sim_.ledger.expect(wires_.server.is_connected(j.socket) && j.is_connected(),
                               "a socket is connected, or not");
            if (all) check_socket(j);
        }
        sim_.ledger.expect(wires_.server.socket_count() == sockets, "the server has another number of sockets");
        if (!all) return;
        for (std::size_t nsp = 0; nsp != unknown_nsp; ++nsp) {
            sim_.ledger.expect(wires_.server.in(namespace_names[nsp]).size() == members[nsp],
                               "a namespace has other members");
            auto const room = sim_.random.pick(room_names);
            auto const in_room = [&](std::size_t n) {
                joining const& j = model_.joinings()[n];
                return j.nsp == nsp && j.is_connected() && j.is_in(room);
            };
            auto const count = std::count_if(model_.live().begin(), model_.live().end(), in_room);
            auto whom = wires_.server.in(namespace_names[nsp]);
            sim_.ledger.expect(whom.to(room).size() == static_cast<std::size_t>(count), "a room has other members");
        }
    }

    // Holds also while `disconnected` is handled.
    void check_socket(joining const& j) {
        if (!j.was_accepted()) return;
        sim_.ledger.expect(wires_.server.sid(j.socket) == j.sid, "a socket has another id");
        sim_.ledger.expect(wires_.server.nsp(j.socket) == namespace_names[j.nsp], "a socket is in another namespace");
        auto const rooms = wires_.server.rooms_of(j.socket);
        sim_.ledger.expect(std::equal(rooms.begin(), rooms.end(), j.rooms.begin(), j.rooms.end()),
                           "a socket is in other rooms");
        auto const* const data = wires_.server.template data<std::uint64_t>(j.socket);
        sim_.ledger.expect((data == nullptr ? 0 : *data) == j.data, "a socket has other data");
    }

    static bool has_reason(socketio::event_type type) {
        using enum socketio::event_type;
        return type == disconnected || type == closed || type == open_failed;
    }

    static constexpr std::string_view event_names[] = {
        "connecting", "connected", "connect_error", "event",       "ack",          "acks_complete",   "disconnected",
        "closed",     "opened",    "upgraded",      "open_failed", "reconnecting", "reconnect_failed"};

    stack_scene<Wires>& scene_;
    simulation& sim_;
    Wires& wires_;
    stack_ledger& model_;
    stack_acks& acks_;
    stack_clients<Wires>& clients_;
    stack_application<Wires>& application_;
    stack_wire wire_;
};

} // namespace support
