// How sides are driven, whatever joins them: drained after each input, frozen now and then.
#pragma once

#include "simulation/network_plan.hpp"
#include "simulation/simulation.hpp"

#include <cstddef>
#include <string>

namespace support {

// Hands the events and transmits of a side to these until both run dry.
template <class Side, class OnEvent, class OnTransmit>
void drain(simulation& sim, Side& side, std::string& buffer, OnEvent on_event, OnTransmit on_transmit) {
    for (std::size_t steps = 0; sim.ledger.error().empty(); ++steps) {
        if (steps == 100'000) return sim.ledger.fail("a side does not run dry");
        if (auto e = side.poll_event())
            on_event(*e);
        else if (auto const t = side.poll_transmit(buffer))
            on_transmit(*t);
        else
            return;
    }
}

// One side stops for a while, and then gets what came meanwhile.
template <class Clients>
void plan_freeze(simulation& sim, peer& server, Clients& clients) {
    sim.after(microseconds(sim.random.below(static_cast<std::size_t>(sim.plan.duration.count()))), [&] {
        auto const heartbeat = sim.plan.server.ping_interval + sim.plan.server.ping_timeout;
        auto const how_long =
            microseconds(sim.random.below(static_cast<std::size_t>(microseconds(heartbeat).count()) * 2));
        if (sim.plan.has(fault::server_frozen)) {
            if (server.frozen) return;
            sim.did(fault::server_frozen);
            for (attempt& a : sim.ledger.attempts()) a.faulty = true;
            sim.freeze(server, how_long);
        } else {
            auto& c = clients[sim.random.below(clients.size())];
            if (c.side.frozen) return;
            sim.did(fault::client_frozen);
            if (c.attempt) sim.ledger.at(*c.attempt).faulty = true;
            sim.freeze(c.side, how_long);
        }
    });
}

} // namespace support
