// Shared by all that happens to servers that act as one: the nodes and their clients, what has been emitted, the time.
#pragma once

#include "drivers/counting_random.hpp"
#include "simulation/cluster_model.hpp"
#include "simulation/cluster_plan.hpp"
#include "simulation/cluster_timeline.hpp"
#include "tools/random.hpp"

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/message_node.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class cluster_scene {
protected:
    using message = socketless::cluster::detail::message;
    using message_type = socketless::cluster::detail::message_type;
    static constexpr milliseconds longest_timeout{2'000};

    // A server and its node, from its start to its end.
    struct life {
        life(std::size_t at, socketless::server_options const& options,
             socketless::cluster::node_options const& of_node, cluster_plan const& plan, std::uint64_t number,
             socketless::time_point now)
            : place(at), server(options, counting_random(number), now),
              node(server, of_node, plan.heartbeat, counting_random(number + 1'000'000), now) {}

        std::size_t place;
        socketless::server server;
        socketless::cluster::message_node node;
        bool is_closed = false;
        std::map<std::uint64_t, std::size_t> channels{}; // the clients
        std::optional<std::size_t> joining{};
        std::map<std::string, bool, std::less<>> known{}; // nodes that have joined, and whether they are there
        std::map<std::uint64_t, cluster_request> requests{};
        std::vector<socketless::time_point> asks{}; // of others, for acknowledgements: when they end at the latest
        std::vector<std::uint64_t> fetches{};       // requests for sockets that have yet to be published
        socketless::time_point held_until{};        // its messages are not fetched before
        std::uint64_t sent_at_close = ~std::uint64_t{0};
        std::uint64_t polled = 0;          // messages
        socketless::time_point due{};      // of its timer
        socketless::time_point due_late{}; // when that is called
    };

    cluster_scene(std::uint64_t seed, cluster_figures& figures, std::string* trace)
        : random_(seed), plan_(draw_cluster_plan(random_)), figures_(figures), trace_(trace) {
        time_.now = socketless::time_point(std::chrono::hours(1));
    }
    ~cluster_scene() = default;

    // Drains a node.
    virtual void pump(std::size_t n) = 0;

    //=== time ===//

    [[nodiscard]] milliseconds below(milliseconds most) {
        return milliseconds(static_cast<std::int64_t>(random_.below(static_cast<std::size_t>(most.count()) + 1)));
    }

    void pass_time(life& l) {
        l.server.handle_timeout(time_.now);
        l.node.handle_timeout(time_.now);
    }

    void fail(std::string what) {
        note(what);
        if (wrong_.empty()) wrong_ = std::move(what);
    }
    void note(std::string_view what) {
        if (trace_ == nullptr) return;
        auto const ms = std::chrono::duration_cast<milliseconds>(time_.now.time_since_epoch()).count() - 3'600'000;
        trace_->append(std::to_string(ms)).append(" ").append(what).append("\n");
    }
    [[nodiscard]] static std::string named(std::size_t n) { return "node " + std::to_string(n); }

    //=== clients ===//

    void receive(std::size_t n, std::uint64_t channel, std::string text) {
        lives_[n]->server.websocket_received(channel, {socketless::frame_kind::text, text}, time_.now);
        pump(n);
    }
    // A client of the node that is connected, if there is one.
    [[nodiscard]] std::optional<std::size_t> any_client(std::size_t n) {
        std::vector<std::size_t> own;
        for (std::size_t i = 0; i != clients_.size(); ++i)
            if (clients_[i].life == n && clients_[i].is_connected) own.push_back(i);
        return own.empty() ? std::nullopt : std::optional(random_.pick(own));
    }
    // The id of a socket of any node.
    [[nodiscard]] std::string any_sid() {
        return clients_.empty() ? std::string("nobody") : clients_[random_.below(clients_.size())].sid;
    }
    [[nodiscard]] std::string any_room() {
        return random_.one_in(4) ? any_sid() : std::string(random_.pick(cluster_rooms));
    }

    // The handle means nothing to others, the id does.
    static void name_client(cluster_audience& a, std::vector<cluster_client> const& clients) {
        if (a.except_client) a.except.push_back(clients[*a.except_client].sid);
        a.except_client.reset();
    }

    template <class F>
    void for_each_of(std::size_t n, cluster_audience const& whom, F f) {
        for (std::size_t i = 0; i != clients_.size(); ++i)
            if (clients_[i].life == n && whom.has(clients_[i], i)) f(clients_[i]);
    }
    [[nodiscard]] std::vector<std::string> sids_of(std::size_t n, cluster_audience const& whom) {
        std::vector<std::string> sids;
        for_each_of(n, whom, [&](cluster_client& c) { sids.push_back(c.sid); });
        std::ranges::sort(sids);
        return sids;
    }

    //=== events ===//

    // The number in an event, of clients or servers.
    [[nodiscard]] static std::optional<std::uint64_t> number_of(message const& m) {
        if (m.type != message_type::broadcast && m.type != message_type::server_side_emit) return std::nullopt;
        return number_in(m.payload());
    }
    [[nodiscard]] static std::uint64_t number_in(socketless::json::text array) {
        auto second = array.elements().begin();
        return (*++second).get<std::uint64_t>().value_or(0);
    }

    random_source random_;
    cluster_plan plan_;
    cluster_figures& figures_;
    std::string* trace_;
    std::string wrong_;
    cluster_timeline time_;

    std::vector<std::unique_ptr<life>> lives_; // null: it has ended
    std::vector<std::size_t> places_;          // the lives that are there
    std::vector<cluster_client> clients_;
    std::vector<cluster_emission> emissions_{{.sender = 0}}; // numbers begin at 1

    message read_;
};

} // namespace support
