// Lies between a whole server and its clients: exchanges and channels.
#pragma once

#include "simulation/simulation.hpp"
#include "simulation/stack_plan.hpp"
#include "simulation/wires.hpp"

#include <socketless/client.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/server.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace support {

// A channel, as the one who watches the wire knows it.
struct watched_channel {
    std::size_t attempt = 0;
    bool is_stream = false;
};

class stack_wires : public wires<socketless::server, socketless::client> {
public:
    // Of those that the plan has, the acts of the applications.
    static constexpr std::size_t actions = 2;

    explicit stack_wires(simulation& sim)
        : wires(sim,
                [](random_source& random, network_plan& plan) {
                    auto options = draw_stack_server(random, plan);
                    return socketless::server(std::move(options), random_bytes_of(random), time_point());
                }),
          sim_(sim) {}

    void add_client(engineio::client_options const& options) {
        clients.emplace_back(draw_stack_client(sim_.random, sim_.plan, options), random_bytes_of(sim_.random),
                             sim_.now);
    }

    //=== what applications do ===//

    void pass_time_of_client(std::size_t i) { clients[i].session.handle_timeout(sim_.now); }
    void pass_time_of_server() { server.handle_timeout(sim_.now); }
    void close_server() { server.close(); }

    // Plans what is the network's own: nothing.
    void plan_more() {}

    //=== what a transmit is for ===//

    [[nodiscard]] std::optional<std::size_t> attempt_of_get(engineio::exchange_id id) const {
        auto const* const x = exchanges.at_server(id);
        return x != nullptr && x->is_get ? std::optional(x->attempt) : std::nullopt;
    }
    [[nodiscard]] std::optional<watched_channel> channel_of_client(std::size_t i, engineio::channel_id id) const {
        return watched(channels.at_client(i, id));
    }
    [[nodiscard]] std::optional<watched_channel> channel_of_server(engineio::channel_id id) const {
        return watched(channels.at_server(id));
    }

private:
    [[nodiscard]] std::optional<watched_channel> watched(std::optional<std::size_t> n) const {
        return n ? std::optional<watched_channel>({channels[*n].attempt, channels[*n].is_stream}) : std::nullopt;
    }

    simulation& sim_;
};

} // namespace support
