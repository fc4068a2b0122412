// Clients and a server on the tiny network, as their I/O and their applications see them: drained after each input,
// told to the ledger, their wires read.
#pragma once

#include "simulation/stack_application.hpp"
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

class stack_peers : protected stack_application {
protected:
    stack_peers(std::uint64_t seed, network_figures& network, stack_figures& figures, std::string* trace)
        : stack_application(seed, network, figures, trace), wire_(model_, figures) {}
    ~stack_peers() = default;

    using state = joining::state;

    void start(std::size_t i) {
        as_client(i, [this, i] {
            if (is_ending_) return;
            if (random_.one_in(3)) open(i);
            for (std::size_t left = 1 + random_.below(3); left != 0; --left) join(i);
        });
    }

    //=== the clients ===//

    void pump_client(std::size_t i) override {
        auto& c = clients_[i].session;
        for (std::size_t steps = 0; ledger_.error().empty(); ++steps) {
            if (steps == 100'000) return ledger_.fail("a client does not run dry");
            if (auto e = c.poll_event()) {
                check_idle(i);
                client_event(i, *e);
            } else if (auto const t = c.poll_transmit(buffer_)) {
                check_idle(i);
                client_transmit(i, *t);
            } else {
                break;
            }
        }
        check_idle(i);
        ledger_.expect(c.queued() <= c.options().max_queued, "a client queues more than it may");
        ledger_.expect(c.buffered() <= c.options().max_buffered, "a client buffers more than it may");
        ledger_.expect(!c.is_open() || users_[i].is_open, "a client is open that was not said to be");
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp) {
            client_socket const& s = model_.socket(i, nsp);
            if (s.handle)
                ledger_.expect(c.is_connected(*s.handle) == s.at.has_value(), "a socket is connected, or not");
        }
        if (c.is_idle()) check_nothing_left(i);
        set_timer(clients_[i].side, c.poll_timeout(), [this, i] { client_timeout(i); });
    }

    void client_timeout(std::size_t i) {
        note("client ", i, ": timeout");
        clients_[i].session.handle_timeout(now_);
        pump_client(i);
        auto const next = clients_[i].session.poll_timeout();
        ledger_.expect(!next || *next > now_, "a client asks for a timeout that it has had");
        acks_.check_client_deadlines(i, now_);
    }

    void client_event(std::size_t i, socketio::event& e) {
        note("client ", i, ": ", event_names[static_cast<std::size_t>(e.type)], " ", e.nsp, " ",
             e.packet.packet.data.raw(), has_reason(e.type) ? name(e.reason) : std::string_view());
        switch (e.type) {
        case socketio::event_type::opened: return opened(i, e);
        case socketio::event_type::open_failed:
        case socketio::event_type::closed: return closed(i, e);
        case socketio::event_type::upgraded: ++stack_figures_.upgraded; return;
        case socketio::event_type::reconnecting:
            ++stack_figures_.reconnecting;
            ledger_.expect(e.attempt == users_[i].attempts.value_or(e.attempt),
                           "attempts to connect again are not counted");
            return;
        case socketio::event_type::reconnect_failed:
            ++stack_figures_.reconnect_failed;
            ledger_.expect(users_[i].has_given_up, "a client gives up before it has tried as often as it may");
            return;
        case socketio::event_type::acks_complete: return ledger_.fail("a client is told of a broadcast");
        default: return socket_event(i, e);
        }
    }

    void socket_event(std::size_t i, socketio::event& e) {
        std::size_t const nsp = namespace_of(e.nsp);
        if (nsp == namespace_count) return ledger_.fail("an event of a namespace that there is not");
        client_socket& s = model_.socket(i, nsp);
        if (!s.handle || e.socket != *s.handle) return ledger_.fail("an event of a socket that there is not");
        using enum socketio::event_type;
        if (e.type == ack) return acks_.ended_at_client(i, e, now_);
        if (!users_[i].is_open || !clients_[i].attempt)
            return ledger_.fail("an event of a connection that is not open");
        if (e.type == connecting) {
            ledger_.expect(s.wanted && !s.at && !s.is_asked, "auth is asked for at a wrong time");
            s.is_asked = true;
            authenticate(i, nsp);
        } else if (e.type == connected) {
            bool const is_v3 = clients_[i].session.options().revision == engineio::revision::v3;
            bool const is_late = is_v3 && nsp == root_nsp && !users_[i].wanted_root;
            model_.connected_at_client(i, *clients_[i].attempt, e, is_late);
            if (random_.one_in(3)) client_emits(i, nsp);
        } else if (e.type == connect_error) {
            refused(i, nsp, e);
        } else if (e.type == event) {
            auto const number = model_.event_at_client(i, e);
            if (number && e.ack) client_answers(i, {std::move(e.ack), *number, *s.at});
            if (random_.one_in(20)) client_emits(i, nsp);
            if (random_.one_in(100)) leave(i, nsp);
        } else if (e.type == disconnected) {
            model_.disconnected_at_client(i, *clients_[i].attempt, e);
            acks_.disconnected_at_client(i, nsp);
            users_[i].may_be_idle = true;
            if (random_.one_in(3) && !s.wanted && !is_ending_) join(i, nsp);
        }
    }

    void refused(std::size_t i, std::size_t nsp, socketio::event const& e) {
        client_socket& s = model_.socket(i, nsp);
        ledger_.expect(s.wanted && !s.at && !s.is_asked, "a socket is refused that is not to be connected");
        s.wanted = false;
        users_[i].may_be_idle = true;
        auto const why = e.message.get<std::string>().value_or("");
        if (why == "Too many namespaces") {
            ++stack_figures_.too_many_namespaces;
            return ledger_.expect(server_.options().sockets.max_sockets < 10, "there are not too many namespaces");
        }
        if (why == "Invalid namespace") {
            ++stack_figures_.unknown;
            return ledger_.expect(nsp == unknown_nsp, "a namespace is unknown that is known");
        }
        auto const& all = model_.link_of(*clients_[i].attempt).joinings[nsp];
        if (all.empty() || model_.joinings()[all.back()].at != state::refused)
            return ledger_.fail("a socket is refused by nobody");
        ledger_.expect(why == "not you: " + std::to_string(all.back()), "another reason is given for a refusal");
        if (auto const n = e.data.find("joining"))
            ledger_.expect(n->get<std::uint64_t>().value_or(0) == all.back(), "the data of a refusal");
        if (random_.one_in(3) && !is_ending_) join(i, nsp);
    }

    void opened(std::size_t i, socketio::event const& e) {
        ++stack_figures_.opened;
        if (e.attempt != 0) ++stack_figures_.reconnected;
        ledger_.expect(e.attempt == users_[i].attempts.value_or(e.attempt),
                       "attempts to connect again are not counted");
        users_[i].attempts = 0;
        users_[i].wanted_root = model_.socket(i, root_nsp).wanted && !model_.socket(i, root_nsp).asks_for_auth;
        ledger_.expect(!std::exchange(users_[i].is_open, true), "a client is opened twice");
        auto const& c = clients_[i].session;
        ++figures_.opened_over[static_cast<std::size_t>(c.transport())];
        ++figures_.opened_with[c.options().revision == engineio::revision::v4];
    }

    void closed(std::size_t i, socketio::event const& e) {
        user& u = users_[i];
        bool const was_open = std::exchange(u.is_open, false);
        ledger_.expect(was_open || e.type == socketio::event_type::open_failed || !u.wants_connection,
                       "a connection is closed that was not open");
        if (!was_open) ++stack_figures_.open_failed;
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp) {
            ledger_.expect(!model_.socket(i, nsp).at, "a socket outlives its connection");
            model_.socket(i, nsp).is_asked = false;
        }
        bool was_left = false;
        if (auto const a = std::exchange(clients_[i].attempt, std::nullopt)) {
            was_left = ledger_.at(*a).close_asked;
            ledger_.expect(fits_client(*a, was_open), "a connection ends though nothing was wrong");
            ledger_.at(*a).closed = true;
        }
        count_attempt(i, was_left);
        if (!is_ending_ && random_.one_in(4)) later([this, i] { start(i); });
    }

    // A connection is lost: another is to be opened, unless that was tried too often. One that was left may have been
    // lost before that was known.
    void count_attempt(std::size_t i, bool was_left) {
        user& u = users_[i];
        auto const& c = clients_[i].session;
        bool const may_try = u.attempts.value_or(0) < c.options().reconnection_attempts.value_or(0xffffffff);
        bool const tries = c.options().reconnection && may_try && u.wants_connection;
        bool const is_known = !was_left && u.attempts;
        ledger_.expect(!is_known || c.is_idle() == !tries, "a client tries to connect again, or not");
        u.has_given_up = c.is_idle();
        if (u.attempts) *u.attempts = tries ? *u.attempts + 1 : 0;
        if (!is_known) u.attempts.reset();
    }

    [[nodiscard]] bool fits_client(std::size_t a, bool was_open) {
        attempt const& t = ledger_.at(a);
        link const& l = model_.link_of(a);
        if (t.faulty || t.close_asked || l.server_ended || is_shut_down_ || (!t.may_open && !was_open)) return true;
        if (server_.options().sockets.max_sockets < namespace_count) return true; // see check_reason
        return now_ - t.begun >= server_.options().sockets.connect_timeout && !was_joined(l);
    }

    // Whether any socket of a connection was ever connected.
    [[nodiscard]] bool was_joined(link const& l) {
        return std::any_of(l.joinings.begin(), l.joinings.end(), [this](auto const& all) {
            return std::any_of(all.begin(), all.end(), [this](auto n) { return model_.joinings()[n].was_accepted(); });
        });
    }

    void client_transmit(std::size_t i, engineio::transmit const& t) {
        using enum engineio::transmit_type;
        note("client ", i, " -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.target, " ",
             t.data.data);
        bool const begins = t.type == get || t.type == open_websocket || t.type == open_stream;
        if (begins && !users_[i].is_open) begin_attempt(i);
        bool const is_end = t.type == abort || t.type == close;
        if (!is_end && !clients_[i].attempt) return ledger_.fail("a client sends something while it is not open");
        auto const on_packet = [&](socketio::message const& m) {
            wire_.up(i, *clients_[i].attempt, clients_[i].session.options().retries, m);
        };
        if (t.type == post) check_wire(model_.link_of(*clients_[i].attempt).up.body(t.data, on_packet));
        if (t.type == get || t.type == post) return begin_exchange(i, t);
        if (t.type == open_websocket || t.type == open_stream) return begin_channel(i, t);
        if (t.type == abort) return abort_by_client(i, t.id);
        for (std::size_t n = channels_.size(); n-- != 0;) {
            channel const& ch = channels_[n];
            if (ch.client != i || ch.client_id != t.id || !ch.client_end) continue;
            if (t.type != send) return close_by_client(n);
            check_wire(watch(model_.link_of(ch.attempt).up, ch.is_stream, t.data, on_packet));
            return send_on(n, t.data, true);
        }
        ledger_.fail("a client uses a channel that is not open");
    }

    void begin_attempt(std::size_t i) {
        // Another transport is tried.
        bool was_faulty = false;
        if (clients_[i].attempt) {
            ledger_.at(*clients_[i].attempt).closed = true;
            was_faulty = ledger_.at(*clients_[i].attempt).faulty;
        }
        ++figures_.attempts;
        auto const a = ledger_.begin_attempt(i, was_faulty || server_peer_.frozen || is_uncertain_);
        clients_[i].attempt = a;
        ledger_.at(a).may_open = plan_.may_open(plan_.clients[i]);
        ledger_.at(a).begun = now_;
        ledger_.at(a).close_asked = !users_[i].wants_connection;
        model_.begin_link(plan_.clients[i].revision);
    }

    template <class F>
    static bool watch(wire_watch& w, bool is_stream, socketless::frame f, F on_packet) {
        return is_stream ? w.stream(f.data, on_packet) : w.frame(f, on_packet);
    }
    void check_wire(bool good) { ledger_.expect(good, "what is sent cannot be read"); }

    std::string_view garbage() override { return random_.one_in(2) ? "9" : "4garbage"; }

    //=== the server ===//

    void pump_server() override {
        for (std::size_t steps = 0; ledger_.error().empty(); ++steps) {
            if (steps == 100'000) return ledger_.fail("the server does not run dry");
            if (auto e = server_.poll_event()) {
                is_in_event_ = true;
                server_event(*e);
                is_in_event_ = false;
            } else if (auto const t = server_.poll_transmit(server_buffer_)) {
                server_transmit(*t);
            } else {
                break;
            }
        }
        check_server();
        set_timer(server_peer_, server_.poll_timeout(), [this] { server_timeout(); });
    }

    void server_timeout() {
        note("server: timeout");
        server_.handle_timeout(now_);
        pump_server();
        acks_.check_server_deadlines(now_ - milliseconds(1)); // the least that its timers tell apart
        auto const next = server_.poll_timeout();
        ledger_.expect(!next || *next > now_, "the server asks for a timeout that it has had");
    }

    void server_event(socketio::event& e) {
        using enum socketio::event_type;
        note("server: ", event_names[static_cast<std::size_t>(e.type)], " ", e.nsp, " ", e.sid, " ",
             e.packet.packet.data.raw(), has_reason(e.type) ? name(e.reason) : std::string_view());
        auto n = model_.joining_of(e.socket);
        if (e.type == acks_complete) return acks_.completed_at_server(e);
        if (e.type == ack) {
            acks_.ended_at_server(n, e, now_);
            // It ends: nothing is sent to it any more.
            if (n && e.outcome == socketio::ack_outcome::disconnected) model_.joinings()[*n].is_lost = true;
            if (n && random_.one_in(20)) broadcast();
            return;
        }
        if (e.type == connecting || (e.type == connected && !n)) {
            joining& j = model_.begin_joining(origin_, e);
            bool const skips = e.type == connected && e.recovered; // it was decided before
            ledger_.expect(is_asked_for(j.nsp) == (e.type == connecting) || skips,
                           "the application decides, or does not");
            n = model_.joining_of(e.socket);
            if (e.type == connecting) return decide(*n);
            model_.accepted(j, server_.sid(e.socket), now_);
        }
        if (!n) return ledger_.fail("an event of a socket that is not there");
        joining& j = model_.joinings()[*n];
        if (e.type == connected) {
            bool const same = e.recovered == j.is_recovered && e.sid == j.sid && namespace_of(e.nsp) == j.nsp;
            ledger_.expect(same && j.was_accepted(), "a socket is connected in another way");
            if (random_.one_in(3)) change_rooms(*n);
            if (random_.one_in(3)) server_emits(*n);
        } else if (e.type == event) {
            auto const number = model_.event_at_server(*n, e);
            if (number && e.ack) server_answers({std::move(e.ack), *number, *n});
            if (random_.one_in(20)) server_emits(*n);
            if (random_.one_in(30)) broadcast();
            if (random_.one_in(100)) disconnect(*n);
        } else if (e.type == disconnected) {
            check_socket(j);
            model_.disconnected_at_server(*n, e, now_);
            acks_.disconnected_at_server(*n);
            check_reason(j, e.reason);
            if (random_.one_in(10)) broadcast();
        }
    }

    void check_reason(joining const& j, disconnect_reason reason) {
        attempt const& t = ledger_.at(j.attempt);
        link const& l = model_.link_of(j.attempt);
        using enum disconnect_reason;
        if (reason == server_shutting_down) return ledger_.expect(is_shut_down_, "a server shuts down that does not");
        // Where there may be few, what a client sends to a socket that the server has disconnected may close its
        // connection.
        if (reason == forced_server_close && server_.options().sockets.max_sockets < namespace_count) return;
        if (reason == forced_server_close)
            return ledger_.expect(!was_joined(l) && now_ - t.begun >= server_.options().sockets.connect_timeout,
                                  "the server closes a connection by itself");
        if (reason == client_namespace_disconnect || reason == server_namespace_disconnect) return;
        ledger_.expect(reason <= queue_overflow, "a socket is disconnected with a reason of a client's");
        ledger_.expect(t.faulty || t.close_asked || t.closed, "a socket is disconnected though nothing was wrong");
    }

    void server_transmit(engineio::transmit const& t) {
        note("server -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.status, " ",
             t.data.data);
        if (t.type == engineio::transmit_type::respond) {
            watch_response(t);
            return respond(t);
        }
        bool const known = t.id < server_channels_.size() && server_channels_[t.id];
        if (!known) return ledger_.fail("the server uses a channel that is not open");
        std::size_t const n = *server_channels_[t.id];
        if (t.type == engineio::transmit_type::close) return close_by_server(n);
        std::size_t const a = channels_[n].attempt;
        auto const on_packet = [&](socketio::message const& m) { wire_.down(a, m); };
        check_wire(watch(model_.link_of(a).down, channels_[n].is_stream, t.data, on_packet));
        send_on(n, t.data, false);
    }

    void watch_response(engineio::transmit const& t) {
        if (t.status != 200 || t.id >= server_exchanges_.size() || !server_exchanges_[t.id]) return;
        exchange const& x = exchanges_[*server_exchanges_[t.id]];
        if (!x.is_get) return;
        auto const on_packet = [&](socketio::message const& m) { wire_.down(x.attempt, m); };
        check_wire(model_.link_of(x.attempt).down.body(t.data, on_packet));
    }

    //=== what there is ===//

    void check_server() {
        std::array<std::size_t, namespace_count> members{};
        std::size_t sockets = 0;
        bool const all = random_.one_in(8);
        for (std::size_t const n : model_.live()) {
            joining const& j = model_.joinings()[n];
            if (j.at == state::asked) continue;
            ++sockets;
            ++members[j.nsp];
            ledger_.expect(server_.is_connected(j.socket) && j.is_connected(), "a socket is connected, or not");
            if (all) check_socket(j);
        }
        ledger_.expect(server_.socket_count() == sockets, "the server has another number of sockets");
        if (!all) return;
        for (std::size_t nsp = 0; nsp != unknown_nsp; ++nsp) {
            ledger_.expect(server_.in(namespace_names[nsp]).size() == members[nsp], "a namespace has other members");
            auto const room = random_.pick(room_names);
            auto const in_room = [&](std::size_t n) {
                joining const& j = model_.joinings()[n];
                return j.nsp == nsp && j.is_connected() && j.is_in(room);
            };
            auto const count = std::count_if(model_.live().begin(), model_.live().end(), in_room);
            auto whom = server_.in(namespace_names[nsp]);
            ledger_.expect(whom.to(room).size() == static_cast<std::size_t>(count), "a room has other members");
        }
    }

    // Also while its end is told.
    void check_socket(joining const& j) {
        if (!j.was_accepted()) return;
        ledger_.expect(server_.sid(j.socket) == j.sid, "a socket has another id");
        ledger_.expect(server_.nsp(j.socket) == namespace_names[j.nsp], "a socket is in another namespace");
        auto const rooms = server_.rooms_of(j.socket);
        ledger_.expect(std::equal(rooms.begin(), rooms.end(), j.rooms.begin(), j.rooms.end()),
                       "a socket is in other rooms");
        auto const* const data = server_.data<std::uint64_t>(j.socket);
        ledger_.expect((data == nullptr ? 0 : *data) == j.data, "a socket has other data");
    }

    void check_nothing_left(std::size_t i) {
        client const& c = clients_[i];
        ledger_.expect(!c.get && !c.post && c.session.queued() == 0, "an idle client has something to send");
        for (channel const& ch : channels_)
            ledger_.expect(ch.client != i || !ch.client_end, "an idle client has a channel open");
    }

    // No application begins anything any more.
    bool is_ending_ = false;

private:
    static bool has_reason(socketio::event_type type) {
        using enum socketio::event_type;
        return type == disconnected || type == closed || type == open_failed;
    }

    static constexpr std::string_view event_names[] = {
        "connecting", "connected", "connect_error", "event",       "ack",          "acks_complete",   "disconnected",
        "closed",     "opened",    "upgraded",      "open_failed", "reconnecting", "reconnect_failed"};

    stack_wire wire_;
    std::string buffer_;
    std::string server_buffer_;
};

} // namespace support
