// Shared by the applications of whole stacks: the network, the model of all that happens, and how they draw their acts
// and the times of these.
#pragma once

#include "simulation/simulation.hpp"
#include "simulation/stack_acks.hpp"
#include "simulation/stack_ledger.hpp"
#include "simulation/stack_plan.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace support {

// An event that asks for its acknowledgement.
struct question {
    socketio::ack_request request;
    std::size_t number;
    std::size_t joining;
};

// `Wires` joins the server and its clients: stack_wires, for example.
template <class Wires>
class stack_scene {
public:
    stack_scene(std::uint64_t seed, network_figures& network, stack_figures& all_figures, std::string* trace)
        : sim(seed, network, trace), wires(sim), figures(all_figures),
          model(sim.ledger, figures, wires.server.options().recovery), acks(model, figures) {
        bool const small_queue = sim.plan.server.max_queued < 100'000;
        model.may_not_fit = small_queue;
        is_uncertain = sim.plan.tight || small_queue;
        for (auto const& options : sim.plan.clients) {
            wires.add_client(options);
            is_uncertain |= options.max_queued < 100'000;
            model.add_client();
        }
    }

    simulation sim;
    Wires wires;
    stack_figures& figures;
    stack_ledger model;
    stack_acks acks;
    bool is_uncertain = false; // connections may end at any time
    bool is_in_event = false;  // sockets may have ended with `disconnected` not polled yet
    bool is_ending = false;    // no application begins anything any more

    //=== what is drawn ===//

    emitted draw_event(std::size_t nsp) {
        emitted e{.nsp = nsp};
        if (sim.random.one_in(3)) e.attachments = sim.random.below(4);
        e.size = sim.random.below(sim.random.one_in(10) ? 100 : 10);
        return e;
    }

    std::size_t draw_answer(std::size_t i, question const& q, bool is_up) {
        emitted e = draw_event(model.event(q.number).nsp);
        e.client = i;
        e.is_up = is_up;
        e.answer_to = q.number;
        return model.make_event(e);
    }

    std::optional<socketless::milliseconds> draw_timeout() {
        if (sim.random.one_in(2)) return std::nullopt;
        return socketless::milliseconds(sim.random.between(0, 300));
    }

    //=== when it is done ===//

    template <class F>
    void later(F f) {
        sim.after(microseconds(sim.random.below(100'000)), f);
    }

    // An application that acts on a timer of its own calls handle_timeout first.
    template <class F>
    void as_client(std::size_t i, F f) {
        sim.deliver(wires.clients[i].side, [this, i, f] {
            wires.pass_time_of_client(i);
            f();
            wires.pump_client(i);
        });
    }

    template <class F>
    void as_server(F f) {
        sim.deliver(wires.server_peer, [this, f] {
            wires.pass_time_of_server();
            wires.pump_server();
            f();
            wires.pump_server();
        });
    }

    //=== what must hold ===//

    void acknowledged_too_late(socketless::errc code) {
        using enum socketless::errc;
        sim.ledger.expect(code == not_connected || code == not_open || (code == queue_overflow && is_uncertain),
                          "an event cannot be acknowledged");
        ++figures.acknowledged_too_late;
    }
};

} // namespace support
