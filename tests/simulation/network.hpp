// A tiny network: a server and some clients joined in memory, under a virtual clock and a seed. It delays, cuts and
// loses what they send, and holds them at every step to what sessions promise.
#pragma once

#include "simulation/wires.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

class network final : private wires<engineio::server, engineio::client_session> {
public:
    // Adds to `figures`; writes all that happens to `trace` where there is one.
    network(std::uint64_t seed, network_figures& figures, std::string* trace = nullptr)
        : wires(seed, figures, trace, [](random_source& random, network_plan& plan) {
              return engineio::server(plan.server, random_bytes_of(random));
          }) {
        for (auto const& options : plan_.clients) clients_.emplace_back(options);
    }

    // Runs the schedule to its end. Returns what was wrong with it; nothing if all was well.
    std::string run() {
        ++figures_.schedules;
        note("plan: ",
             plan_.calm    ? "calm"
             : plan_.tight ? "tight"
                           : "rough",
             ", ping ", plan_.server.ping_interval.count(), "+", plan_.server.ping_timeout.count(), " ms, latency ",
             plan_.latency.count(), " us, max_payload ", plan_.server.max_payload, ", max_queued ",
             plan_.server.max_queued);
        for (std::size_t i = 0; i != clients_.size(); ++i)
            after(microseconds(random_.below(20'000)), [this, i] { open(i); });
        for (std::size_t i = 0; i != plan_.actions; ++i)
            after(microseconds(random_.below(static_cast<std::size_t>(plan_.duration.count()))), [this] { act(); });
        if (chance(fault::client_frozen) || chance(fault::server_frozen)) plan_freeze();
        after(plan_.duration, [this] { quiesce(1'000); });
        run_agenda();
        if (ledger_.error().empty()) check_end();
        note("end: ", ledger_.error());
        return ledger_.error();
    }

private:
    //=== the clients ===//

    void open(std::size_t i) {
        client& c = clients_[i];
        deliver(c.side, [this, i, &c] {
            if (!c.session.is_closed() || is_ending_) return;
            ++figures_.attempts;
            note("client ", i, ": open");
            c.attempt = ledger_.begin_attempt(i, server_peer_.frozen || plan_.tight);
            ledger_.at(*c.attempt).may_open = plan_.may_open(c.session.options());
            ledger_.at(*c.attempt).open_deadline = now_ + c.session.options().open_timeout;
            ledger_.expect(c.session.open(now_).has_value(), "a client cannot be opened");
            pump_client(i);
        });
    }

    void pump_client(std::size_t i) override {
        client& c = clients_[i];
        for (std::size_t steps = 0; ledger_.error().empty(); ++steps) {
            if (steps == 100'000) return ledger_.fail("a client does not run dry");
            if (auto const e = c.session.poll_event())
                client_event(i, *e);
            else if (auto const t = c.session.poll_transmit(buffer_))
                client_transmit(i, *t);
            else
                break;
        }
        ledger_.expect(c.session.queued() <= c.session.options().max_queued, "a client queues more than it may");
        if (c.session.is_closed()) check_nothing_left(i);
        set_timer(c.side, c.session.poll_timeout(), [this, i] { client_timeout(i); });
    }

    void client_event(std::size_t i, engineio::event const& e) {
        client& c = clients_[i];
        std::size_t const a = *c.attempt;
        note("client ", i, ": ", event_names[static_cast<std::size_t>(e.type)], " ", name(e.transport), " ",
             e.type == engineio::event_type::closed ? name(e.reason) : e.message.data);
        c.is_moving =
            e.type == engineio::event_type::upgrading || (c.is_moving && e.type == engineio::event_type::message);
        switch (e.type) {
        case engineio::event_type::opened:
            ledger_.opened_at_client(a, c.session.id());
            ++figures_.opened_over[static_cast<std::size_t>(e.transport)];
            ++figures_.opened_with[c.session.options().revision == engineio::revision::v4];
            if (random_.one_in(3)) client_sends(i);
            break;
        case engineio::event_type::message:
            ++figures_.messages_down;
            ledger_.received_at_client(a, e.message);
            if (random_.one_in(30)) client_sends(i);
            if (random_.one_in(500)) close_client(i);
            break;
        case engineio::event_type::upgraded:
            ++figures_.upgrades;
            ++figures_.upgraded_to[static_cast<std::size_t>(e.transport)];
            if (random_.one_in(3)) client_sends(i);
            break;
        case engineio::event_type::upgrade_failed: ++figures_.upgrades_failed; break;
        case engineio::event_type::closed:
            ++figures_.client_reasons[static_cast<std::size_t>(e.reason)];
            ledger_.closed_at_client(a, e.reason, now_);
            if (random_.one_in(2)) after(microseconds(random_.below(200'000)), [this, i] { open(i); });
            break;
        default: break;
        }
    }

    void client_transmit(std::size_t i, engineio::transmit const& t) {
        note("client ", i, " -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.target, " ",
             t.data.data);
        switch (t.type) {
        case engineio::transmit_type::get:
        case engineio::transmit_type::post: return begin_exchange(i, t);
        case engineio::transmit_type::open_websocket:
        case engineio::transmit_type::open_stream: return begin_channel(i, t);
        case engineio::transmit_type::abort: return abort_by_client(i, t.id);
        default: break;
        }
        for (std::size_t n = channels_.size(); n-- != 0;) {
            if (channels_[n].client != i || channels_[n].client_id != t.id || !channels_[n].client_end) continue;
            return t.type == engineio::transmit_type::send ? send_on(n, t.data, true) : close_by_client(n);
        }
        ledger_.fail("a client uses a channel that is not open");
    }

    void check_nothing_left(std::size_t i) {
        client& c = clients_[i];
        ledger_.expect(!c.get && !c.post, "a closed client has an exchange under way");
        ledger_.expect(!c.session.poll_timeout() && c.session.queued() == 0, "a closed client waits for something");
        for (channel const& ch : channels_)
            ledger_.expect(ch.client != i || !ch.client_end, "a closed client has a channel open");
    }

    void client_timeout(std::size_t i) {
        client& c = clients_[i];
        note("client ", i, ": timeout");
        c.session.handle_timeout(now_);
        pump_client(i);
        auto const next = c.session.poll_timeout();
        ledger_.expect(!next || *next > now_, "a client asks for a timeout that it has had");
    }

    void server_timeout() {
        note("server: timeout");
        server_.handle_timeout(now_);
        pump_server();
        auto const next = server_.poll_timeout();
        ledger_.expect(!next || *next > now_, "the server asks for a timeout that it has had");
    }

    //=== the server ===//

    void pump_server() override {
        for (std::size_t steps = 0; ledger_.error().empty(); ++steps) {
            if (steps == 100'000) return ledger_.fail("the server does not run dry");
            if (auto const e = server_.poll_event())
                server_event(*e);
            else if (auto const t = server_.poll_transmit(server_buffer_))
                server_transmit(*t);
            else
                break;
        }
        set_timer(server_peer_, server_.poll_timeout(), [this] { server_timeout(); });
    }

    void server_event(engineio::server_event const& s) {
        engineio::event const& e = s.event;
        note("server, session ", s.session.index, ": ", event_names[static_cast<std::size_t>(e.type)], " ",
             name(e.transport), " ", e.type == engineio::event_type::closed ? name(e.reason) : e.message.data);
        if (e.type == engineio::event_type::opened) {
            ledger_.opened_at_server(s.session, server_.find(s.session)->id(), origin_, plan_.server.initial_message);
            if (random_.one_in(3)) server_sends(ledger_.connections().size() - 1);
        }
        auto const n = ledger_.connection_of(s.session);
        if (!n) return ledger_.fail("an event of a session that was not opened, or has ended");
        if (e.type == engineio::event_type::message) {
            ++figures_.messages_up;
            ledger_.received_at_server(*n, e.message);
            if (random_.one_in(30)) server_sends(*n);
            if (random_.one_in(500)) close_at_server(*n);
        } else if (e.type == engineio::event_type::closed) {
            ++figures_.server_reasons[static_cast<std::size_t>(e.reason)];
            ledger_.closed_at_server(*n, e.reason);
        } else if (auto const* const session = server_.find(s.session)) {
            ledger_.expect(session->queued() <= plan_.server.max_queued, "a session queues more than it may");
        }
    }

    void server_transmit(engineio::transmit const& t) {
        note("server -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.status, " ",
             t.data.data);
        if (t.type == engineio::transmit_type::respond) return respond(t);
        bool const known = t.id < server_channels_.size() && server_channels_[t.id];
        if (!known) return ledger_.fail("the server uses a channel that is not open");
        std::size_t const n = *server_channels_[t.id];
        if (t.type == engineio::transmit_type::send)
            send_on(n, t.data, false);
        else if (t.type == engineio::transmit_type::close)
            close_by_server(n);
        else
            ledger_.fail("the server begins an exchange");
    }

    //=== the application ===//

    void act() {
        std::size_t const i = random_.below(clients_.size());
        switch (random_.below(12)) {
        case 0: return broadcast();
        case 1: return random_.one_in(6) ? close_client_in_turn(i) : open(i);
        case 2: return random_.one_in(6) ? close_any_at_server() : open(i);
        case 3:
        case 4:
        case 5:
        case 6:
            return deliver(clients_[i].side, [this, i] {
                for (std::size_t left = burst(); left != 0; --left) client_sends(i);
                if (clients_[i].attempt) pump_client(i);
            });
        default:
            return deliver(server_peer_, [this] {
                auto const n = ledger_.any_at_server(random_);
                if (!n) return;
                for (std::size_t left = burst(); left != 0; --left) server_sends(*n);
                pump_server();
            });
        }
    }

    std::size_t burst() { return random_.one_in(5) ? 1 + random_.below(20) : 1; }

    message next_message(std::size_t attempt) {
        bool const too_large = chance(fault::message_too_large) && random_.one_in(5);
        if (too_large) {
            did(fault::message_too_large, attempt);
            ledger_.at(attempt).message_too_large = true;
        }
        std::size_t const size =
            too_large ? plan_.server.max_payload + random_.below(3)
                      : random_.below(std::min(plan_.longest_message, random_.one_in(10) ? plan_.longest_message : 30));
        if (random_.one_in(3)) return {socketless::frame_kind::binary, random_.bytes(size)};
        static constexpr std::string_view pieces[] = {"a", "\"", "\\", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                                      ":", "4",  "b"};
        std::string text = std::to_string(++last_message_);
        while (text.size() < size) text += random_.pick(pieces);
        if (random_.one_in(60)) text += engineio::packet_separator;
        return {socketless::frame_kind::text, text};
    }

    void client_sends(std::size_t i) {
        client& c = clients_[i];
        if (!c.attempt) return;
        bool const is_open = c.session.is_open();
        message const m = next_message(*c.attempt);
        bool const is_volatile = random_.one_in(4);
        auto const sent = is_volatile         ? c.session.send_volatile({m.kind, m.data}, now_)
                          : random_.one_in(6) ? send_shared(c.session, m)
                                              : c.session.send({m.kind, m.data}, now_);
        note("client ", i, ": sends ", is_volatile ? "volatile " : "", sent ? "" : name(sent.error().code), " ",
             m.data);
        if (is_volatile) ++(sent ? figures_.volatiles_sent : figures_.volatiles_dropped);
        if (sent) return ledger_.sent_by_client(*c.attempt, m);
        ledger_.refused_at_client(*c.attempt, sent.error().code, is_open);
    }

    // One with a record separator would be passed over on the way.
    socketless::result<void> send_shared(engineio::client_session& session, message const& m) {
        if (m.data.find(engineio::packet_separator) != std::string::npos) return session.send({m.kind, m.data}, now_);
        return session.send(engineio::shared_message({m.kind, m.data}), now_);
    }

    void server_sends(std::size_t n) {
        connection const& connection = ledger_.connections()[n];
        message const m = next_message(connection.attempt);
        bool const is_volatile = random_.one_in(4);
        auto const sent = is_volatile ? server_.send_volatile(connection.handle, socketless::frame{m.kind, m.data})
                                      : server_.send(connection.handle, socketless::frame{m.kind, m.data});
        note("server, session ", connection.handle.index, ": sends ", is_volatile ? "volatile " : "",
             sent ? "" : name(sent.error().code), " ", m.data);
        if (is_volatile) ++(sent ? figures_.volatiles_sent : figures_.volatiles_dropped);
        if (sent) return ledger_.sent_by_server(n, m);
        ledger_.refused_at_server(n, sent.error().code);
    }

    void broadcast() {
        deliver(server_peer_, [this] {
            message m = {socketless::frame_kind::text, "to all " + std::to_string(++last_message_)};
            if (random_.one_in(2)) m = {socketless::frame_kind::binary, random_.bytes(random_.below(20))};
            engineio::shared_message const shared({m.kind, m.data});
            note("server: broadcasts ", m.data);
            for (std::size_t n = 0; n != ledger_.connections().size(); ++n) {
                if (ledger_.connections()[n].closed) continue;
                auto const sent = random_.one_in(4) ? server_.send_volatile(ledger_.connections()[n].handle, shared)
                                                    : server_.send(ledger_.connections()[n].handle, shared);
                sent ? ledger_.sent_by_server(n, m) : ledger_.refused_at_server(n, sent.error().code);
            }
            pump_server();
        });
    }

    void close_client(std::size_t i) {
        client& c = clients_[i];
        if (!c.attempt || c.session.is_closed()) return;
        bool const graceful = !random_.one_in(4);
        note("client ", i, graceful ? ": close()" : ": abort()");
        ledger_.close_asked_at_client(*c.attempt, graceful && c.session.is_open());
        graceful ? c.session.close(now_) : c.session.abort();
    }

    void close_client_in_turn(std::size_t i) {
        deliver(clients_[i].side, [this, i] {
            close_client(i);
            if (clients_[i].attempt) pump_client(i);
        });
    }

    void close_at_server(std::size_t n) {
        connection const& connection = ledger_.connections()[n];
        bool const graceful = !random_.one_in(4);
        note("server, session ", connection.handle.index, graceful ? ": close()" : ": abort()");
        ledger_.close_asked_at_server(n, graceful);
        graceful ? server_.close(connection.handle, now_) : server_.abort(connection.handle);
    }

    void close_any_at_server() {
        deliver(server_peer_, [this] {
            if (auto const n = ledger_.any_at_server(random_)) close_at_server(*n);
            pump_server();
        });
    }

    //=== the end ===//

    // Waits until all that was sent has arrived, then ends all sessions.
    void quiesce(std::size_t patience) {
        is_ending_ = true;
        if (ledger_.all_has_arrived()) return end();
        if (patience == 0) return ledger_.fail("what was sent does not arrive");
        after(plan_.latency + milliseconds(5), [this, patience] { quiesce(patience - 1); });
    }

    void end() {
        for (std::size_t i = 0; i != clients_.size(); ++i) {
            if (random_.one_in(3)) continue;
            after(latency(), [this, i] { close_client_in_turn(i); });
        }
        if (random_.one_in(2)) after(latency(), [this] { close_any_at_server(); });
        after(plan_.latency * 4, [this] {
            deliver(server_peer_, [this] {
                note("server: close_all()");
                for (std::size_t n = 0; n != ledger_.connections().size(); ++n)
                    if (!ledger_.connections()[n].closed) ledger_.close_asked_at_server(n, true);
                server_.close_all(now_);
                pump_server();
            });
        });
        // Those that opened unnoticed, or fail to.
        for (auto const delay : {milliseconds(1'000), milliseconds(50'000)})
            after(delay, [this] {
                for (std::size_t i = 0; i != clients_.size(); ++i)
                    if (!clients_[i].session.is_closed()) close_client_in_turn(i);
            });
        after(milliseconds(100'000), [this] { check_end(); });
    }

    void check_end() {
        ledger_.expect(server_.size() == 0, "the server keeps a session");
        ledger_.expect(!server_.poll_timeout(), "the server waits for something");
        for (auto const& x : server_exchanges_) ledger_.expect(!x, "an exchange is not answered");
        for (auto const& n : server_channels_) ledger_.expect(!n, "the server does not close a channel");
        for (std::size_t i = 0; i != clients_.size(); ++i) {
            ledger_.expect(clients_[i].session.is_closed(), "a client does not close");
            check_nothing_left(i);
        }
        for (connection const& c : ledger_.connections()) {
            auto const sent = server_.send(c.handle, socketless::frame{});
            ledger_.expect(!sent && sent.error().code == socketless::errc::not_open, "a handle outlives its session");
            ledger_.expect(server_.find(c.handle) == nullptr, "a session outlives its end");
        }
        ledger_.check_end();
    }

    static constexpr std::string_view event_names[] = {"opened",         "message", "upgrading", "upgraded",
                                                       "upgrade_failed", "drained", "closed"};
    std::uint64_t last_message_ = 0;
    bool is_ending_ = false;
    std::string buffer_;
    std::string server_buffer_;
};

} // namespace support
