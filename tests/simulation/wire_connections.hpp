// TCP, nearly: connections whose bytes come in order, cut and merged anywhere, late or never; which are refused, reset,
// half-closed or go silent; writes that take their time.
#pragma once

#include "simulation/ends.hpp"
#include "simulation/simulation.hpp"
#include "simulation/wire_taps.hpp"
#include "tools/mutations.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace support {

// A client or the server, as its connections see it.
class wire_host {
public:
    peer side;
    std::size_t open = 0; // how many connections it knows

    // The server accepts a connection then.
    virtual void connected(wire::connection_id id) = 0;
    virtual void received(wire::connection_id id, std::span<char> bytes) = 0;
    virtual void ended(wire::connection_id id) = 0;
    virtual void closed(wire::connection_id id) = 0;
    virtual void pause(wire::connection_id id) = 0;
    virtual void resume(wire::connection_id id) = 0;
    // After inputs.
    virtual void pump() = 0;
    // Who it is, in the trace.
    [[nodiscard]] virtual std::string who() const = 0;

protected:
    ~wire_host() = default;
};

// One end of a connection. Ends lie beside each other: the client's has an even number, the server's the next one.
struct wire_end {
    enum class state : std::uint8_t { none, connecting, open, closed };

    wire_host* host = nullptr;
    wire::connection_id name = 0;
    state at = state::none;
    bool is_paused = false;
    bool has_ended = false;     // its side
    bool is_to_be_cut = false;  // what is sent to it next
    bool hears_nothing = false; // what is sent to it is lost
    std::string unsent = {};    // the rest of a write
    std::string incoming = {};  // what is on its way to it
    time_point last_arrival = {};
};

class wire_connections {
public:
    wire_connections(simulation& sim, wire_host& server) : sim_(sim), figures_(sim.figures.wire), server_(server) {}
    wire_connections(wire_connections const&) = delete;
    wire_connections& operator=(wire_connections const&) = delete;

    struct connection {
        std::size_t client = 0;
        std::size_t attempt = 0; // of the last request
        bool is_dead = false;    // nothing arrives any more
    };

    // A transmit of a client, or of the server if it is none. `attempt`: see `connection`.
    void perform(wire_host& host, std::optional<std::size_t> client, std::size_t attempt, wire::transmit const& t) {
        using enum wire::transmit_type;
        if (t.type == connect) return begin(host, client, attempt, t);
        auto const e = find(host, t.connection);
        if (!e) return sim_.ledger.fail("a transmit names a connection that is not there");
        if (t.type == send) return write(*e, attempt, t.data);
        if (t.type == end) return end_side(*e);
        if (t.type == close) return close_end(*e);
        sim_.ledger.fail("TLS begins where none is");
    }

    [[nodiscard]] connection const& of_server(wire::connection_id name) const { return all_[*names_.find(name) / 2]; }

    [[nodiscard]] bool are_closed() const {
        return names_.are_free() && std::none_of(ends_.begin(), ends_.end(), [](wire_end const& e) {
                   return e.at == wire_end::state::open || e.at == wire_end::state::connecting;
               });
    }

    // The network harms the sessions of a client.
    void harm(std::size_t client) {
        for (attempt& a : sim_.ledger.attempts())
            if (a.client == client && !a.closed) a.faulty = true;
    }

private:
    using state = wire_end::state;

    static constexpr std::size_t other(std::size_t e) noexcept { return e ^ 1u; }
    static bool is_there(wire_end const& e) noexcept { return e.at == state::open || e.at == state::connecting; }

    // The end that a host knows by this name.
    [[nodiscard]] std::optional<std::size_t> find(wire_host const& host, wire::connection_id name) const {
        if (&host == &server_) return names_.find(name);
        for (std::size_t e = ends_.size(); e != 0; e -= 2) {
            wire_end const& c = ends_[e - 2];
            if (c.host == &host && c.name == name && is_there(c)) return e - 2;
        }
        return std::nullopt;
    }

    // Everything that goes one way arrives in the order in which it was sent.
    time_point arrival(std::size_t e) {
        return ends_[e].last_arrival = std::max(ends_[e].last_arrival, sim_.now + sim_.latency());
    }

    // Calls `f` at that time, or when the side thaws.
    template <class F>
    void at_end(std::size_t e, time_point when, F f) {
        sim_.at(when, [this, e, f] { sim_.deliver(ends_[e].host->side, [this, e, f] { (this->*f)(e); }); });
    }

    //=== connecting ===//

    void begin(wire_host& host, std::optional<std::size_t> client, std::size_t attempt, wire::transmit const& t) {
        if (!client) return sim_.ledger.fail("the server connects");
        sim_.ledger.expect(!find(host, t.connection), "a connection has the name of another");
        sim_.ledger.expect(t.host == "a.test" && t.port == 8080 && !t.tls, "a client connects to another place");
        ++figures_.connections;
        std::size_t const e = ends_.size();
        all_.push_back({*client, attempt});
        ends_.push_back({.host = &host, .name = t.connection, .at = state::connecting});
        ends_.push_back({.host = &server_});
        ++host.open;
        if (fails(fault::channel_refused, e)) return at_end(e, arrival(e), &wire_connections::closed_at);
        if (fails(fault::channel_never_opens, e)) {
            all_.back().is_dead = true;
            return;
        }
        if (fails(fault::channel_opens_late, e))
            ends_[other(e)].last_arrival =
                sim_.now +
                sim_.plan.clients[*client % sim_.plan.clients.size()].open_timeout * sim_.random.between(1, 4) / 2;
        at_end(other(e), arrival(other(e)), &wire_connections::accept_at);
        if (sim_.chance(fault::channel_dies)) sim_.after(some_time(), [this, e] { reset(e); });
        if (sim_.chance(fault::channel_goes_silent)) sim_.after(some_time(), [this, e] { silence(e); });
        if (sim_.chance(fault::request_cut)) sim_.after(some_time(), [this, e] { cut(other(e)); });
        if (sim_.chance(fault::response_cut)) sim_.after(some_time(), [this, e] { cut(e); });
    }

    bool fails(fault f, std::size_t e) {
        if (!sim_.chance(f)) return false;
        sim_.did(f);
        harm_of(e);
        return true;
    }
    void harm_of(std::size_t e) { harm(all_[e / 2].client); }

    microseconds some_time() {
        return microseconds(sim_.random.below(static_cast<std::size_t>(sim_.plan.duration.count())) >>
                            sim_.random.below(8));
    }

    void accept_at(std::size_t e) {
        // The client may have closed it meanwhile.
        if (all_[e / 2].is_dead || (!is_there(ends_[other(e)]) && sim_.random.one_in(2))) return;
        wire_end& s = ends_[e];
        s.at = state::open;
        s.name = names_.take(e);
        ++server_.open;
        sim_.note("server <- accepted: connection ", s.name, " of client ", all_[e / 2].client);
        server_.connected(s.name);
        at_end(other(e), arrival(other(e)), &wire_connections::connected_at);
        server_.pump();
    }

    void connected_at(std::size_t e) {
        wire_end& c = ends_[e];
        if (c.at != state::connecting || all_[e / 2].is_dead) return;
        c.at = state::open;
        sim_.note(c.host->who(), " <- connected: ", c.name);
        c.host->connected(c.name);
        c.host->pump();
    }

    //=== writing ===//

    void write(std::size_t e, std::size_t attempt, std::string_view data) {
        wire_end& w = ends_[e];
        sim_.ledger.expect(!data.empty(), "nothing is sent");
        sim_.ledger.expect(w.at == state::open, "something is sent on a connection that is not made");
        sim_.ledger.expect(!w.is_paused, "something is sent on a connection that is paused");
        sim_.ledger.expect(!w.has_ended, "something is sent on a side that has ended");
        if (e % 2 == 0) all_[e / 2].attempt = attempt;
        std::size_t size = data.size();
        if (sim_.plan.write_time.count() != 0 && sim_.random.one_in(2)) {
            size = sim_.random.below(size + 1);
            w.unsent = data.substr(size);
            pause(e);
        }
        put(e, data.substr(0, size));
    }

    void pause(std::size_t e) {
        ++figures_.partial_writes;
        wire_end& w = ends_[e];
        w.is_paused = true;
        w.host->pause(w.name);
        auto const how_long =
            microseconds(1 + sim_.random.below(static_cast<std::size_t>(sim_.plan.write_time.count())));
        at_end(e, sim_.now + how_long, &wire_connections::write_more_at);
    }

    void write_more_at(std::size_t e) {
        wire_end& w = ends_[e];
        if (w.at != state::open) return;
        auto const rest = std::exchange(w.unsent, {});
        put(e, rest);
        w.is_paused = false;
        sim_.note(w.host->who(), " <- resume: ", w.name);
        w.host->resume(w.name);
        w.host->pump();
    }

    // Bytes leave this end.
    void put(std::size_t e, std::string_view bytes) {
        if (all_[e / 2].is_dead || ends_[other(e)].hears_nothing) return harm_of(e);
        if (bytes.empty()) return;
        wire_end& r = ends_[other(e)];
        r.incoming += bytes;
        at_end(other(e), arrival(other(e)), &wire_connections::receive_at);
        if (r.is_to_be_cut) cut(other(e));
    }

    //=== reading ===//

    void receive_at(std::size_t e) {
        wire_end& r = ends_[e];
        if (r.incoming.empty() || all_[e / 2].is_dead) return;
        if (r.at == state::closed) return answer_by_reset(e);
        if (r.at != state::open) return;
        std::size_t const size = sim_.random.one_in(2) ? r.incoming.size() : sim_.random.below(r.incoming.size() + 1);
        give(e, size);
        if (!r.incoming.empty()) at_end(e, sim_.now, &wire_connections::receive_at);
        r.host->pump();
        bytes_.clear();
    }

    // Gives bytes in, as one or two inputs.
    void give(std::size_t e, std::size_t size) {
        if (size == 0) return;
        std::size_t const first = sim_.random.one_in(6) ? sim_.random.below(size) : 0;
        if (first != 0) give_one(e, first);
        give_one(e, size - first);
    }
    void give_one(std::size_t e, std::size_t size) {
        wire_end& r = ends_[e];
        bytes_.emplace_back(std::string_view(r.incoming).substr(0, size));
        r.incoming.erase(0, size);
        ++figures_.segments;
        figures_.bytes += size;
        sim_.note(r.host->who(), " <- connection ", r.name, ": ", bytes_.back().view());
        r.host->received(r.name, bytes_.back().span());
    }

    // Bytes have come for an end that is closed. What has not been read at the other end is lost.
    void answer_by_reset(std::size_t e) {
        ++figures_.late_bytes;
        ends_[e].incoming.clear();
        ends_[e].hears_nothing = true;
        if (is_there(ends_[other(e)])) at_end(other(e), sim_.now + sim_.latency(), &wire_connections::closed_at);
    }

    //=== ends ===//

    void end_side(std::size_t e) {
        wire_end& w = ends_[e];
        ++figures_.ends;
        sim_.ledger.expect(e % 2 == 1, "a client ends its side");
        sim_.ledger.expect(!w.is_paused && !w.has_ended, "a side ends twice, or while it writes");
        w.has_ended = true;
        if (!all_[e / 2].is_dead) at_end(other(e), arrival(other(e)), &wire_connections::ended_at);
    }

    void close_end(std::size_t e) {
        wire_end& w = ends_[e];
        bool const was_open = w.at == state::open;
        forget(e);
        if (all_[e / 2].is_dead || w.has_ended || !was_open) return;
        at_end(other(e), arrival(other(e)), &wire_connections::ended_at);
    }

    void forget(std::size_t e) {
        wire_end& w = ends_[e];
        w.at = state::closed;
        w.unsent.clear();
        --w.host->open;
        if (e % 2 == 1) names_.release(w.name);
    }

    void ended_at(std::size_t e) {
        wire_end& r = ends_[e];
        if (r.at != state::open || all_[e / 2].is_dead) return;
        give(e, r.incoming.size());
        sim_.note(r.host->who(), " <- ended: ", r.name);
        r.host->ended(r.name);
        r.host->pump();
        bytes_.clear();
    }

    // It was reset.
    void closed_at(std::size_t e) {
        wire_end& r = ends_[e];
        if (!is_there(r)) return;
        if (sim_.random.one_in(2) && r.at == state::open) give(e, r.incoming.size());
        r.incoming.clear();
        forget(e);
        sim_.note(r.host->who(), " <- closed: ", r.name);
        r.host->closed(r.name);
        r.host->pump();
        bytes_.clear();
    }

    void reset(std::size_t e) {
        if (!is_there(ends_[e]) && !is_there(ends_[other(e)])) return;
        sim_.did(fault::channel_dies);
        harm_of(e);
        for (std::size_t const end : {e, other(e)}) at_end(end, sim_.now + sim_.latency(), &wire_connections::lost_at);
    }
    void lost_at(std::size_t e) {
        harm_of(e);
        closed_at(e);
        ends_[e].hears_nothing = true;
    }

    // Nothing arrives any more; at most one side learns of it.
    void silence(std::size_t e) {
        if (!is_there(ends_[e]) && !is_there(ends_[other(e)])) return;
        sim_.did(fault::channel_goes_silent);
        harm_of(e);
        all_[e / 2].is_dead = true;
        std::size_t const who = sim_.random.below(3);
        if (who != 2) at_end(e + who, sim_.now + sim_.latency(), &wire_connections::lost_at);
    }

    // Of what goes to this end next, a beginning arrives, then its end. TCP loses nothing before an end; proxies do.
    // That a whole answer is lost before its first byte would go unseen.
    void cut(std::size_t e) {
        wire_end& r = ends_[e];
        if (r.at != state::open) return;
        if (r.incoming.size() < 2) {
            r.is_to_be_cut = true;
            return;
        }
        sim_.did(e % 2 == 0 ? fault::response_cut : fault::request_cut);
        harm_of(e);
        r.hears_nothing = true;
        r.incoming.resize(1 + sim_.random.below(r.incoming.size() - 1));
        at_end(e, arrival(e), &wire_connections::ended_at);
    }

    simulation& sim_;
    wire_figures& figures_;
    wire_host& server_;
    std::deque<connection> all_;
    std::deque<wire_end> ends_;
    names names_; // of the server
    std::deque<exact_copy> bytes_;
};

} // namespace support
