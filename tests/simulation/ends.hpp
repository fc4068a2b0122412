// The ends of the wires of a network: a server, its clients, and the names that the server is given for what is under
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

// The two sides that wires join: what they are called for.
class sides {
public:
    // Takes the events and the transmits of a side until both run dry.
    virtual void pump_client(std::size_t i) = 0;
    virtual void pump_server() = 0;
    // A side has had the timeout that it asked for.
    virtual void client_timed_out(std::size_t) {}
    virtual void server_timed_out() {}
    // What comes instead of a frame of a WebSocket.
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
        // What it is at, since it was first opened.
        std::optional<std::size_t> attempt;
        std::optional<std::size_t> get;
        std::optional<std::size_t> post;
        bool is_moving = false;
    };

    Server server;
    peer server_peer;
    std::size_t origin = 0; // the attempt whose input the server is given
    std::deque<client> clients;

    // Before anything happens: whom they call. It outlives them, or is not called any more.
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

// Names that a server is given for exchanges or channels: the lowest that is free.
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
