// Lies between a whole server and its clients: HTTP and WebSocket of the library on connections of bytes.
#pragma once

#include "simulation/driving.hpp"
#include "simulation/ends.hpp"
#include "simulation/simulation.hpp"
#include "simulation/stack_plan.hpp"
#include "simulation/stack_wires.hpp"
#include "simulation/wire_connections.hpp"
#include "simulation/wire_plan.hpp"
#include "simulation/wire_stranger.hpp"
#include "simulation/wire_taps.hpp"

#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>
#include <socketless/wire/server.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace support {

// The side of a connection that a wire::client or a wire::server is.
template <class Wire>
class wire_side final : public wire_host {
public:
    template <class... Args>
    wire_side(simulation& sim, std::string who, Args&&... args)
        : wire(std::forward<Args>(args)...), sim_(sim), who_(std::move(who)) {}

    Wire wire;
    std::string buffer;

    void connected(wire::connection_id id) override {
        if constexpr (requires { wire.connected(id, time_point()); })
            wire.connected(id, sim_.now);
        else
            wire.accepted(id, "an address", sim_.now);
    }
    void received(wire::connection_id id, std::span<char> bytes) override { wire.received(id, bytes, sim_.now); }
    void ended(wire::connection_id id) override { wire.ended(id, sim_.now); }
    void closed(wire::connection_id id) override { wire.closed(id, sim_.now); }
    void pause(wire::connection_id id) override { wire.pause(id); }
    void resume(wire::connection_id id) override { wire.resume(id); }
    void pump() override { on_input(); }
    [[nodiscard]] std::string who() const override { return who_; }

    std::function<void()> on_input;

    // Hands out its events, and has its transmits carried, until both run dry.
    template <class OnEvent, class Carry>
    void drain(OnEvent on_event, Carry carry) {
        support::drain(sim_, wire, buffer, on_event, [&](wire::transmit const& t) {
            sim_.note(who_, " -> ", names[static_cast<std::size_t>(t.type)], " ", t.connection, " ", t.data);
            carry(t);
        });
        sim_.ledger.expect(wire.connection_count() == open, "a side counts other connections");
    }

    void set_timer(std::function<void()> on_timeout) {
        sim_.set_timer(side, wire.poll_timeout(), std::move(on_timeout));
    }
    void pass_time() { wire.handle_timeout(sim_.now); }
    void timed_out() {
        sim_.note(who_, ": timeout");
        pass_time();
        pump();
        auto const next = wire.poll_timeout();
        sim_.ledger.expect(!next || *next > sim_.now, "a side asks for a timeout that it has had");
    }

private:
    static constexpr std::string_view names[] = {"connect", "start_tls", "send", "end", "close"};

    simulation& sim_;
    std::string who_;
};

class wire_wires final : private server_tap {
    using server_side = wire_side<wire::server<tapped_server>>;
    using client_side = wire_side<wire::client<tapped_client>>;

    simulation& sim_;
    bool answers_others_ = false; // the application does, not the wire
    bool has_cors_ = false;
    bool is_closing_ = false;
    server_side server_;
    std::deque<client_side> sides_;

public:
    static constexpr std::size_t actions = 1;

    struct client {
        tapped_client& session;
        peer& side;
        std::optional<std::size_t> attempt = std::nullopt;
    };

    explicit wire_wires(simulation& sim)
        : sim_(sim), server_(make_server(sim)), server(server_.wire.protocol()), server_peer(server_.side),
          connections_(sim, server_) {
        server.tap = this;
    }
    wire_wires(wire_wires const&) = delete;
    wire_wires& operator=(wire_wires const&) = delete;

    tapped_server& server;
    peer& server_peer;
    std::deque<client> clients;

    void add_client(engineio::client_options const& options) {
        std::size_t const i = clients.size();
        auto protocol = draw_stack_client(sim_.random, sim_.plan, options);
        auto wire = draw_wire_client(sim_.random, sim_.plan);
        sides_.emplace_back(sim_, "client " + std::to_string(i), *socketless::http::parse_url("http://a.test:8080/"),
                            std::move(protocol), std::move(wire), random_bytes_of(sim_.random), sim_.now);
        sides_.back().on_input = [this, i] { pump_client(i); };
        clients.push_back({sides_.back().wire.protocol(), sides_.back().side});
    }

    // The attempt from which the server gets an input.
    [[nodiscard]] std::size_t origin() const noexcept { return origin_; }

    void attach(sides& both) {
        both_ = &both;
        server_.on_input = [this] { pump_server(); };
    }
    void pump_client(std::size_t i) { both_->pump_client(i); }
    void pump_server() { both_->pump_server(); }

    //=== what the sides say ===//

    template <class OnEvent, class OnTransmit>
    void drain_client(std::size_t i, OnEvent on_event, OnTransmit on_transmit) {
        clients[i].session.on_transmit = [&](engineio::transmit const& t) { on_transmit(t); };
        sides_[i].drain(
            on_event, [this, i](wire::transmit const& t) { connections_.perform(sides_[i], i, attempt_of(i, t), t); });
    }
    template <class OnEvent, class OnTransmit>
    void drain_server(OnEvent on_event, OnTransmit on_transmit) {
        server.on_transmit = [&](engineio::transmit const& t) { on_transmit(t); };
        do
            server_.drain(on_event,
                          [this](wire::transmit const& t) { connections_.perform(server_, std::nullopt, 0, t); });
        while (answer_requests());
    }

    void set_client_timer(std::size_t i) {
        sides_[i].set_timer([this, i] {
            sides_[i].timed_out();
            both_->client_timed_out(i);
        });
    }
    void set_server_timer() {
        server_.set_timer([this] {
            server_.timed_out();
            both_->server_timed_out();
        });
    }

    // The wire carries it; here it is only noted for whom.
    void carry_from_client(std::size_t i, engineio::transmit const& t) {
        sim_.note("client ", i, ": ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.target, " ",
                  t.data.data);
        using enum engineio::transmit_type;
        if (t.type == open_websocket) channels_of_clients_[i][t.id] = *clients[i].attempt;
    }
    void carry_from_server(engineio::transmit const& t) {
        sim_.note("server: ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.status, " ",
                  t.data.data);
        if (t.type != engineio::transmit_type::respond) return;
        auto const found = requests_.find(t.id);
        if (found == requests_.end()) return sim_.ledger.fail("a request is answered that there is not");
        if (!t.sid.empty()) attempts_[std::string(t.sid)] = found->second.attempt;
        requests_.erase(found);
    }

    //=== what applications do ===//

    void pass_time_of_client(std::size_t i) { sides_[i].pass_time(); }
    void pass_time_of_server() { server_.pass_time(); }
    void close_server() {
        is_closing_ = true;
        server_.wire.close();
    }

    // Plans what is the network's own: strangers come.
    void plan_more() {
        if (!sim_.random.one_in(4)) return;
        for (std::size_t left = 1 + sim_.random.below(3); left != 0; --left) {
            int const other = answers_others_ ? 200 : 404;
            int const preflight = has_cors_ ? 204 : 400;
            strangers_.emplace_back(sim_, connections_, is_closing_,
                                    draw_script(sim_.random, sim_.plan.server.path, other, preflight));
            auto const duration = static_cast<std::size_t>(sim_.plan.duration.count());
            sim_.after(microseconds(sim_.random.below(duration)), [&s = strangers_.back()] { s.begin(); });
        }
    }

    //=== what a transmit is for ===//

    [[nodiscard]] std::optional<std::size_t> attempt_of_get(engineio::exchange_id id) const {
        auto const found = requests_.find(id);
        return found != requests_.end() && found->second.is_get ? std::optional(found->second.attempt) : std::nullopt;
    }
    [[nodiscard]] std::optional<watched_channel> channel_of_client(std::size_t i, engineio::channel_id id) const {
        auto const all = channels_of_clients_.find(i);
        return all == channels_of_clients_.end() ? std::nullopt : watched(all->second, id);
    }
    [[nodiscard]] std::optional<watched_channel> channel_of_server(engineio::channel_id id) const {
        return watched(channels_of_server_, id);
    }

    //=== what must hold ===//

    void check_nothing_left(std::size_t i) {
        sim_.ledger.expect(clients[i].session.queued() == 0, "a closed client has something to send");
    }

    void check_end() {
        sim_.ledger.expect(server.connection_count() == 0, "the server keeps a session");
        sim_.ledger.expect(server_.wire.connection_count() == 0, "the server keeps a connection");
        sim_.ledger.expect(server_.wire.is_done(), "the server is not done");
        sim_.ledger.expect(!server_.wire.poll_timeout(), "the server waits for something");
        sim_.ledger.expect(connections_.are_closed(), "a connection is left");
        for (std::size_t i = 0; i != clients.size(); ++i) {
            sim_.ledger.expect(!sides_[i].wire.poll_timeout(), "a closed client waits for something");
            sim_.ledger.expect(sides_[i].wire.connection_count() == 0, "a closed client keeps a connection");
            check_nothing_left(i);
        }
    }

    void plan_freeze() { support::plan_freeze(sim_, server_peer, clients); }

private:
    using channel_map = std::unordered_map<engineio::channel_id, std::size_t>;

    struct request {
        std::size_t attempt;
        bool is_get;
    };

    // Adapts the plan before anything else is drawn.
    server_side make_server(simulation& sim) {
        adapt_to_wire(sim.random, sim.plan);
        auto protocol = draw_stack_server(sim.random, sim.plan);
        auto wire = draw_wire_server(sim.random, sim.plan);
        answers_others_ = wire.other_paths == wire::other_paths::application;
        has_cors_ = wire.cors.is_on();
        return server_side(sim, "server", std::move(protocol), std::move(wire), random_bytes_of(sim.random),
                           time_point());
    }

    // Answers requests for other paths, now or later.
    bool answer_requests() {
        bool is_any = false;
        while (auto const r = server_.wire.poll_request()) {
            is_any = true;
            sim_.ledger.expect(r->path() == "/other" && r->address == "an address", "a request is another");
            if (sim_.random.one_in(2)) {
                respond(r->exchange);
                continue;
            }
            sim_.after(microseconds(sim_.random.below(20'000)), [this, exchange = r->exchange] {
                sim_.deliver(server_peer, [this, exchange] {
                    pass_time_of_server();
                    respond(exchange);
                    pump_server();
                });
            });
        }
        return is_any;
    }
    void respond(std::uint64_t exchange) {
        auto const now = sim_.now;
        auto const done = server_.wire.respond(exchange, {.content_type = "text/plain", .body = "here"}, now);
        sim_.ledger.expect(!done || !server_.wire.respond(exchange, {}, now), "a request is answered twice");
    }

    static std::optional<watched_channel> watched(channel_map const& all, engineio::channel_id id) {
        auto const found = all.find(id);
        return found == all.end() ? std::nullopt : std::optional<watched_channel>({found->second, false});
    }

    // Whose bytes these are: those of a session that is open, or of the attempt that goes on.
    [[nodiscard]] std::size_t attempt_of(std::size_t i, wire::transmit const& t) const {
        auto const line = t.data.substr(0, t.data.find('\r'));
        auto const target = line.substr(0, line.rfind(' '));
        auto const at = target.find("&sid=");
        if (at != std::string_view::npos && (line.starts_with("GET ") || line.starts_with("POST "))) {
            auto const sid = target.substr(at + 5);
            auto const found = attempts_.find(std::string(sid.substr(0, sid.find('&'))));
            if (found != attempts_.end()) return found->second;
        }
        return clients[i].attempt.value_or(0);
    }

    void request_at_server(engineio::http_request const& r) override {
        origin_ = connections_.of_server(r.context).attempt;
        requests_[r.exchange] = {origin_, r.method == engineio::http_method::get};
    }
    void channel_at_server(engineio::channel_id channel, wire::connection_id connection) override {
        origin_ = connections_.of_server(connection).attempt;
        channels_of_server_[channel] = origin_;
    }
    void message_at_server(engineio::channel_id channel) override { origin_ = channels_of_server_[channel]; }

    wire_connections connections_;
    std::deque<wire_stranger> strangers_;
    sides* both_ = nullptr;
    std::size_t origin_ = 0;
    std::unordered_map<engineio::exchange_id, request> requests_; // that the server has yet to answer
    std::unordered_map<std::string, std::size_t> attempts_;       // by the id of the session
    channel_map channels_of_server_;
    std::unordered_map<std::size_t, channel_map> channels_of_clients_;
};

} // namespace support
