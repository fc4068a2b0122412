// Lies between a server and its clients: takes their transmits, which exchanges and channels carry, and times and
// freezes the sides. The same for the sessions of Engine.IO and for whole stacks, which are driven alike.
#pragma once

#include "simulation/channels.hpp"
#include "simulation/driving.hpp"
#include "simulation/ends.hpp"
#include "simulation/exchanges.hpp"
#include "simulation/simulation.hpp"

#include <socketless/engineio/session.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace support {

template <class Server, class Client>
class wires {
    support::ends<Server, Client> ends_; // first: the others refer to it

public:
    using client = typename support::ends<Server, Client>::client;

    // `make_server(random_source&, network_plan&)` may change the plan. The simulation outlives the wires.
    template <class MakeServer>
    wires(simulation& sim, MakeServer make_server)
        : ends_(sim, make_server), server(ends_.server), server_peer(ends_.server_peer), clients(ends_.clients),
          exchanges(sim, ends_), channels(sim, ends_), sim_(sim) {}
    wires(wires const&) = delete;
    wires& operator=(wires const&) = delete;

    // The ends.
    Server& server;
    peer& server_peer;
    std::deque<client>& clients;

    support::exchanges<Server, Client> exchanges;
    support::channels<Server, Client> channels;

    // The attempt from which the server gets an input.
    [[nodiscard]] std::size_t origin() const noexcept { return ends_.origin; }

    // Sets whom they call, before anything happens. It outlives them, or is no longer called.
    void attach(sides& both) noexcept { ends_.attach(both); }
    // After each input.
    void pump_client(std::size_t i) { ends_.pump_client(i); }
    void pump_server() { ends_.pump_server(); }

    //=== what the sides say ===//

    // Hands its events and transmits to these until both run dry.
    template <class OnEvent, class OnTransmit>
    void drain_client(std::size_t i, OnEvent on_event, OnTransmit on_transmit) {
        support::drain(sim_, clients[i].session, client_buffer_, on_event,
                       [this, i, on_transmit](engineio::transmit const& t) {
                           sim_.note("client ", i, " -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id,
                                     " ", t.target, " ", t.data.data);
                           on_transmit(t);
                       });
    }
    template <class OnEvent, class OnTransmit>
    void drain_server(OnEvent on_event, OnTransmit on_transmit) {
        support::drain(sim_, server, server_buffer_, on_event, [this, on_transmit](engineio::transmit const& t) {
            sim_.note("server -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.status, " ",
                      t.data.data);
            on_transmit(t);
        });
    }

    void set_client_timer(std::size_t i) {
        sim_.set_timer(clients[i].side, clients[i].session.poll_timeout(), [this, i] { client_timeout(i); });
    }
    void set_server_timer() {
        sim_.set_timer(server_peer, server.poll_timeout(), [this] { server_timeout(); });
    }

    // Begins a transmit of a side; it arrives later, or never.
    void carry_from_client(std::size_t i, engineio::transmit const& t) {
        using enum engineio::transmit_type;
        if (t.type == get || t.type == post) return exchanges.begin(i, t);
        if (t.type == open_websocket || t.type == open_stream) return channels.begin(i, t);
        if (t.type == abort) return exchanges.abort_by_client(i, t.id);
        auto const n = channels.at_client(i, t.id);
        if (!n) return sim_.ledger.fail("a client uses a channel that is not open");
        t.type == send ? channels.send_on(*n, t.data, true) : channels.close_by_client(*n);
    }
    void carry_from_server(engineio::transmit const& t) {
        using enum engineio::transmit_type;
        if (t.type == respond) return exchanges.respond(t);
        auto const n = channels.at_server(t.id);
        if (!n) return sim_.ledger.fail("the server uses a channel that is not open");
        if (t.type == send) return channels.send_on(*n, t.data, false);
        if (t.type == close) return channels.close_by_server(*n);
        sim_.ledger.fail("the server begins an exchange");
    }

    //=== what must hold ===//

    void check_nothing_left(std::size_t i) {
        client const& c = clients[i];
        sim_.ledger.expect(!c.get && !c.post, "a closed client has an exchange under way");
        sim_.ledger.expect(c.session.queued() == 0, "a closed client has something to send");
        sim_.ledger.expect(channels.are_closed_at_client(i), "a closed client has a channel open");
    }

    void check_end() {
        sim_.ledger.expect(server.connection_count() == 0, "the server keeps a connection");
        sim_.ledger.expect(!server.poll_timeout(), "the server waits for something");
        sim_.ledger.expect(exchanges.are_over_at_server(), "an exchange is not answered");
        sim_.ledger.expect(channels.are_closed_at_server(), "the server does not close a channel");
        for (std::size_t i = 0; i != clients.size(); ++i) {
            sim_.ledger.expect(!clients[i].session.poll_timeout(), "a closed client waits for something");
            check_nothing_left(i);
        }
    }

    void plan_freeze() { support::plan_freeze(sim_, server_peer, clients); }

private:
    void client_timeout(std::size_t i) {
        auto& session = clients[i].session;
        sim_.note("client ", i, ": timeout");
        session.handle_timeout(sim_.now);
        pump_client(i);
        auto const next = session.poll_timeout();
        sim_.ledger.expect(!next || *next > sim_.now, "a client asks for a timeout that it has had");
        ends_.client_timed_out(i);
    }
    void server_timeout() {
        sim_.note("server: timeout");
        server.handle_timeout(sim_.now);
        pump_server();
        ends_.server_timed_out();
        auto const next = server.poll_timeout();
        sim_.ledger.expect(!next || *next > sim_.now, "the server asks for a timeout that it has had");
    }

    simulation& sim_;
    std::string client_buffer_;
    std::string server_buffer_;
};

} // namespace support
