// The ends of the wires of a network: a server, its clients, and the server's names of exchanges and channels under
// way.
#pragma once

#include "simulation/simulation.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

// The calls of the wires to the two sides that they join.
class sides {
public:
    // Takes the events and the transmits of a side until both run dry.
    virtual void pump_client(std::size_t i) = 0;
    virtual void pump_server() = 0;
    // The timer of a side was due, and handle_timeout was called.
    virtual void client_timed_out(std::size_t) {}
    virtual void server_timed_out() {}
    // Comes instead of a frame of a WebSocket.
    virtual std::string_view garbage() { return "9"; }

protected:
    ~sides() = default;
};

template <class Server, class Client>
class ends {
public:
    // `make_server(random_source&, network_plan&)` may change the plan.
    template <class MakeServer>
    ends(simulation& sim, MakeServer make_server) : server(make_server(sim.random, sim.plan)) {}
    ends(ends const&) = delete;
    ends& operator=(ends const&) = delete;

    struct client {
        template <class... Args>
        explicit client(Args&&... args) : session(std::forward<Args>(args)...) {}

        Client session;
        peer side;
        // Its attempt, exchanges and move, once it was first opened.
        std::optional<std::size_t> attempt;
        std::optional<std::size_t> get;
        std::optional<std::size_t> post;
        bool is_moving = false;
    };

    Server server;
    peer server_peer;
    std::size_t origin = 0; // the attempt from which the server gets an input
    std::deque<client> clients;

    // Sets whom they call, before anything happens. It outlives them, or is no longer called.
    void attach(sides& both) noexcept { sides_ = &both; }

    // After each input.
    void pump_client(std::size_t i) { sides_->pump_client(i); }
    void pump_server() { sides_->pump_server(); }
    void client_timed_out(std::size_t i) { sides_->client_timed_out(i); }
    void server_timed_out() { sides_->server_timed_out(); }
    [[nodiscard]] std::string_view garbage() { return sides_->garbage(); }

private:
    sides* sides_ = nullptr;
};

// The server's names of exchanges or channels: each time the lowest that is free.
class names {
public:
    std::uint64_t take(std::size_t thing) {
        auto const free = std::find(things_.begin(), things_.end(), std::nullopt);
        auto const name = static_cast<std::size_t>(free - things_.begin());
        if (free == things_.end())
            things_.emplace_back(thing);
        else
            *free = thing;
        return name;
    }
    void release(std::uint64_t name) { things_[name].reset(); }

    [[nodiscard]] std::optional<std::size_t> find(std::uint64_t name) const {
        return name < things_.size() ? things_[name] : std::nullopt;
    }
    [[nodiscard]] bool are_free() const {
        return std::none_of(things_.begin(), things_.end(), [](auto const& thing) { return thing.has_value(); });
    }

private:
    std::vector<std::optional<std::size_t>> things_;
};

} // namespace support
