// What lies between a server and its clients: HTTP exchanges that come late or fail, channels that never open or die.
// The same for the sessions of Engine.IO and for whole stacks, which are driven alike.
#pragma once

#include "simulation/simulation.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

template <class Server, class Client>
class wires : protected simulation {
protected:
    // `make_server(random_source&, network_plan&)` may change the plan.
    template <class MakeServer>
    wires(std::uint64_t seed, network_figures& figures, std::string* trace, MakeServer make_server)
        : simulation(seed, figures, trace), server_(make_server(random_, plan_)) {}
    ~wires() = default;

    // Takes the events and the transmits of a side until both run dry.
    virtual void pump_client(std::size_t i) = 0;
    virtual void pump_server() = 0;
    // What comes instead of a frame of a WebSocket.
    virtual std::string_view garbage() { return "9"; }

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

    void plan_freeze() {
        after(microseconds(random_.below(static_cast<std::size_t>(plan_.duration.count()))), [this] {
            auto const heartbeat = plan_.server.ping_interval + plan_.server.ping_timeout;
            auto const how_long =
                microseconds(random_.below(static_cast<std::size_t>(microseconds(heartbeat).count()) * 2));
            if (plan_.has(fault::server_frozen)) {
                if (server_peer_.frozen) return;
                did(fault::server_frozen);
                for (attempt& a : ledger_.attempts()) a.faulty = true;
                freeze(server_peer_, how_long);
            } else {
                client& c = clients_[random_.below(clients_.size())];
                if (c.side.frozen) return;
                did(fault::client_frozen);
                if (c.attempt) ledger_.at(*c.attempt).faulty = true;
                freeze(c.side, how_long);
            }
        });
    }

    //=== exchanges ===//

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
        bool is_lost = false; // where nothing that happens is told to the client
    };

    void begin_exchange(std::size_t i, engineio::transmit const& t) {
        client& c = clients_[i];
        bool const is_get = t.type == engineio::transmit_type::get;
        auto& under_way = is_get ? c.get : c.post;
        ledger_.expect(!under_way, "a second exchange of its kind is begun");
        ledger_.expect(!c.is_moving, "an exchange is begun while an upgrade waits for the others to end");
        // A client of revision 3 is not told how much a body may hold.
        bool const is_told = c.session.options().revision == engineio::revision::v4;
        if (!is_get && is_told) ledger_.check_body(t.data, engineio::revision::v4, plan_.server.max_payload);
        ++figures_.exchanges;
        std::size_t const x = exchanges_.size();
        under_way = x;
        exchanges_.push_back({i, *c.attempt, t.id, is_get, t.data.kind == socketless::frame_kind::binary,
                              std::string(t.target), std::string(t.data.data)});
        exchange& e = exchanges_.back();
        e.arrival = now_ + latency();
        if (chance(fault::request_lost)) {
            did(fault::request_lost, e.attempt);
            return at(e.arrival, [this, x] { fail_exchange(x); });
        }
        if (!is_get && chance(fault::request_cut)) {
            did(fault::request_cut, e.attempt);
            ledger_.at(e.attempt).request_cut = true;
            e.body = cut(e.body, c.session.options().revision);
        }
        at(e.arrival, [this, x] { deliver(server_peer_, [this, x] { request(x); }); });
        if (chance(fault::exchange_dropped)) at(e.arrival + latency(), [this, x] { drop_exchange(x); });
    }

    // A body that breaks off, so that it cannot be taken for a whole one.
    std::string cut(std::string body, engineio::revision r) {
        if (body.empty()) return body;
        if (r == engineio::revision::v4)
            body.resize(body.rfind(engineio::packet_separator, random_.below(body.size())) + 1);
        else
            body.pop_back();
        return body;
    }

    void request(std::size_t x) {
        exchange& e = exchanges_[x];
        e.server_id = take_name(server_exchanges_, x);
        note("server <- ", e.is_get ? "GET " : "POST ", e.target, " as exchange ", *e.server_id, ": ", e.body);
        origin_ = e.attempt;
        exact_copy const body(e.body);
        server_.http_received({.exchange = *e.server_id,
                               .method = e.is_get ? engineio::http_method::get : engineio::http_method::post,
                               .target = e.target,
                               .is_binary = e.is_binary,
                               .body = body.span()},
                              now_);
        pump_server();
        ledger_.expect(e.is_get || !e.server_id, "a POST is not answered");
    }

    void respond(engineio::transmit const& t) {
        bool const known = t.id < server_exchanges_.size() && server_exchanges_[t.id];
        if (!known) return ledger_.fail("an exchange is answered that is not under way");
        std::size_t const x = *server_exchanges_[t.id];
        server_exchanges_[t.id].reset();
        exchange& e = exchanges_[x];
        e.server_id.reset();
        ledger_.check_response(t, e.is_get, clients_[e.client].session.options().revision, plan_.server.max_payload);
        if (e.client_done || e.is_lost) return;
        e.is_binary = t.content == engineio::content_type::binary;
        e.body = t.data.data;
        int const status = t.status;
        if (chance(fault::response_lost)) {
            did(fault::response_lost, e.attempt);
            return after(latency(), [this, x] { fail_exchange(x); });
        }
        if (e.is_get && status == 200 && chance(fault::response_cut)) {
            did(fault::response_cut, e.attempt);
            ledger_.at(e.attempt).response_cut = true;
            e.body = cut(e.body, clients_[e.client].session.options().revision);
        }
        after(latency(), [this, x, status] {
            deliver(clients_[exchanges_[x].client].side, [this, x, status] { response(x, status); });
        });
    }

    void response(std::size_t x, int status) {
        exchange& e = exchanges_[x];
        client& c = clients_[e.client];
        if (std::exchange(e.client_done, true)) return;
        note("client ", e.client, " <- ", status, " for ", e.is_get ? "GET " : "POST ", e.client_id, ": ", e.body);
        (e.is_get ? c.get : c.post).reset();
        if (status != 200) ledger_.at(e.attempt).exchange_failed = true;
        if (status != 200 && e.is_get) ledger_.at(e.attempt).get_refused = true;
        exact_copy const body(e.body);
        c.session.http_response(e.client_id, status, e.is_binary, body.span(), now_);
        pump_client(e.client);
    }

    void fail_exchange(std::size_t x) {
        deliver(clients_[exchanges_[x].client].side, [this, x] {
            exchange& e = exchanges_[x];
            client& c = clients_[e.client];
            if (std::exchange(e.client_done, true)) return;
            note("client ", e.client, " <- failed: exchange ", e.client_id);
            (e.is_get ? c.get : c.post).reset();
            ledger_.at(e.attempt).exchange_failed = true;
            c.session.http_failed(e.client_id, now_);
            pump_client(e.client);
        });
    }

    // The connection breaks while the exchange is under way.
    void drop_exchange(std::size_t x) {
        exchange& e = exchanges_[x];
        if (e.client_done || e.is_lost) return;
        did(fault::exchange_dropped, e.attempt);
        e.is_lost = true;
        abort_at_server(x, latency());
        after(latency(), [this, x] { fail_exchange(x); });
    }

    void abort_at_server(std::size_t x, microseconds delay) {
        at(std::max(now_ + delay, exchanges_[x].arrival), [this, x] {
            deliver(server_peer_, [this, x] {
                exchange& e = exchanges_[x];
                if (!e.server_id) return;
                note("server <- aborted: exchange ", *e.server_id);
                ++figures_.aborted_exchanges;
                ledger_.at(e.attempt).exchange_aborted = true;
                auto const id = *std::exchange(e.server_id, std::nullopt);
                server_exchanges_[id].reset();
                server_.http_aborted(id, now_);
                pump_server();
            });
        });
    }

    void abort_by_client(std::size_t i, engineio::exchange_id id) {
        client& c = clients_[i];
        for (auto* const under_way : {&c.get, &c.post}) {
            if (!*under_way || exchanges_[**under_way].client_id != id) continue;
            std::size_t const x = **under_way;
            under_way->reset();
            exchanges_[x].client_done = true;
            return abort_at_server(x, latency());
        }
        ledger_.fail("an exchange is given up that is not under way");
    }

    //=== channels ===//

    // One direction of a channel.
    struct line {
        time_point last_arrival{};
        std::string bytes; // of a stream: what is yet to arrive
    };

    struct channel {
        std::size_t client;
        std::size_t attempt;
        engineio::channel_id client_id;
        bool is_stream;
        std::string target;
        bool client_end = true;
        std::optional<engineio::channel_id> server_id = std::nullopt;
        bool is_dead = false;
        bool client_paused = false;
        bool server_paused = false;
        line up = {};
        line down = {};
    };

    // All that goes one way arrives in the order in which it was sent.
    time_point arrival(line& l) { return l.last_arrival = std::max(l.last_arrival, now_ + latency()); }

    void begin_channel(std::size_t i, engineio::transmit const& t) {
        client& c = clients_[i];
        std::size_t const n = channels_.size();
        channels_.push_back(
            {i, *c.attempt, t.id, t.type == engineio::transmit_type::open_stream, std::string(t.target)});
        channel& ch = channels_.back();
        bool const is_candidate = has_opened(c.session);
        auto const opening_fault = [&](fault f) { return is_candidate ? harmless_chance(f) : chance(f); };
        if (opening_fault(fault::channel_never_opens)) {
            is_candidate ? did(fault::channel_never_opens) : did(fault::channel_never_opens, ch.attempt);
            return;
        }
        if (opening_fault(fault::channel_refused)) {
            is_candidate ? did(fault::channel_refused) : did(fault::channel_refused, ch.attempt);
            return tell_client_closed(n);
        }
        if (chance(fault::channel_opens_late)) {
            did(fault::channel_opens_late, ch.attempt);
            ch.up.last_arrival = now_ + plan_.clients[i].upgrade_timeout * random_.between(1, 4) / 2;
        }
        at(arrival(ch.up), [this, n] { deliver(server_peer_, [this, n] { channel_at_server(n); }); });
        if (chance(fault::channel_dies)) after(some_time(), [this, n] { break_channel(n, fault::channel_dies); });
        if (chance(fault::channel_goes_silent))
            after(some_time(), [this, n] { break_channel(n, fault::channel_goes_silent); });
    }

    // A whole client does not say which session it has.
    static bool has_opened(Client const& session) {
        if constexpr (requires { session.id(); })
            return session.is_open() || !session.id().empty();
        else
            return session.is_open();
    }

    microseconds some_time() {
        return microseconds(random_.below(static_cast<std::size_t>(plan_.duration.count())) >> random_.below(6));
    }

    void channel_at_server(std::size_t n) {
        channel& ch = channels_[n];
        if (ch.is_dead) return;
        if (!ch.is_stream && !random_.one_in(8) && server_.websocket_refusal(ch.target)) {
            note("server: refuses the WebSocket ", ch.target);
            return tell_client_closed(n);
        }
        ch.server_id = take_name(server_channels_, n);
        note("server <- opened: channel ", *ch.server_id, " ", ch.target);
        at(arrival(ch.down), [this, n] {
            deliver(clients_[channels_[n].client].side, [this, n] {
                channel& opened = channels_[n];
                if (!opened.client_end || opened.is_dead) return;
                note("client ", opened.client, " <- opened: channel ", opened.client_id);
                clients_[opened.client].session.channel_opened(opened.client_id, now_);
                if (plan_.write_time.count() != 0 && random_.one_in(8)) pause(n, true);
                pump_client(opened.client);
            });
        });
        origin_ = ch.attempt;
        if (ch.is_stream)
            server_.stream_opened(*ch.server_id, now_);
        else
            server_.websocket_opened(*ch.server_id, ch.target, now_);
        if (plan_.write_time.count() != 0 && random_.one_in(8)) pause(n, false);
        pump_server();
    }

    void send_on(std::size_t n, socketless::frame f, bool is_up) {
        channel& ch = channels_[n];
        bool& paused = is_up ? ch.client_paused : ch.server_paused;
        ledger_.expect(!paused, "something is sent on a channel that is paused");
        if (!ch.is_stream)
            ledger_.expect(f.kind == socketless::frame_kind::binary || f.data != "6", "a noop on a WebSocket");
        if (plan_.write_time.count() != 0 && random_.one_in(2)) pause(n, is_up);
        if (ch.is_dead) return;
        if (random_.one_in(8) && chance(fault::frame_garbled)) {
            did(fault::frame_garbled, ch.attempt);
            ledger_.at(ch.attempt).garbled = true;
            f = {socketless::frame_kind::text, ch.is_stream ? std::string_view("\0", 1) : garbage()};
        }
        line& l = is_up ? ch.up : ch.down;
        if (ch.is_stream) {
            l.bytes += f.data;
            return at(arrival(l), [this, n, is_up] { arrive(n, is_up, {}, {}); });
        }
        at(arrival(l), [this, n, is_up, kind = f.kind, data = std::string(f.data)] { arrive(n, is_up, kind, data); });
    }

    void arrive(std::size_t n, bool is_up, socketless::frame_kind kind, std::string const& data) {
        auto const receive = [this, n, is_up, kind, data] {
            is_up ? receive_at_server(n, kind, data) : receive_at_client(n, kind, data);
        };
        deliver(is_up ? server_peer_ : clients_[channels_[n].client].side, receive);
    }

    // The next chunk of a stream, of whatever size; the rest comes at the same time.
    std::string take_chunk(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        std::string& bytes = is_up ? ch.up.bytes : ch.down.bytes;
        std::size_t const size = random_.one_in(2) ? bytes.size() : random_.below(bytes.size() + 1);
        std::string chunk = bytes.substr(0, size);
        bytes.erase(0, size);
        if (!bytes.empty()) at(now_, [this, n, is_up] { arrive(n, is_up, {}, {}); });
        return chunk;
    }

    void receive_at_server(std::size_t n, socketless::frame_kind kind, std::string const& data) {
        channel& ch = channels_[n];
        if (!ch.server_id || ch.is_dead) return;
        exact_copy const bytes(ch.is_stream ? take_chunk(n, true) : data);
        note("server <- channel ", *ch.server_id, ": ", bytes.view());
        origin_ = ch.attempt;
        if (ch.is_stream)
            server_.stream_received(*ch.server_id, bytes.view(), now_);
        else
            server_.websocket_received(*ch.server_id, {kind, bytes.view()}, now_);
        pump_server();
    }

    void receive_at_client(std::size_t n, socketless::frame_kind kind, std::string const& data) {
        channel& ch = channels_[n];
        if (!ch.client_end || ch.is_dead) return;
        exact_copy const bytes(ch.is_stream ? take_chunk(n, false) : data);
        note("client ", ch.client, " <- channel ", ch.client_id, ": ", bytes.view());
        auto& session = clients_[ch.client].session;
        if (ch.is_stream)
            session.stream_received(ch.client_id, bytes.view(), now_);
        else
            session.websocket_received(ch.client_id, {kind, bytes.view()}, now_);
        pump_client(ch.client);
    }

    // A write is under way.
    void pause(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        (is_up ? ch.client_paused : ch.server_paused) = true;
        if (is_up)
            clients_[ch.client].session.pause(ch.client_id);
        else
            server_.pause(*ch.server_id);
        auto const how_long = microseconds(1 + random_.below(static_cast<std::size_t>(plan_.write_time.count())));
        after(how_long, [this, n, is_up] {
            deliver(is_up ? server_peer_ : clients_[channels_[n].client].side, [this, n, is_up] { resume(n, is_up); });
        });
    }

    void resume(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        if (is_up) {
            ch.client_paused = false;
            clients_[ch.client].session.resume(ch.client_id);
            return pump_client(ch.client);
        }
        ch.server_paused = false;
        if (!ch.server_id) return;
        server_.resume(*ch.server_id);
        pump_server();
    }

    void close_by_client(std::size_t n) {
        channel& ch = channels_[n];
        ch.client_end = false;
        if (!ch.is_dead) tell_server_closed(n);
    }

    void close_by_server(std::size_t n) {
        channel& ch = channels_[n];
        server_channels_[*ch.server_id].reset();
        ch.server_id.reset();
        if (!ch.is_dead) tell_client_closed(n);
    }

    void tell_client_closed(std::size_t n) {
        at(arrival(channels_[n].down),
           [this, n] { deliver(clients_[channels_[n].client].side, [this, n] { closed_at_client(n); }); });
    }

    void closed_at_client(std::size_t n) {
        channel& ch = channels_[n];
        if (!ch.client_end) return;
        // What is left of a stream comes first.
        if (!ch.down.bytes.empty() && !ch.is_dead) return tell_client_closed(n);
        note("client ", ch.client, " <- closed: channel ", ch.client_id);
        ch.client_end = false;
        ledger_.at(ch.attempt).channel_closed = true;
        clients_[ch.client].session.channel_closed(ch.client_id, now_);
        pump_client(ch.client);
    }

    void tell_server_closed(std::size_t n) {
        at(arrival(channels_[n].up), [this, n] { deliver(server_peer_, [this, n] { closed_at_server(n); }); });
    }

    void closed_at_server(std::size_t n) {
        channel& ch = channels_[n];
        if (!ch.server_id) return;
        if (!ch.up.bytes.empty() && !ch.is_dead) return tell_server_closed(n);
        note("server <- closed: channel ", *ch.server_id);
        ledger_.at(ch.attempt).channel_closed_at_server = true;
        auto const id = *std::exchange(ch.server_id, std::nullopt);
        server_channels_[id].reset();
        server_.channel_closed(id, now_);
        pump_server();
    }

    // The channel is lost, with all that is on its way. If it goes silent, one side or none comes to know.
    void break_channel(std::size_t n, fault f) {
        channel& ch = channels_[n];
        if (ch.is_dead || (!ch.client_end && !ch.server_id)) return;
        client const& c = clients_[ch.client];
        // A candidate that has not been moved to is no loss, if its client is told in time.
        bool const harmless = f == fault::channel_dies && c.session.is_open() && !c.side.frozen &&
                              c.session.transport() == engineio::transport::polling;
        harmless ? did(f) : did(f, ch.attempt);
        ch.is_dead = true;
        bool const dies = f == fault::channel_dies;
        std::size_t const who = random_.below(3);
        if (dies || who == 1) tell_server_closed(n);
        if (harmless) return closed_at_client(n);
        if (dies || who == 0) tell_client_closed(n);
    }

    //=== names that the server is given: the lowest that is free ===//

    using names = std::vector<std::optional<std::size_t>>;

    static std::uint64_t take_name(names& all, std::size_t thing) {
        auto const free = std::find(all.begin(), all.end(), std::nullopt);
        auto const name = static_cast<std::size_t>(free - all.begin());
        if (free == all.end())
            all.emplace_back(thing);
        else
            *free = thing;
        return name;
    }

    Server server_;
    peer server_peer_;
    std::size_t origin_ = 0; // the attempt whose input the server is given
    std::deque<client> clients_;
    std::deque<exchange> exchanges_;
    std::deque<channel> channels_;
    names server_exchanges_;
    names server_channels_;
};

} // namespace support
