// Whole stacks over the tiny network: a server and some clients, applications that use all that there is, and the
// ledger that holds them to what they promise.
#pragma once

#include "simulation/stack_peers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

class stack_network final : private stack_peers {
public:
    // Adds to the figures; writes all that happens to `trace` where there is one.
    stack_network(std::uint64_t seed, network_figures& network, stack_figures& figures, std::string* trace = nullptr)
        : stack_peers(seed, network, figures, trace) {}

    // Runs the schedule to its end. Returns what was wrong with it; nothing if all was well.
    std::string run() {
        ++figures_.schedules;
        note("plan: ",
             plan_.calm    ? "calm"
             : plan_.tight ? "tight"
                           : "rough",
             is_uncertain_ ? ", uncertain" : "", ", ping ", plan_.server.ping_interval.count(), "+",
             plan_.server.ping_timeout.count(), " ms, latency ", plan_.latency.count(), " us, max_payload ",
             plan_.server.max_payload, model_.kept.is_on() ? ", recovery" : "");
        for (std::size_t i = 0; i != clients_.size(); ++i)
            after(microseconds(random_.below(20'000)), [this, i] { start(i); });
        auto const duration = static_cast<std::size_t>(plan_.duration.count());
        for (std::size_t i = 0; i != plan_.actions * 2; ++i)
            after(microseconds(random_.below(duration)), [this] { act(); });
        if (chance(fault::client_frozen) || chance(fault::server_frozen)) plan_freeze();
        if (random_.one_in(20))
            after(microseconds(random_.below(duration)), [this] { as_server([this] { shut_down(); }); });
        after(plan_.duration, [this] { quiesce(5'000); });
        run_agenda();
        if (ledger_.error().empty()) check_end();
        note("end: ", ledger_.error());
        return ledger_.error();
    }

private:
    //=== the program ===//

    void act() {
        std::size_t const i = random_.below(clients_.size());
        switch (random_.below(16)) {
        case 0: return start(i);
        case 1: return as_client(i, [this, i] { random_.one_in(8) ? close(i) : join(i); });
        case 2:
            return as_client(i, [this, i] { random_.one_in(2) ? leave(i, random_.below(namespace_count)) : join(i); });
        case 3: return as_server([this] { broadcast(); });
        case 4: return as_server([this] { broadcast(); });
        case 5: return with_any([this](std::size_t n) { random_.one_in(4) ? disconnect(n) : change_rooms(n); });
        case 6:
            return with_any([this](std::size_t n) { random_.one_in(8) ? disconnect_connection(n) : server_emits(n); });
        case 7: return with_any([this](std::size_t n) { change_rooms(n); });
        case 8:
        case 9:
        case 10:
        case 11:
            return with_any([this](std::size_t n) {
                for (std::size_t left = burst(); left != 0; --left) server_emits(n);
            });
        default:
            return as_client(i, [this, i] { // now and then more than its queue takes
                for (std::size_t left = 3 * burst(); left != 0; --left) client_emits(i);
            });
        }
    }

    // With a socket of the server.
    template <class F>
    void with_any(F f) {
        as_server([this, f] {
            if (!model_.live().empty()) f(random_.pick(model_.live()));
        });
    }

    std::size_t burst() { return random_.one_in(5) ? 1 + random_.below(10) : 1; }

    //=== the end ===//

    // Waits until all that is sure to happen has, then ends all.
    void quiesce(std::size_t patience) {
        is_ending_ = true;
        plan_.faults = 0;
        bool settled = true;
        for (std::size_t i = 0; i != clients_.size(); ++i) settled = settled && is_settled(i);
        if (settled) return end();
        if (patience == 0) {
            for (std::size_t i = 0; i != clients_.size(); ++i) note_unsettled(i);
            return ledger_.fail("what is to happen does not");
        }
        after(plan_.latency + milliseconds(5), [this, patience] { quiesce(patience - 1); });
    }

    [[nodiscard]] bool is_settled(std::size_t i) {
        auto const& c = clients_[i].session;
        user const& u = users_[i];
        if (c.is_idle()) return !u.wants_connection || u.has_given_up;
        if (is_uncertain_ || is_shut_down_ || !plan_.may_open(plan_.clients[i])) return true;
        if (!clients_[i].attempt) return false; // another attempt is to come
        if (ledger_.at(*clients_[i].attempt).faulty) return true;
        if (!u.is_open || !u.wants_connection) return false;
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp)
            if (!is_settled(i, nsp)) return false;
        return !acks_.is_answer_under_way(i);
    }

    void note_unsettled(std::size_t i) {
        if (is_settled(i)) return;
        note("client ", i, " is not settled", users_[i].is_open ? ", open" : "",
             users_[i].wants_connection ? ", wanted" : "");
        for (std::size_t nsp = 0; nsp != namespace_count && clients_[i].attempt; ++nsp)
            if (!is_settled(i, nsp)) note("its socket in ", namespace_names[nsp], " is not settled");
    }

    [[nodiscard]] bool is_settled(std::size_t i, std::size_t nsp) {
        client_socket const& s = model_.socket(i, nsp);
        if (!s.wanted) return true;
        if (!s.at) {
            auto const& all = model_.link_of(*clients_[i].attempt).joinings[nsp];
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

    void end() {
        for (std::size_t i = 0; i != clients_.size(); ++i) {
            if (random_.one_in(3)) continue;
            after(latency(), [this, i] { as_client(i, [this, i] { close(i); }); });
        }
        after(plan_.latency * 4, [this] { as_server([this] { shut_down(); }); });
        // Those that try to connect again, and those that opened unnoticed.
        for (auto const delay : {milliseconds(1'000), milliseconds(50'000)})
            after(delay, [this] {
                for (std::size_t i = 0; i != clients_.size(); ++i) as_client(i, [this, i] { close(i); });
            });
        after(milliseconds(100'000), [this] { check_end(); });
    }

    void check_end() {
        ledger_.expect(server_.size() == 0 && server_.socket_count() == 0, "the server keeps a connection");
        ledger_.expect(!server_.poll_timeout(), "the server waits for something");
        for (auto const& x : server_exchanges_) ledger_.expect(!x, "an exchange is not answered");
        for (auto const& n : server_channels_) ledger_.expect(!n, "the server does not close a channel");
        for (std::size_t i = 0; i != clients_.size(); ++i) {
            ledger_.expect(clients_[i].session.is_idle(), "a client does not close");
            ledger_.expect(!clients_[i].session.poll_timeout(), "a client waits for something");
            check_nothing_left(i);
        }
        ledger_.expect(model_.live().empty(), "a socket is not disconnected");
        for (joining const& j : model_.joinings()) {
            ledger_.expect(server_.sid(j.socket).empty() && !server_.is_connected(j.socket),
                           "a socket outlives its end");
            ledger_.expect(!j.joined || j.left, "a socket of a client is not disconnected");
        }
        acks_.check_end();
    }
};

} // namespace support
