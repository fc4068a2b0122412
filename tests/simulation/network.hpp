// A tiny network: a server and some clients joined in memory, under a virtual clock and a seed. It delays, cuts and
// loses what they send, and holds them at every step to the promises of sessions.
#pragma once

#include "simulation/program.hpp"
#include "simulation/simulation.hpp"
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

class network final : private sides, private program {
public:
    // Adds to `figures`; writes all that happens to `trace` where there is one.
    network(std::uint64_t seed, network_figures& figures, std::string* trace = nullptr)
        : sim_(seed, figures, trace), wires_(sim_, [](random_source& random, network_plan& plan) {
              return engineio::server(plan.server, random_bytes_of(random));
          }) {
        wires_.attach(*this);
        for (auto const& options : sim_.plan.clients) wires_.clients.emplace_back(options);
    }

    // Runs the schedule to its end. Returns the first error; empty if all was well.
    std::string run() { return program_run(sim_, wires_, *this).run(); }

private:
    using wires = support::wires<engineio::server, engineio::client_session>;

    //=== the clients ===//

    void open(std::size_t i) {
        wires::client& c = wires_.clients[i];
        sim_.deliver(c.side, [this, i, &c] {
            if (!c.session.is_closed() || is_ending_) return;
            ++sim_.figures.attempts;
            sim_.note("client ", i, ": open");
            c.attempt = sim_.ledger.begin_attempt(i, wires_.server_peer.frozen || sim_.plan.tight);
            sim_.ledger.at(*c.attempt).may_open = sim_.plan.may_open(c.session.options());
            sim_.ledger.at(*c.attempt).open_deadline = sim_.now + c.session.options().open_timeout;
            sim_.ledger.expect(c.session.open(sim_.now).has_value(), "a client cannot be opened");
            pump_client(i);
        });
    }

    void pump_client(std::size_t i) override {
        wires_.drain_client(
            i, [this, i](engineio::event const& e) { client_event(i, e); },
            [this, i](engineio::transmit const& t) { wires_.carry_from_client(i, t); });
        auto const& session = wires_.clients[i].session;
        sim_.ledger.expect(session.queued() <= session.options().max_queued, "a client queues more than it may");
        if (session.is_closed()) {
            wires_.check_nothing_left(i);
            sim_.ledger.expect(!session.poll_timeout(), "a closed client waits for something");
        }
        wires_.set_client_timer(i);
    }

    void client_event(std::size_t i, engineio::event const& e) {
        wires::client& c = wires_.clients[i];
        std::size_t const a = *c.attempt;
        sim_.note("client ", i, ": ", event_names[static_cast<std::size_t>(e.type)], " ", name(e.transport), " ",
                  e.type == engineio::event_type::closed ? name(e.reason) : e.message.data);
        c.is_moving =
            e.type == engineio::event_type::upgrading || (c.is_moving && e.type == engineio::event_type::message);
        switch (e.type) {
        case engineio::event_type::opened:
            sim_.ledger.opened_at_client(a, c.session.id());
            ++sim_.figures.opened_over[static_cast<std::size_t>(e.transport)];
            ++sim_.figures.opened_with[c.session.options().revision == engineio::revision::v4];
            if (sim_.random.one_in(3)) client_sends(i);
            break;
        case engineio::event_type::message:
            ++sim_.figures.messages_down;
            sim_.ledger.received_at_client(a, e.message);
            if (sim_.random.one_in(30)) client_sends(i);
            if (sim_.random.one_in(500)) close_client(i);
            break;
        case engineio::event_type::upgraded:
            ++sim_.figures.upgrades;
            ++sim_.figures.upgraded_to[static_cast<std::size_t>(e.transport)];
            if (sim_.random.one_in(3)) client_sends(i);
            break;
        case engineio::event_type::upgrade_failed: ++sim_.figures.upgrades_failed; break;
        case engineio::event_type::closed:
            ++sim_.figures.client_reasons[static_cast<std::size_t>(e.reason)];
            sim_.ledger.closed_at_client(a, e.reason, sim_.now);
            if (sim_.random.one_in(2)) sim_.after(microseconds(sim_.random.below(200'000)), [this, i] { open(i); });
            break;
        default: break;
        }
    }

    //=== the server ===//

    void pump_server() override {
        wires_.drain_server([this](engineio::server_event const& e) { server_event(e); },
                            [this](engineio::transmit const& t) { wires_.carry_from_server(t); });
        wires_.set_server_timer();
    }

    void server_event(engineio::server_event const& s) {
        engineio::event const& e = s.event;
        sim_.note("server, session ", s.session.index, ": ", event_names[static_cast<std::size_t>(e.type)], " ",
                  name(e.transport), " ", e.type == engineio::event_type::closed ? name(e.reason) : e.message.data);
        if (e.type == engineio::event_type::opened) {
            sim_.ledger.opened_at_server(s.session, wires_.server.find(s.session)->id(), wires_.origin(),
                                         sim_.plan.server.initial_message);
            if (sim_.random.one_in(3)) server_sends(sim_.ledger.connections().size() - 1);
        }
        auto const n = sim_.ledger.connection_of(s.session);
        if (!n) return sim_.ledger.fail("an event of a session that was not opened, or has ended");
        if (e.type == engineio::event_type::message) {
            ++sim_.figures.messages_up;
            sim_.ledger.received_at_server(*n, e.message);
            if (sim_.random.one_in(30)) server_sends(*n);
            if (sim_.random.one_in(500)) close_at_server(*n);
        } else if (e.type == engineio::event_type::closed) {
            ++sim_.figures.server_reasons[static_cast<std::size_t>(e.reason)];
            sim_.ledger.closed_at_server(*n, e.reason);
        } else if (auto const* const session = wires_.server.find(s.session)) {
            sim_.ledger.expect(session->queued() <= sim_.plan.server.max_queued, "a session queues more than it may");
        }
    }

    //=== the application ===//

    std::size_t burst() { return sim_.random.one_in(5) ? 1 + sim_.random.below(20) : 1; }

    message next_message(std::size_t attempt) {
        bool const too_large = sim_.chance(fault::message_too_large) && sim_.random.one_in(5);
        if (too_large) {
            sim_.did(fault::message_too_large, attempt);
            sim_.ledger.at(attempt).message_too_large = true;
        }
        std::size_t const size =
            too_large ? sim_.plan.server.max_payload + sim_.random.below(3)
                      : sim_.random.below(std::min(sim_.plan.longest_message,
                                                   sim_.random.one_in(10) ? sim_.plan.longest_message : 30));
        if (sim_.random.one_in(3)) return {socketless::frame_kind::binary, sim_.random.bytes(size)};
        static constexpr std::string_view pieces[] = {"a", "\"", "\\", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                                      ":", "4",  "b"};
        std::string text = std::to_string(++last_message_);
        while (text.size() < size) text += sim_.random.pick(pieces);
        if (sim_.random.one_in(60)) text += engineio::packet_separator;
        return {socketless::frame_kind::text, text};
    }

    void client_sends(std::size_t i) {
        wires::client& c = wires_.clients[i];
        if (!c.attempt) return;
        bool const is_open = c.session.is_open();
        message const m = next_message(*c.attempt);
        bool const is_volatile = sim_.random.one_in(4);
        auto const sent = is_volatile             ? c.session.send_volatile({m.kind, m.data}, sim_.now)
                          : sim_.random.one_in(6) ? send_shared(c.session, m)
                                                  : c.session.send({m.kind, m.data}, sim_.now);
        sim_.note("client ", i, ": sends ", is_volatile ? "volatile " : "", sent ? "" : name(sent.error().code), " ",
                  m.data);
        if (is_volatile) ++(sent ? sim_.figures.volatiles_sent : sim_.figures.volatiles_dropped);
        if (sent) return sim_.ledger.sent_by_client(*c.attempt, m);
        sim_.ledger.refused_at_client(*c.attempt, sent.error().code, is_open);
    }

    // A body would skip a shared message with a record separator.
    socketless::result<void> send_shared(engineio::client_session& session, message const& m) {
        if (m.data.find(engineio::packet_separator) != std::string::npos)
            return session.send({m.kind, m.data}, sim_.now);
        return session.send(engineio::shared_message({m.kind, m.data}), sim_.now);
    }

    void server_sends(std::size_t n) {
        connection const& connection = sim_.ledger.connections()[n];
        message const m = next_message(connection.attempt);
        bool const is_volatile = sim_.random.one_in(4);
        auto const sent = is_volatile
                              ? wires_.server.send_volatile(connection.handle, socketless::frame{m.kind, m.data})
                              : wires_.server.send(connection.handle, socketless::frame{m.kind, m.data});
        sim_.note("server, session ", connection.handle.index, ": sends ", is_volatile ? "volatile " : "",
                  sent ? "" : name(sent.error().code), " ", m.data);
        if (is_volatile) ++(sent ? sim_.figures.volatiles_sent : sim_.figures.volatiles_dropped);
        if (sent) return sim_.ledger.sent_by_server(n, m);
        sim_.ledger.refused_at_server(n, sent.error().code);
    }

    void broadcast() {
        sim_.deliver(wires_.server_peer, [this] {
            message m = {socketless::frame_kind::text, "to all " + std::to_string(++last_message_)};
            if (sim_.random.one_in(2)) m = {socketless::frame_kind::binary, sim_.random.bytes(sim_.random.below(20))};
            engineio::shared_message const shared({m.kind, m.data});
            sim_.note("server: broadcasts ", m.data);
            for (std::size_t n = 0; n != sim_.ledger.connections().size(); ++n) {
                if (sim_.ledger.connections()[n].closed) continue;
                auto const sent = sim_.random.one_in(4)
                                      ? wires_.server.send_volatile(sim_.ledger.connections()[n].handle, shared)
                                      : wires_.server.send(sim_.ledger.connections()[n].handle, shared);
                sent ? sim_.ledger.sent_by_server(n, m) : sim_.ledger.refused_at_server(n, sent.error().code);
            }
            pump_server();
        });
    }

    void close_client(std::size_t i) {
        wires::client& c = wires_.clients[i];
        if (!c.attempt || c.session.is_closed()) return;
        bool const graceful = !sim_.random.one_in(4);
        sim_.note("client ", i, graceful ? ": close()" : ": abort()");
        sim_.ledger.close_asked_at_client(*c.attempt, graceful && c.session.is_open());
        graceful ? c.session.close(sim_.now) : c.session.abort();
    }

    void close_client_in_turn(std::size_t i) {
        sim_.deliver(wires_.clients[i].side, [this, i] {
            close_client(i);
            if (wires_.clients[i].attempt) pump_client(i);
        });
    }

    void close_at_server(std::size_t n) {
        connection const& connection = sim_.ledger.connections()[n];
        bool const graceful = !sim_.random.one_in(4);
        sim_.note("server, session ", connection.handle.index, graceful ? ": close()" : ": abort()");
        sim_.ledger.close_asked_at_server(n, graceful);
        wires_.server.handle_timeout(sim_.now);
        graceful ? wires_.server.close(connection.handle) : wires_.server.abort(connection.handle);
    }

    void close_any_at_server() {
        sim_.deliver(wires_.server_peer, [this] {
            if (auto const n = sim_.ledger.any_at_server(sim_.random)) close_at_server(*n);
            pump_server();
        });
    }

    //=== the program ===//

    [[nodiscard]] std::size_t actions() const override { return sim_.plan.actions; }
    [[nodiscard]] std::size_t patience() const override { return 1'000; }

    void begin(std::size_t i) override { open(i); }

    void act() override {
        std::size_t const i = sim_.random.below(wires_.clients.size());
        switch (sim_.random.below(12)) {
        case 0: return broadcast();
        case 1: return sim_.random.one_in(6) ? close_client_in_turn(i) : open(i);
        case 2: return sim_.random.one_in(6) ? close_any_at_server() : open(i);
        case 3:
        case 4:
        case 5:
        case 6:
            return sim_.deliver(wires_.clients[i].side, [this, i] {
                for (std::size_t left = burst(); left != 0; --left) client_sends(i);
                if (wires_.clients[i].attempt) pump_client(i);
            });
        default:
            return sim_.deliver(wires_.server_peer, [this] {
                auto const n = sim_.ledger.any_at_server(sim_.random);
                if (!n) return;
                for (std::size_t left = burst(); left != 0; --left) server_sends(*n);
                pump_server();
            });
        }
    }

    void stop() override { is_ending_ = true; }
    [[nodiscard]] bool is_settled() override { return sim_.ledger.all_has_arrived(); }

    void close(std::size_t i) override { close_client_in_turn(i); }

    void close_server() override {
        if (sim_.random.one_in(2)) sim_.after(sim_.latency(), [this] { close_any_at_server(); });
        sim_.after(sim_.plan.latency * 4, [this] {
            sim_.deliver(wires_.server_peer, [this] {
                sim_.note("server: close()");
                for (std::size_t n = 0; n != sim_.ledger.connections().size(); ++n)
                    if (!sim_.ledger.connections()[n].closed) sim_.ledger.close_asked_at_server(n, true);
                wires_.server.handle_timeout(sim_.now);
                wires_.server.close();
                pump_server();
            });
        });
    }

    void check_end() override {
        wires_.check_end();
        for (wires::client const& c : wires_.clients)
            sim_.ledger.expect(c.session.is_closed(), "a client does not close");
        for (connection const& c : sim_.ledger.connections()) {
            auto const sent = wires_.server.send(c.handle, socketless::frame{});
            sim_.ledger.expect(!sent && sent.error().code == socketless::errc::not_open,
                               "a handle outlives its session");
            sim_.ledger.expect(wires_.server.find(c.handle) == nullptr, "a session outlives its end");
        }
        sim_.ledger.check_end();
    }

    static constexpr std::string_view event_names[] = {"opened",         "message", "upgrading", "upgraded",
                                                       "upgrade_failed", "drained", "closed"};
    simulation sim_;
    wires wires_;
    std::uint64_t last_message_ = 0;
    bool is_ending_ = false;
};

} // namespace support
