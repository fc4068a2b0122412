// HTTP exchanges between clients and a server: they come late, are cut, dropped or lost.
#pragma once

#include "simulation/ends.hpp"
#include "simulation/simulation.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace support {

struct exchange {
    std::size_t client;
    std::size_t attempt;
    engineio::exchange_id client_id;
    bool is_get;
    bool is_binary;
    std::string target;
    std::string body;
    time_point arrival{};
    // The server's name for it, while it is under way there.
    std::optional<engineio::exchange_id> server_id = std::nullopt;
    bool client_done = false;
    bool is_lost = false; // the client does not learn what happens to it
};

template <class Server, class Client>
class exchanges {
public:
    exchanges(simulation& sim, ends<Server, Client>& both) : sim_(sim), ends_(both) {}

    // Begins a transmit of a client or the server; it arrives later, or never.
    void begin(std::size_t i, engineio::transmit const& t) {
        client& c = ends_.clients[i];
        bool const is_get = t.type == engineio::transmit_type::get;
        auto& under_way = is_get ? c.get : c.post;
        sim_.ledger.expect(!under_way, "a second exchange of its kind is begun");
        sim_.ledger.expect(!c.is_moving, "an exchange is begun while an upgrade waits for the others to end");
        // A client of revision 3 does not learn how much a body may hold.
        bool const is_told = c.session.options().revision == engineio::revision::v4;
        if (!is_get && is_told) sim_.ledger.check_body(t.data, engineio::revision::v4, sim_.plan.server.max_payload);
        ++sim_.figures.exchanges;
        std::size_t const x = exchanges_.size();
        under_way = x;
        exchanges_.push_back({i, *c.attempt, t.id, is_get, t.data.kind == socketless::frame_kind::binary,
                              std::string(t.target), std::string(t.data.data)});
        exchange& e = exchanges_.back();
        e.arrival = sim_.now + sim_.latency();
        if (sim_.chance(fault::request_lost)) {
            sim_.did(fault::request_lost, e.attempt);
            return sim_.at(e.arrival, [this, x] { fail(x); });
        }
        if (!is_get && sim_.chance(fault::request_cut)) {
            sim_.did(fault::request_cut, e.attempt);
            sim_.ledger.at(e.attempt).request_cut = true;
            e.body = cut(e.body, c.session.options().revision);
        }
        sim_.at(e.arrival, [this, x] { sim_.deliver(ends_.server_peer, [this, x] { request(x); }); });
        if (sim_.chance(fault::exchange_dropped)) sim_.at(e.arrival + sim_.latency(), [this, x] { drop(x); });
    }

    void respond(engineio::transmit const& t) {
        auto const known = names_.find(t.id);
        if (!known) return sim_.ledger.fail("an exchange is answered that is not under way");
        std::size_t const x = *known;
        names_.release(t.id);
        exchange& e = exchanges_[x];
        e.server_id.reset();
        sim_.ledger.check_response(t, e.is_get, ends_.clients[e.client].session.options().revision,
                                   sim_.plan.server.max_payload);
        if (e.client_done || e.is_lost) return;
        e.is_binary = t.content == engineio::content_type::binary;
        e.body = t.data.data;
        int const status = t.status;
        if (sim_.chance(fault::response_lost)) {
            sim_.did(fault::response_lost, e.attempt);
            return sim_.after(sim_.latency(), [this, x] { fail(x); });
        }
        if (e.is_get && status == 200 && sim_.chance(fault::response_cut)) {
            sim_.did(fault::response_cut, e.attempt);
            sim_.ledger.at(e.attempt).response_cut = true;
            e.body = cut(e.body, ends_.clients[e.client].session.options().revision);
        }
        sim_.after(sim_.latency(), [this, x, status] {
            sim_.deliver(ends_.clients[exchanges_[x].client].side, [this, x, status] { response(x, status); });
        });
    }

    void abort_by_client(std::size_t i, engineio::exchange_id id) {
        client& c = ends_.clients[i];
        for (auto* const under_way : {&c.get, &c.post}) {
            if (!*under_way || exchanges_[**under_way].client_id != id) continue;
            std::size_t const x = **under_way;
            under_way->reset();
            exchanges_[x].client_done = true;
            return abort_at_server(x, sim_.latency());
        }
        sim_.ledger.fail("an exchange is given up that is not under way");
    }

    // The exchange that the server knows by this name, or null.
    [[nodiscard]] exchange const* at_server(engineio::exchange_id id) const {
        auto const x = names_.find(id);
        return x ? &exchanges_[*x] : nullptr;
    }
    [[nodiscard]] bool are_over_at_server() const { return names_.are_free(); }

private:
    using client = typename ends<Server, Client>::client;

    // A body that breaks off where nobody can take it for a whole one.
    std::string cut(std::string body, engineio::revision r) {
        if (body.empty()) return body;
        if (r == engineio::revision::v4)
            body.resize(body.rfind(engineio::packet_separator, sim_.random.below(body.size())) + 1);
        else
            body.pop_back();
        return body;
    }

    void request(std::size_t x) {
        exchange& e = exchanges_[x];
        e.server_id = names_.take(x);
        sim_.note("server <- ", e.is_get ? "GET " : "POST ", e.target, " as exchange ", *e.server_id, ": ", e.body);
        ends_.origin = e.attempt;
        exact_copy const body(e.body);
        ends_.server.http_received({.exchange = *e.server_id,
                                    .method = e.is_get ? engineio::http_method::get : engineio::http_method::post,
                                    .target = e.target,
                                    .is_binary = e.is_binary,
                                    .body = body.span()},
                                   sim_.now);
        ends_.pump_server();
        sim_.ledger.expect(e.is_get || !e.server_id, "a POST is not answered");
    }

    void response(std::size_t x, int status) {
        exchange& e = exchanges_[x];
        client& c = ends_.clients[e.client];
        if (std::exchange(e.client_done, true)) return;
        sim_.note("client ", e.client, " <- ", status, " for ", e.is_get ? "GET " : "POST ", e.client_id, ": ", e.body);
        (e.is_get ? c.get : c.post).reset();
        if (status != 200) sim_.ledger.at(e.attempt).exchange_failed = true;
        if (status != 200 && e.is_get) sim_.ledger.at(e.attempt).get_refused = true;
        exact_copy const body(e.body);
        c.session.http_response(e.client_id, status, e.is_binary, body.span(), sim_.now);
        ends_.pump_client(e.client);
    }

    void fail(std::size_t x) {
        sim_.deliver(ends_.clients[exchanges_[x].client].side, [this, x] {
            exchange& e = exchanges_[x];
            client& c = ends_.clients[e.client];
            if (std::exchange(e.client_done, true)) return;
            sim_.note("client ", e.client, " <- failed: exchange ", e.client_id);
            (e.is_get ? c.get : c.post).reset();
            sim_.ledger.at(e.attempt).exchange_failed = true;
            c.session.http_failed(e.client_id, sim_.now);
            ends_.pump_client(e.client);
        });
    }

    // The connection breaks while the exchange is under way.
    void drop(std::size_t x) {
        exchange& e = exchanges_[x];
        if (e.client_done || e.is_lost) return;
        sim_.did(fault::exchange_dropped, e.attempt);
        e.is_lost = true;
        abort_at_server(x, sim_.latency());
        sim_.after(sim_.latency(), [this, x] { fail(x); });
    }

    void abort_at_server(std::size_t x, microseconds delay) {
        sim_.at(std::max(sim_.now + delay, exchanges_[x].arrival), [this, x] {
            sim_.deliver(ends_.server_peer, [this, x] {
                exchange& e = exchanges_[x];
                if (!e.server_id) return;
                sim_.note("server <- aborted: exchange ", *e.server_id);
                ++sim_.figures.aborted_exchanges;
                sim_.ledger.at(e.attempt).exchange_aborted = true;
                auto const id = *std::exchange(e.server_id, std::nullopt);
                names_.release(id);
                ends_.server.http_aborted(id, sim_.now);
                ends_.pump_server();
            });
        });
    }

    simulation& sim_;
    ends<Server, Client>& ends_;
    std::deque<exchange> exchanges_;
    names names_;
};

} // namespace support
