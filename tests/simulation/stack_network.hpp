// Whole stacks over the tiny network: a server and some clients, applications that use all functions, and the ledger
// that holds the stacks to their promises.
#pragma once

#include "simulation/program.hpp"
#include "simulation/stack_application.hpp"
#include "simulation/stack_clients.hpp"
#include "simulation/stack_peers.hpp"
#include "simulation/stack_scene.hpp"
#include "simulation/stack_wires.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

template <class Wires>
class basic_stack_network final : private program {
public:
    // Adds to the figures; writes all that happens to `trace` where there is one.
    basic_stack_network(std::uint64_t seed, network_figures& network, stack_figures& figures,
                        std::string* trace = nullptr)
        : scene_(seed, network, figures, trace) {}

    // Runs the schedule to its end. Returns the first error; empty if all was well.
    std::string run() { return program_run(sim_, wires_, *this).run(); }

private:
    //=== the program ===//

    [[nodiscard]] std::string about() const override {
        return std::string(scene_.is_uncertain ? ", uncertain" : "") + (model_.kept.is_on() ? ", recovery" : "");
    }
    [[nodiscard]] std::size_t actions() const override { return sim_.plan.actions * Wires::actions; }
    [[nodiscard]] std::size_t patience() const override { return 5'000; }

    void begin(std::size_t i) override { clients_.start(i); }

    void plan_more() override {
        wires_.plan_more();
        auto const duration = static_cast<std::size_t>(sim_.plan.duration.count());
        if (sim_.random.one_in(20)) sim_.after(microseconds(sim_.random.below(duration)), [this] { shut_down(); });
    }

    void act() override {
        std::size_t const i = sim_.random.below(wires_.clients.size());
        switch (sim_.random.below(16)) {
        case 0: return clients_.start(i);
        case 1: return scene_.as_client(i, [this, i] { sim_.random.one_in(8) ? clients_.close(i) : clients_.join(i); });
        case 2:
            return scene_.as_client(i, [this, i] {
                sim_.random.one_in(2) ? clients_.leave(i, sim_.random.below(namespace_count)) : clients_.join(i);
            });
        case 3: return scene_.as_server([this] { application_.broadcast(); });
        case 4: return scene_.as_server([this] { application_.broadcast(); });
        case 5:
            return with_any([this](std::size_t n) {
                sim_.random.one_in(4) ? application_.disconnect(n) : application_.change_rooms(n);
            });
        case 6:
            return with_any([this](std::size_t n) {
                sim_.random.one_in(8) ? application_.disconnect_connection(n) : application_.emit(n);
            });
        case 7: return with_any([this](std::size_t n) { application_.change_rooms(n); });
        case 8:
        case 9:
        case 10:
        case 11:
            return with_any([this](std::size_t n) {
                for (std::size_t left = burst(); left != 0; --left) application_.emit(n);
            });
        default:
            return scene_.as_client(i, [this, i] { // now and then more than its queue takes
                for (std::size_t left = 3 * burst(); left != 0; --left) clients_.emit(i);
            });
        }
    }

    // Calls f with a socket of the server.
    template <class F>
    void with_any(F f) {
        scene_.as_server([this, f] {
            if (!model_.live().empty()) f(sim_.random.pick(model_.live()));
        });
    }

    std::size_t burst() { return sim_.random.one_in(5) ? 1 + sim_.random.below(10) : 1; }

    //=== the end ===//

    void stop() override {
        scene_.is_ending = true;
        sim_.plan.faults = 0;
    }

    [[nodiscard]] bool is_settled() override {
        bool settled = true;
        for (std::size_t i = 0; i != wires_.clients.size(); ++i) settled = settled && is_settled(i);
        return settled;
    }

    void note_unsettled() override {
        for (std::size_t i = 0; i != wires_.clients.size(); ++i) note_unsettled(i);
    }

    [[nodiscard]] bool is_settled(std::size_t i) {
        auto const& c = wires_.clients[i].session;
        auto const& u = clients_.users[i];
        if (c.is_idle()) return !u.wants_connection || u.has_given_up;
        if (scene_.is_uncertain || application_.is_shut_down || !sim_.plan.may_open(sim_.plan.clients[i])) return true;
        if (!wires_.clients[i].attempt) return false;                            // another attempt follows
        if (sim_.ledger.at(*wires_.clients[i].attempt).faulty) return u.is_open; // messages may be lost
        if (!u.is_open || !u.wants_connection) return false;
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp)
            if (!is_settled(i, nsp)) return false;
        return !acks_.is_answer_under_way(i);
    }

    void note_unsettled(std::size_t i) {
        if (is_settled(i)) return;
        sim_.note("client ", i, " is not settled", clients_.users[i].is_open ? ", open" : "",
                  clients_.users[i].wants_connection ? ", wanted" : "");
        for (std::size_t nsp = 0; nsp != namespace_count && wires_.clients[i].attempt; ++nsp)
            if (!is_settled(i, nsp)) sim_.note("its socket in ", namespace_names[nsp], " is not settled");
    }

    [[nodiscard]] bool is_settled(std::size_t i, std::size_t nsp) {
        client_socket const& s = model_.socket(i, nsp);
        if (!s.wanted) return true;
        if (!s.at) {
            auto const& all = model_.link_of(*wires_.clients[i].attempt).joinings[nsp];
            bool const is_ignored = !all.empty() && model_.joinings()[all.back()].is_ignored;
            return s.is_asked || is_ignored;
        }
        joining const& j = model_.joinings()[*s.at];
        // All tries of an event may have been lost with connections that ended.
        bool const all_tried = std::all_of(s.retried.begin(), s.retried.end(), [&](auto n) {
            return model_.event(n).sent != 0 || model_.event(n).ends != s.ends;
        });
        return j.is_connected() && j.up.is_complete() && j.down.is_complete() && all_tried;
    }

    void close(std::size_t i) override {
        scene_.as_client(i, [this, i] { clients_.close(i); });
    }

    void close_server() override {
        sim_.after(sim_.plan.latency * 4, [this] { shut_down(); });
    }

    void shut_down() {
        scene_.as_server([this] { application_.shut_down(); });
    }

    void check_end() override {
        wires_.check_end();
        sim_.ledger.expect(wires_.server.socket_count() == 0, "the server keeps a socket");
        for (auto const& c : wires_.clients) sim_.ledger.expect(c.session.is_idle(), "a client does not close");
        sim_.ledger.expect(model_.live().empty(), "a socket is not disconnected");
        for (joining const& j : model_.joinings()) {
            sim_.ledger.expect(wires_.server.sid(j.socket).empty() && !wires_.server.is_connected(j.socket),
                               "a socket outlives its end");
            sim_.ledger.expect(!j.joined || j.left, "a socket of a client is not disconnected");
        }
        acks_.check_end();
    }

    stack_scene<Wires> scene_;
    simulation& sim_ = scene_.sim;
    Wires& wires_ = scene_.wires;
    stack_ledger& model_ = scene_.model;
    stack_acks& acks_ = scene_.acks;
    stack_clients<Wires> clients_{scene_};
    stack_application<Wires> application_{scene_};
    stack_peers<Wires> peers_{scene_, clients_, application_};
};

// Over exchanges and channels.
using stack_network = basic_stack_network<stack_wires>;

} // namespace support
